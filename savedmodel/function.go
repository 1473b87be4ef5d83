package savedmodel

import (
	"strconv"
	"strings"
	"sync"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"github.com/tfrun/tfrun/tensor"
	"google.golang.org/protobuf/encoding/protowire"
)

// function is a FunctionDef whose references are resolved: each input of a node is a [ref] to what
// produces it.
type function struct {
	def    *functionpb.FunctionDef
	name   string
	nodes  []*node // in the order in which they were made
	byName map[string]*node
	args   []string
	argAt  map[string]int
	rets   []ref // the results, in the signature's order
}

// node is an operation in a function's body.
type node struct {
	name   string
	op     string
	def    *nodepb.NodeDef
	index  int      // its place in function.nodes
	parts  []string // the name, cut at slashes: its name scopes, then its own name
	inputs []ref    // data inputs
}

// maxScopes bounds how many name scopes a node's name is cut into; the rest stays in one piece.
const maxScopes = 64

// ref names a tensor in a function: an output of a node, or an argument. The zero ref is no tensor.
type ref struct {
	node *node
	arg  int // 1 + the argument's place when node is nil; 0 for no tensor
	out  int // which of the node's outputs, counted flat
}

func (r ref) ok() bool { return r.node != nil || r.arg > 0 }

// isArg returns the argument's place when r is one.
func (r ref) isArg() (int, bool) { return r.arg - 1, r.node == nil && r.arg > 0 }

// loadFunction returns a function of the library with its references resolved; nil when there is
// none of that name. Those of the signatures are kept: several signatures often call the same one.
func (mg *MetaGraph) loadFunction(name string) (*function, error) {
	mg.loaded.Lock()
	defer mg.loaded.Unlock()
	if f := mg.loaded.functions[name]; f != nil {
		return f, nil
	}
	f, err := mg.resolveFunction(name)
	if f != nil && len(mg.loaded.functions) < maxLoaded {
		if mg.loaded.functions == nil {
			mg.loaded.functions = map[string]*function{}
		}
		mg.loaded.functions[name] = f
	}
	return f, err
}

// maxLoaded bounds how many decoded functions are kept.
const maxLoaded = 16

// loadedFunctions holds the functions that were decoded and resolved.
type loadedFunctions struct {
	sync.Mutex
	functions map[string]*function
}

// resolveFunction decodes a function and resolves its references.
func (mg *MetaGraph) resolveFunction(name string) (*function, error) {
	def, err := mg.Function(name)
	if def == nil || err != nil {
		return nil, err
	}
	return mg.resolveDef(def)
}

// resolveDef resolves the references of a function that need not stand in the library.
func (mg *MetaGraph) resolveDef(def *functionpb.FunctionDef) (*function, error) {
	f := &function{def: def, name: def.GetSignature().GetName(), byName: make(map[string]*node, len(def.GetNodeDef())), argAt: map[string]int{}}
	for i, a := range def.GetSignature().GetInputArg() {
		f.args = append(f.args, a.GetName())
		f.argAt[a.GetName()] = i
	}
	for i, n := range def.GetNodeDef() {
		x := &node{name: n.GetName(), op: n.GetOp(), def: n, index: i, parts: strings.SplitN(n.GetName(), "/", maxScopes)}
		f.nodes = append(f.nodes, x)
		f.byName[x.name] = x
	}
	ops, err := mg.ops()
	if err != nil {
		return nil, err
	}
	for _, n := range f.nodes {
		for _, in := range n.def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				n.inputs = append(n.inputs, f.resolve(in, ops))
			}
		}
	}
	for _, out := range def.GetSignature().GetOutputArg() {
		f.rets = append(f.rets, f.resolve(def.GetRet()[out.GetName()], ops))
	}
	return f, nil
}

// resolve reads a tensor's name as a function body writes it: "arg", "node:output_arg:i", or
// "node:i".
func (f *function) resolve(name string, ops map[string][]outputArg) ref {
	head, rest, _ := strings.Cut(name, ":")
	n := f.byName[head]
	if n == nil {
		if i, ok := f.argAt[head]; ok {
			return ref{arg: i + 1}
		}
		return ref{}
	}
	arg, number, found := strings.Cut(rest, ":")
	if !found {
		i, _ := strconv.Atoi(arg)
		return ref{node: n, out: max(i, 0)}
	}
	i, _ := strconv.Atoi(number)
	return ref{node: n, out: max(i, 0) + flatOutput(n.def, ops[n.op], arg)}
}

// outputArg is one output of an op's definition. It stands for several tensors when one of the
// attributes gives a number or a list of types.
type outputArg struct{ name, numberAttr, typeListAttr string }

// flatOutput returns the number of tensors before the output arg of the given name.
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
func (mg *MetaGraph) readOpOutputs() (map[string][]outputArg, error) {
	const fieldStrippedOpList, fieldOps, fieldOutputArg = 2, 1, 3
	ops := map[string][]outputArg{}
	err := eachField(mg.raw.metaInfo, func(f field) error {
		if f.num != fieldStrippedOpList || f.typ != protowire.BytesType {
			return nil
		}
		return eachField(f.data, func(f field) error {
			if f.num != fieldOps || f.typ != protowire.BytesType {
				return nil
			}
			name, err := stringField(f.data, fieldOpName)
			if err != nil {
				return err
			}
			var args []outputArg
			err = eachField(f.data, func(f field) error {
				if f.num != fieldOutputArg || f.typ != protowire.BytesType {
					return nil
				}
				def := &opdefpb.OpDef_ArgDef{}
				if err := mg.unmarshal(f.data, def, "an op's definition"); err != nil {
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
	})
	if err != nil {
		return nil, mg.damaged("its list of ops", err)
	}
	return ops, nil
}

// shape returns what the graph knows of a tensor's shape (the attribute _output_shapes); ok is
// false when it says nothing.
func (f *function) shape(r ref) (s tensor.Shape, ok bool) {
	if i, isArg := r.isArg(); isArg {
		if a := f.def.GetArgAttr()[uint32(i)].GetAttr()["_output_shapes"]; a != nil && len(a.GetList().GetShape()) > 0 {
			return newShape(a.GetList().GetShape()[0]), true
		}
		if list := f.def.GetAttr()["_input_shapes"].GetList().GetShape(); i < len(list) {
			return newShape(list[i]), true
		}
		return tensor.UnknownShape(), false
	}
	if r.node == nil {
		return tensor.UnknownShape(), false
	}
	if list := r.node.def.GetAttr()["_output_shapes"].GetList().GetShape(); r.out < len(list) {
		return newShape(list[r.out]), true
	}
	return tensor.UnknownShape(), false
}

// argName returns the name that the Python function's user gave an argument, or the argument's own.
func (f *function) argName(i int) string {
	if name := f.def.GetArgAttr()[uint32(i)].GetAttr()["_user_specified_name"].GetS(); len(name) > 0 {
		return string(name)
	}
	return f.args[i]
}

// isCall reports whether an op calls one function of the library and is nothing else.
func isCall(op string) bool { return op == "PartitionedCall" || op == "StatefulPartitionedCall" }

// attrInts returns a list attribute of integers.
func (n *node) attrInts(name string) []int64 { return n.def.GetAttr()[name].GetList().GetI() }

// attrString returns a string attribute.
func (n *node) attrString(name string) string { return string(n.def.GetAttr()[name].GetS()) }

// in returns the node that makes data input i, or nil.
func (n *node) in(i int) *node {
	if i < 0 || i >= len(n.inputs) {
		return nil
	}
	return n.inputs[i].node
}

// outputDType returns the type of a node's output, as the attributes that most ops have for it say;
// Invalid when none does.
func outputDType(r ref) tensor.DType {
	if r.node == nil || r.node.def == nil {
		return tensor.Invalid
	}
	attr := r.node.def.GetAttr()
	for _, list := range []string{"Tout", "output_types"} {
		if types := attr[list].GetList().GetType(); r.out < len(types) {
			return newDType(types[r.out])
		}
	}
	if types := attr["T"].GetList().GetType(); isLoop(r.node) && r.out < len(types) {
		return newDType(types[r.out])
	}
	for _, key := range []string{"DstT", "out_type", "output_type", "dtype", "element_dtype", "Tparams", "T"} {
		if t := attr[key].GetType(); t != 0 {
			return newDType(t)
		}
	}
	return tensor.Invalid
}
