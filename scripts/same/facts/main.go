// Command facts prints what the packages say of a model and the tfrun command does not show, for
// scripts/same to compare.
//
//	facts MODEL
//
// It prints, for each graph of the model: the sha256 of what a reduction writes, for each of its
// switches; what XLA would compile; the state of each signature; the shapes of the outputs for
// sizes that are put in.
package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

func main() {
	m, err := savedmodel.Open(os.Args[1])
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	for _, mg := range m.MetaGraphs {
		fmt.Println("graph", mg)
		fmt.Println("verify:", mg.Verify())
		names := mg.SignatureNames()
		reductions(mg, "", names)
		for _, name := range names {
			reductions(mg, name, []string{name})
			signature(mg, mg.Signatures[name])
		}
	}
}

// reductions prints the checksums of what each switch of a reduction leaves of a graph. Twins for
// XLA are added in the order of a map: with several signatures these switches are left out.
func reductions(mg *savedmodel.MetaGraph, title string, names []string) {
	for _, r := range []rewrite.Reduction{
		{},
		{CPUOnly: true},
		{NoOptimizer: true},
		{Lookups: true},
		{Lookups: true, CPUOnly: true, NoOptimizer: true},
		{Compiled: true},
		{Compiled: true, CPUOnly: true},
		{Compiled: true, CPUOnly: true, Lengths: true},
		{Compiled: true, CPUOnly: true, Lengths: true, Lookups: true},
		{Compiled: true, Lookups: true, NoOptimizer: true},
	} {
		if r.Compiled && len(names) > 1 {
			continue
		}
		fmt.Printf("reduced %q cpu=%t compiled=%t lengths=%t lookups=%t plain=%t: ", title, r.CPUOnly, r.Compiled, r.Lengths, r.Lookups, r.NoOptimizer)
		r.Signatures = slices.Clone(names)
		data, err := rewrite.Reduced(mg, r)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%d bytes %x\n", len(data), sha256.Sum256(data))
	}
	has, err := rewrite.HasLookups(mg, names...)
	fmt.Printf("lookups %q: %t %v\n", title, has, err)
}

// signature prints what is known of a signature.
func signature(mg *savedmodel.MetaGraph, s *savedmodel.Signature) {
	show := func(what string, value any, err error) { fmt.Printf("%q %s: %+v %v\n", s.Name, what, value, err) }
	show("check", "", mg.CheckSignature(s))
	show("check compile", "", rewrite.CheckCompile(mg, s))
	for _, r := range []rewrite.Reduction{{}, {CPUOnly: true, Lengths: true}, {CPUOnly: true, Lengths: true, Lookups: true}} {
		c, err := rewrite.CompilationOf(mg, s, r)
		show("compilation", fmt.Sprint(c.Ops, c.Lengths, c.Loops, c.Size(100)), err)
	}
	state, err := mg.State(s)
	show("state", state, err)
	ops, err := mg.Operations(s)
	show("operations", ops, err)
	work, err := sizes.RowValues(mg, s)
	show("row", fmt.Sprint(work.Values, work.Known()), err)
	features, err := mg.ExampleFeatures(s)
	show("features", features, err)
	table, err := layers.Of(mg)
	if err != nil {
		show("layers", "", err)
	}
	known := sizes.Of(mg, s, table)
	show("axes", known.Axes(), nil)
	at := sizes.Sizes{Axes: map[string]int64{}}
	for i, axis := range known.Axes() {
		at.Axes[axis.Name] = int64(5 + 2*i)
	}
	put, err := known.Put(at)
	show("put", put, err)
	if err != nil {
		return
	}
	outputs, err := known.Outputs(put)
	show("outputs", outputs, err)
	if table == nil {
		return
	}
	for _, at := range table.At(put) {
		show("layer "+at.Layer.Name, fmt.Sprint(at.Output, at.Bytes, at.Exact), nil)
	}
}
