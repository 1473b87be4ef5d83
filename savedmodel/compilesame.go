package savedmodel

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"
)

// programs knows the functions that are marked for XLA. What XLA compiles is kept by the function's name and the arguments' shapes: two loops that differ in names
// alone, as the directions of a bidirectional layer do, are compiled once when both are calls of one function.
type programs struct {
	mg        *MetaGraph
	by        map[string]string // function by canonical form
	canonical map[string]string // of functions of the library, "" while it is sought
}

// like returns the name of a function that is the same but for names; "" where there is none yet, and f is noted as the first.
func (p *programs) like(f *functionpb.FunctionDef) string {
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

// form is a digest of all that a function does. Names give way to numbers, in the order in which they are defined, and names of functions to their forms. It
// reports false for functions that call each other in a circle, and damaged ones.
func (p *programs) form(f *functionpb.FunctionDef, depth int) (string, bool) {
	if depth > maxUnwrap {
		return "", false
	}
	f = proto.CloneOf(f)
	numbers := map[string]string{}
	for i, a := range f.GetSignature().GetInputArg() {
		numbers[a.GetName()] = fmt.Sprint("a", i)
		f.Signature.InputArg[i] = &opdefpb.OpDef_ArgDef{Name: numbers[a.GetName()], Type: a.GetType()}
	}
	for i, n := range f.GetNodeDef() {
		numbers[n.GetName()] = fmt.Sprint("n", i)
		n.Name = numbers[n.GetName()]
		n.ExperimentalDebugInfo = nil
	}
	number := func(in string) string {
		order := strings.HasPrefix(in, "^")
		name, output, _ := strings.Cut(strings.TrimPrefix(in, "^"), ":")
		if order {
			return "^" + numbers[name]
		}
		return numbers[name] + ":" + output
	}
	for _, n := range f.GetNodeDef() {
		for i, in := range n.GetInput() {
			n.Input[i] = number(in)
		}
		delete(n.Attr, "_class")
		for _, a := range n.GetAttr() {
			if len(a.GetList().GetFunc()) > 0 {
				return "", false
			}
			called := a.GetFunc()
			if called == nil {
				continue
			}
			form, ok := p.ofLibrary(called.GetName(), depth)
			if !ok {
				return "", false
			}
			called.Name = form
		}
	}
	rets := map[string]string{}
	for i, out := range f.GetSignature().GetOutputArg() {
		rets[fmt.Sprint("o", i)] = number(f.GetRet()[out.GetName()])
		f.Signature.OutputArg[i] = &opdefpb.OpDef_ArgDef{Name: fmt.Sprint("o", i), Type: out.GetType()}
	}
	orders := map[string]string{}
	for _, name := range slices.Sorted(maps.Values(f.GetControlRet())) {
		orders[numbers[name]] = numbers[name]
	}
	f.Signature.Name, f.Signature.ControlOutput = "", nil
	f.Ret, f.ControlRet, f.ArgAttr, f.ResourceArgUniqueId = rets, orders, nil, nil
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(f)
	if err != nil {
		return "", false
	}
	return fmt.Sprintf("%x", sha256.Sum256(data)), true
}

// ofLibrary is the form of a function of the library.
func (p *programs) ofLibrary(name string, depth int) (string, bool) {
	if known, ok := p.canonical[name]; ok {
		return known, known != ""
	}
	p.canonical[name] = ""
	f, err := p.mg.Function(name)
	if f == nil || err != nil {
		return "", false
	}
	form, ok := p.form(f, depth+1)
	if ok {
		p.canonical[name] = form
	}
	return form, ok
}
