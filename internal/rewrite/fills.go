package rewrite

import (
	"strconv"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
)

// fillScope is the name scope of the nodes that fill variables.
const fillScope = "tfrun_fill/"

// addFills adds [savedmodel.FillOp] where there are variables to be filled, and returns the nodes
// of the graph that it needs.
func (t *twins) addFills(mg *savedmodel.MetaGraph) (roots []string, err error) {
	fills, err := mg.Fills()
	if err != nil || len(fills) == 0 {
		return nil, err
	}
	saver, err := mg.Saver()
	if err != nil {
		return nil, err
	}
	t.reach.Nodes[savedmodel.FillOp] = true
	text := typeAttr(typespb.DataType_DT_STRING)
	all := &nodepb.NodeDef{Name: savedmodel.FillOp, Op: "NoOp", Input: []string{"^" + graph.NodeOf(saver.GetRestoreOpName())}}
	var nodes []*nodepb.NodeDef
	var types []typespb.DataType
	var keys, whole [][]byte // each key, and that its entry is read whole
	for i, f := range fills {
		handle, err := t.g.Node(f.Handle)
		if err != nil {
			return nil, err
		}
		dtype := handle.GetAttr()["dtype"]
		types, keys, whole = append(types, dtype.GetType()), append(keys, []byte(f.Key)), append(whole, nil)
		name := fillScope + strconv.Itoa(i)
		nodes = append(nodes, &nodepb.NodeDef{Name: name, Op: "AssignVariableOp", Input: []string{f.Handle, savedmodel.FillRead + ":" + strconv.Itoa(i)}, Attr: attrs{"dtype": dtype}})
		all.Input = append(all.Input, "^"+name)
		roots = append(roots, f.Handle)
	}
	texts := func(name string, list [][]byte) *nodepb.NodeDef {
		shape := &shapepb.TensorShapeProto{Dim: []*shapepb.TensorShapeProto_Dim{{Size: int64(len(list))}}}
		return &nodepb.NodeDef{Name: name, Op: "Const", Attr: attrs{
			"dtype": text, "value": tensorAttr(&tensorpb.TensorProto{Dtype: text.GetType(), TensorShape: shape, StringVal: list}),
		}}
	}
	read := &nodepb.NodeDef{Name: savedmodel.FillRead, Op: "RestoreV2", Input: []string{saver.GetFilenameTensorName(), fillScope + "keys", fillScope + "slices"}, Attr: attrs{"dtypes": typesAttr(types)}}
	for _, n := range append(nodes, texts(fillScope+"keys", keys), texts(fillScope+"slices", whole), read, all) {
		if err := t.write(n, nil); err != nil {
			return nil, err
		}
	}
	return roots, nil
}
