// Package admit decides which graphs TensorFlow is given.
//
// [Decode] reads a GraphDef, [Encode] looks at every operation of what was read and writes it anew.
// So the bytes that TensorFlow gets are those of the very message that was looked at, and whatever
// is in them may run, whether anything seems to reach it or not: a branch that is never taken, a
// gradient, a function that nothing calls. What a model holds beyond that has to be cut out before.
package admit

import (
	"fmt"
	"slices"
	"strings"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/internal/strict"
)

// Policy says what a graph may hold beside operations that compute or keep state in memory.
type Policy struct {
	// Allow are operations that somebody lets through, whatever they do.
	Allow []string
	// Files are the paths that stand as constants before operations that may read the model's own
	// files ([ops.Op.Own]), and what each of them is.
	Files map[string]ops.Own
}

// Error says which operation of a graph may not run.
type Error struct {
	Function string // "" for the main graph
	Node     string
	Op       string
	Msg      string
}

// Error names the place and the reason.
func (e *Error) Error() string {
	where := fmt.Sprintf("operation %s (%q)", e.Op, e.Node)
	if e.Node == "" {
		return fmt.Sprintf("function %q %s", e.Function, e.Msg)
	}
	if e.Function != "" {
		where += fmt.Sprintf(" of function %q", e.Function)
	}
	return where + " " + e.Msg
}

// Decode reads a GraphDef that can be read in one way only.
func Decode(graphDef []byte) (*graphpb.GraphDef, error) {
	g := &graphpb.GraphDef{}
	if err := strict.Check(graphDef, g.ProtoReflect().Descriptor()); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(graphDef, g); err != nil {
		return nil, err
	}
	g.ProtoReflect().SetUnknown(nil) // debug_info of later releases
	return g, nil
}

// Encode writes a graph for TensorFlow. It fails with an *[Error] for an operation that may not
// run, and changes the graph: configurations in it keep nothing but what is known to be harmless.
func Encode(g *graphpb.GraphDef, p Policy) ([]byte, error) {
	c := &checker{policy: p, functions: map[string]bool{}}
	for _, f := range g.GetLibrary().GetFunction() {
		name := f.GetSignature().GetName()
		switch {
		case c.functions[name]:
			return nil, &Error{Function: name, Msg: "stands twice"}
		case ops.Of(name) != nil || slices.Contains(p.Allow, name):
			return nil, &Error{Function: name, Msg: "has the name of an operation"}
		case len(f.GetSignature().GetAttr()) > 0:
			return nil, &Error{Function: name, Msg: Template}
		}
		c.functions[name] = true
	}
	if err := c.nodes("", g.GetNode()); err != nil {
		return nil, err
	}
	for _, f := range g.GetLibrary().GetFunction() {
		if err := c.nodes(f.GetSignature().GetName(), f.GetNodeDef()); err != nil {
			return nil, err
		}
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(g)
}

// checker looks at the nodes of one graph.
type checker struct {
	policy    Policy
	functions map[string]bool
}

// nodes checks the nodes of the main graph (""), or of a function's body.
func (c *checker) nodes(function string, nodes []*nodepb.NodeDef) error {
	byName := make(map[string]*nodepb.NodeDef, len(nodes))
	for _, n := range nodes {
		byName[n.GetName()] = n
	}
	for _, n := range nodes {
		msg := Fault(n)
		if msg == "" && !c.functions[n.GetOp()] && !slices.Contains(c.policy.Allow, n.GetOp()) {
			msg = c.refuse(n, byName)
		}
		if msg != "" {
			return &Error{Function: function, Node: n.GetName(), Op: n.GetOp(), Msg: msg}
		}
		cleanConfig(n)
	}
	return nil
}

// refuse says what an operation does that it may not; "" where it may run.
func (c *checker) refuse(n *nodepb.NodeDef, byName map[string]*nodepb.NodeDef) string {
	o := ops.Of(n.GetOp())
	switch {
	case o == nil:
		return "is none that tfrun knows"
	case o.Pure():
		return ""
	case o.Attr != "" && HarmlessAttr(o, n):
		return ""
	case o.Path >= 0:
		paths, ok := Strings(constant(n, o.Path, byName))
		if ok && !slices.ContainsFunc(paths, func(p string) bool { return !o.Harmless(p) && !c.own(o, p) }) {
			return ""
		}
	}
	return o.Why
}

// own reports whether a path is one of the model's own files that the operation may read.
func (c *checker) own(o *ops.Op, path string) bool {
	return o.Own != ops.Nothing && c.policy.Files[path] == o.Own
}

// HarmlessAttr reports whether the attribute that decides what an operation does has a value with
// which it touches nothing.
func HarmlessAttr(o *ops.Op, n *nodepb.NodeDef) bool {
	v := n.GetAttr()[o.Attr]
	if v == nil {
		return o.Unset
	}
	return o.Harmless(attrText(v))
}

// constant returns the constant that stands directly before a data input of a node; nil where
// something else does.
func constant(n *nodepb.NodeDef, input int, byName map[string]*nodepb.NodeDef) *nodepb.NodeDef {
	if input >= len(n.GetInput()) {
		return nil
	}
	// A main graph writes "node" or "node:0", a function's body "node:output:0".
	name, output, _ := strings.Cut(n.GetInput()[input], ":")
	if output != "" && output != "0" && output != "output:0" {
		return nil
	}
	if from := byName[name]; from.GetOp() == "Const" {
		return from
	}
	return nil
}

// Strings returns the values of a constant of strings, as TensorFlow reads them; ok is false for
// any other node, and where it is not plain what they are.
func Strings(n *nodepb.NodeDef) (values []string, ok bool) {
	t := n.GetAttr()["value"].GetTensor()
	if n.GetOp() != "Const" || t.GetDtype() != dtypeString || len(t.GetTensorContent()) > 0 || len(t.GetStringVal()) == 0 {
		return nil, false
	}
	for _, v := range t.GetStringVal() {
		values = append(values, string(v))
	}
	return values, true
}
