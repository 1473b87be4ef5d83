// Package admit decides which graphs TensorFlow is given.
//
// [Decode] reads a GraphDef; [Encode] looks at every operation in the decoded graph and encodes it
// again. So the bytes that TensorFlow gets are those of the very message that was looked at. Every
// operation must be one that may run, even where it seems that nothing reaches it: in a branch that
// is never taken, a gradient, a function that nobody calls. Other operations have to be cut out of
// the graph before.
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

// Policy says which operations a graph may have beside those that compute or keep state in memory.
type Policy struct {
	// Allow lists operations that the user has allowed, whatever they do.
	Allow []string
	// Files maps paths of the model's own files to their kind. Operations that may read such files
	// ([ops.Op.Own]) get these paths as constants.
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
	g.ProtoReflect().SetUnknown(nil) // drops debug_info of later releases
	return g, nil
}

// Encode encodes a graph for TensorFlow. It fails with an *[Error] for an operation that may not
// run. It changes the graph: of configurations in it only settings that are known to be harmless
// are kept, of devices nothing that names a machine, and what a branch lacks is zero.
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

// checker checks the nodes of one graph.
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
		cleanDevice(n)
		clearFakeParam(n)
	}
	return nil
}

// refuse returns what an operation does that is not allowed; "" if it may run.
func (c *checker) refuse(n *nodepb.NodeDef, byName map[string]*nodepb.NodeDef) string {
	o := ops.Of(n.GetOp())
	switch {
	case o == nil:
		return "is not one that tfrun knows"
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

// own reports whether a path is one of the model's own files, of the kind that the operation may
// read.
func (c *checker) own(o *ops.Op, path string) bool {
	return o.Own != ops.Nothing && c.policy.Files[path] == o.Own
}

// HarmlessAttr reports whether a node's attribute that decides what the operation does has a value
// with which it touches nothing.
func HarmlessAttr(o *ops.Op, n *nodepb.NodeDef) bool {
	v := n.GetAttr()[o.Attr]
	if v == nil {
		return o.Unset
	}
	return o.Harmless(attrText(v))
}

// constant returns the constant that is a data input of a node; nil where the input is no constant.
func constant(n *nodepb.NodeDef, input int, byName map[string]*nodepb.NodeDef) *nodepb.NodeDef {
	if input >= len(n.GetInput()) {
		return nil
	}
	// A main graph refers to it by "node" or "node:0", a function's body by "node:output:0".
	name, output, _ := strings.Cut(n.GetInput()[input], ":")
	if output != "" && output != "0" && output != "output:0" {
		return nil
	}
	if from := byName[name]; from.GetOp() == "Const" {
		return from
	}
	return nil
}

// Strings returns the values of a constant of strings, as TensorFlow reads them. ok is false for
// any other node, and where readers could differ about the values.
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
