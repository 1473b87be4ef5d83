package rewrite

import (
	"crypto/sha256"
	"fmt"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// programs finds functions marked for XLA that are the same but for names. XLA keeps what it
// compiles by the function's name and the shapes of the arguments. So loops that differ only in
// names, as the two directions of a bidirectional layer may, are compiled once if both call one
// function.
type programs struct {
	g         *graph.Graph
	by        map[string]string // canonical form → function
	canonical map[string]string // function of the library → its form; "": not yet
}

// canonicalName returns the name of an earlier function that is the same as f but for names. If
// there is none it returns "" and keeps f for later calls.
func (p *programs) canonicalName(f *functionpb.FunctionDef) string {
	form, ok := p.form(f, 0)
	if !ok {
		return ""
	}
	if other := p.by[form]; other != "" {
		return other
	}
	p.by[form] = f.GetSignature().GetName()
	return ""
}

// form returns a digest of what a function does. In it numbers, in the order of definition, replace
// names, and the forms of functions replace the functions' names. It reports false for functions
// that call each other in a circle, and for damaged ones.
func (p *programs) form(f *functionpb.FunctionDef, depth int) (string, bool) {
	if depth > graph.MaxUnwrap {
		return "", false
	}
	f = proto.CloneOf(f)
	n := numbering{}
	n.define(f)
	for _, node := range f.GetNodeDef() {
		for i, in := range node.GetInput() {
			node.Input[i] = n.ref(in)
		}
		if !p.callsByForm(node, depth) {
			return "", false
		}
	}
	n.results(f)
	f.Signature.Name, f.Signature.ControlOutput, f.ArgAttr, f.ResourceArgUniqueId = "", nil, nil, nil
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
	if err != nil {
		return "", false
	}
	return fmt.Sprintf("%x", sha256.Sum256(data)), true
}

// callsByForm replaces the names of functions that a node calls by their forms.
func (p *programs) callsByForm(n *nodepb.NodeDef, depth int) bool {
	for _, a := range n.GetAttr() {
		if len(a.GetList().GetFunc()) > 0 {
			return false
		}
		called := a.GetFunc()
		if called == nil {
			continue
		}
		form, ok := p.ofLibrary(called.GetName(), depth)
		if !ok {
			return false
		}
		called.Name = form
	}
	return true
}

// ofLibrary returns the form of a function of the library.
func (p *programs) ofLibrary(name string, depth int) (string, bool) {
	if known, ok := p.canonical[name]; ok {
		return known, known != ""
	}
	p.canonical[name] = ""
	f, err := p.g.Function(name)
	if f == nil || err != nil {
		return "", false
	}
	form, ok := p.form(f, depth+1)
	if ok {
		p.canonical[name] = form
	}
	return form, ok
}

// numbering maps the names of a function's arguments and nodes to numbers.
type numbering map[string]string

// define numbers the arguments and nodes of a function, and removes what is only for people.
func (x numbering) define(f *functionpb.FunctionDef) {
	for i, a := range f.GetSignature().GetInputArg() {
		x[a.GetName()] = fmt.Sprint("a", i)
		f.Signature.InputArg[i] = &opdefpb.OpDef_ArgDef{Name: x[a.GetName()], Type: a.GetType()}
	}
	for i, n := range f.GetNodeDef() {
		x[n.GetName()] = fmt.Sprint("n", i)
		n.Name, n.ExperimentalDebugInfo = x[n.GetName()], nil
		delete(n.Attr, "_class")
	}
}

// ref returns a reference with the number in place of the name.
func (x numbering) ref(in string) string {
	if order, ok := strings.CutPrefix(in, "^"); ok {
		return "^" + x[order]
	}
	name, output, _ := strings.Cut(in, ":")
	return x[name] + ":" + output
}

// results numbers the results of a function.
func (x numbering) results(f *functionpb.FunctionDef) {
	rets, orders := map[string]string{}, map[string]string{}
	for i, out := range f.GetSignature().GetOutputArg() {
		name := fmt.Sprint("o", i)
		rets[name] = x.ref(f.GetRet()[out.GetName()])
		f.Signature.OutputArg[i] = &opdefpb.OpDef_ArgDef{Name: name, Type: out.GetType()}
	}
	for _, node := range f.GetControlRet() {
		orders[x[node]] = x[node]
	}
	f.Ret, f.ControlRet = rets, orders
}
