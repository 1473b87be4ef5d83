package admit

import (
	"fmt"
	"strings"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
)

// Path says which path an operation is told.
type Path struct {
	Function, Node string // the main graph's function is ""
	Input          int    // the data input that is the path
	Path           string
}

// WritePaths puts a constant before each of the operations, in the place of whatever made the path:
// what is read then is what was seen to be read, however the graph makes it. Operations that the
// graph does not have are passed over.
func WritePaths(g *graphpb.GraphDef, paths []Path) {
	of := map[string][]Path{}
	for _, p := range paths {
		of[p.Function] = append(of[p.Function], p)
	}
	g.Node = writePaths(g.GetNode(), of[""], ":0")
	for _, f := range g.GetLibrary().GetFunction() {
		f.NodeDef = writePaths(f.GetNodeDef(), of[f.GetSignature().GetName()], ":output:0")
	}
}

// writePaths is WritePaths for a main graph or a function, which write a constant's output as they
// do.
func writePaths(nodes []*nodepb.NodeDef, paths []Path, output string) []*nodepb.NodeDef {
	if len(paths) == 0 {
		return nodes
	}
	byName := make(map[string]*nodepb.NodeDef, len(nodes))
	for _, n := range nodes {
		byName[n.GetName()] = n
	}
	for i, p := range paths {
		n := byName[p.Node]
		if n == nil || p.Input >= len(n.GetInput()) || strings.HasPrefix(n.GetInput()[p.Input], "^") {
			continue
		}
		name := fmt.Sprintf("tfrun_path_%d", i)
		for byName[name] != nil {
			name += "_"
		}
		c := textNode(name, p.Path)
		byName[name] = c
		nodes = append(nodes, c)
		n.Input[p.Input] = name + output
	}
	return nodes
}

// textNode is a constant of one string.
func textNode(name, value string) *nodepb.NodeDef {
	t := &tensorpb.TensorProto{Dtype: dtypeString, TensorShape: &shapepb.TensorShapeProto{}, StringVal: [][]byte{[]byte(value)}}
	return &nodepb.NodeDef{Name: name, Op: "Const", Attr: map[string]*attrpb.AttrValue{
		"dtype": {Value: &attrpb.AttrValue_Type{Type: dtypeString}},
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: t}},
	}}
}
