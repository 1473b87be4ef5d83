package graph

import (
	"strconv"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// Load returns a function of the library with its references resolved; nil if there is none of that
// name. A few functions are kept decoded, since several signatures often call the same one.
func (g *Graph) Load(name string) (*Function, error) {
	g.loaded.Lock()
	defer g.loaded.Unlock()
	if f := g.loaded.functions[name]; f != nil {
		return f, nil
	}
	f, err := g.Resolve(name)
	if f != nil && len(g.loaded.functions) < maxLoaded {
		if g.loaded.functions == nil {
			g.loaded.functions = map[string]*Function{}
		}
		g.loaded.functions[name] = f
	}
	return f, err
}

// maxLoaded bounds how many decoded functions are kept.
const maxLoaded = 16

// Resolve decodes a function and resolves its references.
func (g *Graph) Resolve(name string) (*Function, error) {
	def, err := g.Function(name)
	if def == nil || err != nil {
		return nil, err
	}
	return g.ResolveDef(def)
}

// ResolveDef resolves the references of a function, which may be one that is not in the library.
func (g *Graph) ResolveDef(def *functionpb.FunctionDef) (*Function, error) {
	f := &Function{Def: def, Name: def.GetSignature().GetName(), ByName: make(map[string]*Node, len(def.GetNodeDef())), ArgAt: map[string]int{}}
	for i, a := range def.GetSignature().GetInputArg() {
		f.Args = append(f.Args, a.GetName())
		f.ArgAt[a.GetName()] = i
	}
	for i, n := range def.GetNodeDef() {
		x := NewNode(n)
		x.Index = i
		f.Nodes = append(f.Nodes, x)
		f.ByName[x.Name] = x
	}
	ops, err := g.ops()
	if err != nil {
		return nil, err
	}
	for _, n := range f.Nodes {
		for _, in := range n.Def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				n.Inputs = append(n.Inputs, f.resolve(in, ops))
			}
		}
	}
	for _, out := range def.GetSignature().GetOutputArg() {
		f.Rets = append(f.Rets, f.resolve(def.GetRet()[out.GetName()], ops))
	}
	return f, nil
}

// resolve resolves the name of a tensor as a function's body has it: "arg", "node:output_arg:i", or
// "node:i".
func (f *Function) resolve(name string, ops map[string][]outputArg) Ref {
	head, rest, _ := strings.Cut(name, ":")
	n := f.ByName[head]
	if n == nil {
		if i, ok := f.ArgAt[head]; ok {
			return Ref{Arg: i + 1}
		}
		return Ref{}
	}
	arg, number, found := strings.Cut(rest, ":")
	if !found {
		i, _ := strconv.Atoi(arg)
		return Ref{Node: n, Out: max(i, 0)}
	}
	i, _ := strconv.Atoi(number)
	return Ref{Node: n, Out: max(i, 0) + flatOutput(n.Def, ops[n.Op], arg)}
}

// outputArg is one output of an op's definition. It is several tensors where an attribute of the
// node gives a number or a list of types.
type outputArg struct{ name, numberAttr, typeListAttr string }

// flatOutput returns the number of a node's output tensors before the output arg of the given name.
func flatOutput(n *nodepb.NodeDef, args []outputArg, name string) int {
	before := 0
	for _, a := range args {
		if a.name == name {
			return before
		}
		switch {
		case a.typeListAttr != "":
			before += len(n.GetAttr()[a.typeListAttr].GetList().GetType())
		case a.numberAttr != "":
			before += int(n.GetAttr()[a.numberAttr].GetI())
		default:
			before++
		}
	}
	return 0
}

// readOpOutputs returns the outputs of the ops that have more than one, from the list of op
// definitions that a model carries for the ops it uses.
func (g *Graph) readOpOutputs() (map[string][]outputArg, error) {
	const fieldOps, fieldOutputArg = 1, 3
	ops := map[string][]outputArg{}
	err := wire.Each(g.opList, func(f wire.Field) error {
		if f.Num != fieldOps || f.Type != protowire.BytesType {
			return nil
		}
		name, err := wire.String(f.Data, fieldOpName)
		if err != nil {
			return err
		}
		var args []outputArg
		err = wire.Each(f.Data, func(f wire.Field) error {
			if f.Num != fieldOutputArg || f.Type != protowire.BytesType {
				return nil
			}
			def := &opdefpb.OpDef_ArgDef{}
			if err := g.unmarshal(f.Data, def, "an op's definition"); err != nil {
				return err
			}
			args = append(args, outputArg{def.GetName(), def.GetNumberAttr(), def.GetTypeListAttr()})
			return nil
		})
		if len(args) > 1 {
			ops[name] = args
		}
		return err
	})
	if err != nil {
		return nil, g.Damaged("its list of ops", err)
	}
	return ops, nil
}
