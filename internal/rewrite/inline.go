package rewrite

import (
	"fmt"
	"slices"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// maxInlined bounds the nodes of a function into which others are inlined: functions may call each
// other again and again.
const maxInlined = 20_000

// inliner replaces calls by the bodies of the functions called.
type inliner struct {
	g     *graph.Graph
	loops *loopSplitter
}

// inlineLoops returns a function into which all functions that it calls and that contain loops are
// inlined, so that a loop and what feeds it are in one body. It returns nil if there is no loop, or
// if a call cannot be inlined.
func (in *inliner) inlineLoops(name string) (*functionpb.FunctionDef, error) {
	if loops, err := in.loops.hasLoop(name, 0); !loops || err != nil {
		return nil, err
	}
	def, err := in.g.Function(name)
	if def == nil || err != nil {
		return nil, err
	}
	for range graph.MaxUnwrap {
		at, called, err := in.nextCall(def)
		if err != nil {
			return nil, err
		}
		if called == nil {
			return def, nil
		}
		if len(def.GetNodeDef())+len(called.GetNodeDef()) > maxInlined || !inline(def, at, called) {
			return nil, nil
		}
	}
	return nil, nil
}

// nextCall finds a call of a function that contains a loop.
func (in *inliner) nextCall(def *functionpb.FunctionDef) (at int, called *functionpb.FunctionDef, err error) {
	for i, n := range def.GetNodeDef() {
		if !graph.IsCall(n.GetOp()) {
			continue
		}
		name := n.GetAttr()["f"].GetFunc().GetName()
		loops, err := in.loops.hasLoop(name, 0)
		if err != nil {
			return 0, nil, err
		}
		if loops {
			called, err := in.g.Function(name)
			return i, called, err
		}
	}
	return 0, nil, nil
}

// inline replaces the call at index at by the body of the function called, as TensorFlow's
// InlineFunctionBody does: names get the call's name as a prefix, and two nodes without effect
// stand for the beginning and the end of the call in the order of operations. It reports false for
// functions with attributes or lists of arguments, which Python's tf.function does not make.
func inline(def *functionpb.FunctionDef, at int, called *functionpb.FunctionDef) bool {
	call := def.NodeDef[at]
	data, orders := graph.SplitInputs(call)
	args := called.GetSignature().GetInputArg()
	if len(called.GetSignature().GetAttr()) > 0 || len(args) != len(data) {
		return false
	}
	prefix := freePrefix(namesOf(def), call.GetName()+"/", called)
	fed := map[string]string{}
	for i, a := range args {
		if a.GetNumberAttr() != "" || a.GetTypeListAttr() != "" {
			return false
		}
		fed[a.GetName()] = data[i]
	}
	// outer returns an input as the outer function writes it.
	outer := func(in string) string {
		if order, ok := strings.CutPrefix(in, "^"); ok {
			if from, ok := fed[order]; ok {
				return "^" + graph.NodeOf(from)
			}
			return "^" + prefix + order
		}
		if from, ok := fed[in]; ok {
			return from
		}
		return prefix + in
	}
	var body []*nodepb.NodeDef
	if len(orders) > 0 {
		body = append(body, &nodepb.NodeDef{Name: prefix + "tfrun_begin", Op: "NoOp", Input: orders})
	}
	for _, n := range called.GetNodeDef() {
		n = proto.CloneOf(n)
		n.Name = prefix + n.GetName()
		delete(n.Attr, "_class")
		for i, in := range n.GetInput() {
			n.Input[i] = outer(in)
		}
		if len(orders) > 0 {
			n.Input = append(n.Input, "^"+prefix+"tfrun_begin")
		}
		body = append(body, n)
	}
	end := &nodepb.NodeDef{Name: prefix + "tfrun_end", Op: "NoOp"}
	results := map[string]string{}
	for i, out := range called.GetSignature().GetOutputArg() {
		if out.GetNumberAttr() != "" || out.GetTypeListAttr() != "" {
			return false
		}
		result := outer(called.GetRet()[out.GetName()])
		results[fmt.Sprintf("%s:output:%d", call.GetName(), i)] = result
		end.Input = append(end.Input, "^"+graph.NodeOf(result))
	}
	for _, name := range called.GetControlRet() {
		end.Input = append(end.Input, "^"+prefix+name)
	}
	slices.Sort(end.Input)
	end.Input = slices.Compact(end.Input)
	def.NodeDef = slices.Concat(def.NodeDef[:at], body, []*nodepb.NodeDef{end}, def.NodeDef[at+1:])
	return redirect(def, results, call.GetName(), end.Name)
}

// freePrefix returns the prefix, or a similar one, with which no name in the function's body is
// used yet.
func freePrefix(taken nameSet, prefix string, called *functionpb.FunctionDef) string {
	for slices.ContainsFunc(called.GetNodeDef(), func(n *nodepb.NodeDef) bool { return taken[prefix+n.GetName()] }) ||
		taken[prefix+"tfrun_begin"] || taken[prefix+"tfrun_end"] {
		prefix += "_/"
	}
	return prefix
}
