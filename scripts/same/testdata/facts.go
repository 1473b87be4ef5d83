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

	"github.com/tfrun/tfrun/savedmodel"
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
	for _, r := range []savedmodel.Reduction{
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
		data, err := mg.Reduced(r)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%d bytes %x\n", len(data), sha256.Sum256(data))
	}
	has, err := mg.HasLookups(names...)
	fmt.Printf("lookups %q: %t %v\n", title, has, err)
}

// signature prints what is known of a signature.
func signature(mg *savedmodel.MetaGraph, s *savedmodel.Signature) {
	show := func(what string, value any, err error) { fmt.Printf("%q %s: %+v %v\n", s.Name, what, value, err) }
	show("check", "", mg.CheckSignature(s))
	show("check compile", "", mg.CheckCompile(s))
	for _, r := range []savedmodel.Reduction{{}, {CPUOnly: true, Lengths: true}, {CPUOnly: true, Lengths: true, Lookups: true}} {
		c, err := mg.Compilation(s, r)
		show("compilation", fmt.Sprint(c.Ops, c.Lengths, c.Loops, c.Size(100)), err)
	}
	state, err := mg.State(s)
	show("state", state, err)
	ops, err := mg.Operations(s)
	show("operations", ops, err)
	values, ok, err := mg.RowValues(s)
	show("row", fmt.Sprint(values, ok), err)
	features, err := mg.ExampleFeatures(s)
	show("features", features, err)
	show("axes", mg.Axes(s), nil)
	sizes := savedmodel.Sizes{Axes: map[string]int64{}}
	for i, axis := range mg.Axes(s) {
		sizes.Axes[axis.Name] = int64(5 + 2*i)
	}
	put, err := mg.Put(s, sizes)
	show("put", put, err)
	if err != nil {
		return
	}
	outputs, err := mg.OutputsAt(s, put)
	show("outputs", outputs, err)
	table, err := mg.Layers()
	if table == nil || err != nil {
		return
	}
	for _, at := range table.At(put) {
		show("layer "+at.Layer.Name, fmt.Sprint(at.Output, at.Bytes, at.Exact), nil)
	}
}
