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

// Path is a path that an operation gets in place of the graph's own.
type Path struct {
	Function, Node string // the main graph's function is ""
	Input          int    // index of the data input that takes the path
	Path           string
}

// WritePaths puts a constant before each of the operations, in place of whatever computes the path
// in the graph. So the file that is read is the one that was looked at. Operations that the graph
// does not have are passed over.
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

// writePaths is WritePaths for one main graph or function; output is how its inputs refer to a
// constant's output.
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

// textNode returns a constant of one string.
func textNode(name, value string) *nodepb.NodeDef {
	t := &tensorpb.TensorProto{Dtype: dtypeString, TensorShape: &shapepb.TensorShapeProto{}, StringVal: [][]byte{[]byte(value)}}
	return &nodepb.NodeDef{Name: name, Op: "Const", Attr: map[string]*attrpb.AttrValue{
		"dtype": {Value: &attrpb.AttrValue_Type{Type: dtypeString}},
		"value": {Value: &attrpb.AttrValue_Tensor{Tensor: t}},
	}}
}
