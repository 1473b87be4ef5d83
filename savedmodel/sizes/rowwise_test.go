package sizes

import (
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/modeltest"
)

// shaped says which shape a node's result has.
func shaped(n *nodepb.NodeDef, dims ...int64) *nodepb.NodeDef {
	list := &attrpb.AttrValue_ListValue{Shape: []*shapepb.TensorShapeProto{modeltest.Shape(dims...)}}
	n.Attr["_output_shapes"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: list}}
	return n
}

// flagged sets an attribute of a node.
func flagged(n *nodepb.NodeDef, name string) *nodepb.NodeDef {
	n.Attr[name] = &attrpb.AttrValue{Value: &attrpb.AttrValue_B{B: true}}
	return n
}

// Rows of three values, of which each of these graphs makes something.
func TestRowValues(t *testing.T) {
	t.Parallel()
	axis := func(i int32) *nodepb.NodeDef {
		return modeltest.Const("axis", &tensorpb.TensorProto{Dtype: typespb.DataType_DT_INT32, TensorShape: modeltest.Shape(), IntVal: []int32{i}})
	}
	weights := func(dims ...int64) *nodepb.NodeDef {
		return shaped(modeltest.Const("w", &tensorpb.TensorProto{Dtype: typespb.DataType_DT_FLOAT, TensorShape: modeltest.Shape(dims...), FloatVal: []float32{1}}), dims...)
	}
	variable := modeltest.Op("v", "VarHandleOp")
	variable.Attr["shape"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: modeltest.Shape(3)}}
	for _, tt := range []struct {
		name  string
		nodes []*nodepb.NodeDef
		want  int64 // values of a row; 0: rows are not apart
	}{
		{"values", []*nodepb.NodeDef{shaped(modeltest.Op("r", "Relu", "in"), -1, 3), shaped(modeltest.Op("out", "Identity", "r"), -1, 3)}, 9},
		{"a product", []*nodepb.NodeDef{weights(3, 5), shaped(modeltest.Op("out", "MatMul", "in", "w"), -1, 5)}, 8},
		{"a product the other way round", []*nodepb.NodeDef{weights(5, 3), shaped(modeltest.Op("out", "MatMul", "w", "in"), 5, 3)}, 0},
		{"a product of turned rows", []*nodepb.NodeDef{weights(4, 5), shaped(flagged(modeltest.Op("out", "MatMul", "in", "w"), "transpose_a"), 3, 5)}, 0},
		{"a product of rows", []*nodepb.NodeDef{shaped(flagged(modeltest.Op("out", "MatMul", "in", "in"), "transpose_b"), -1, -1)}, 0},
		{"a variable", []*nodepb.NodeDef{variable, shaped(modeltest.Op("w", "ReadVariableOp", "v"), 3), shaped(modeltest.Op("out", "BiasAdd", "in", "w"), -1, 3)}, 6},
		{"rows side by side", []*nodepb.NodeDef{shaped(modeltest.Op("out", "AddV2", "in", "in"), -1, 3)}, 6},
		{"one row for all", []*nodepb.NodeDef{weights(1, 3), shaped(modeltest.Op("out", "Mul", "w", "in"), -1, 3)}, 6},
		{"a row for each", []*nodepb.NodeDef{weights(4, 3), shaped(modeltest.Op("out", "Mul", "w", "in"), 4, 3)}, 0},
		{"rows along another axis", []*nodepb.NodeDef{weights(2, 4, 3), shaped(modeltest.Op("out", "Mul", "w", "in"), 2, 4, 3)}, 0},
		{"probabilities", []*nodepb.NodeDef{shaped(modeltest.Op("out", "Softmax", "in"), -1, 3)}, 6},
		{"joined", []*nodepb.NodeDef{axis(-1), shaped(modeltest.Op("out", "ConcatV2", "in", "in", "axis"), -1, 6)}, 9},
		{"put one below the other", []*nodepb.NodeDef{axis(0), shaped(modeltest.Op("out", "ConcatV2", "in", "in", "axis"), -1, 3)}, 0},
		{"put one below the other, from the end", []*nodepb.NodeDef{axis(-2), shaped(modeltest.Op("out", "ConcatV2", "in", "in", "axis"), -1, 3)}, 0},
		{"joined with what is no row", []*nodepb.NodeDef{axis(1), weights(4, 3), shaped(modeltest.Op("out", "ConcatV2", "in", "w", "axis"), 4, 6)}, 0},
		{"a mean", []*nodepb.NodeDef{axis(0), shaped(modeltest.Op("out", "Mean", "in", "axis"), 3)}, 0},
		{"what is checked beside it", []*nodepb.NodeDef{modeltest.Op("a", "Assert", "in"), shaped(modeltest.Op("out", "Identity", "in", "^a"), -1, 3)}, 6},
		{"a random number", []*nodepb.NodeDef{shaped(modeltest.Op("n", "RandomUniform", "in"), 3), shaped(modeltest.Op("out", "AddV2", "in", "n"), -1, 3)}, 0},
		{"the same for every batch", []*nodepb.NodeDef{weights(4, 3), shaped(modeltest.Op("out", "Identity", "w"), 4, 3)}, 0},
		{"of unknown size", []*nodepb.NodeDef{modeltest.Op("w", "Const"), modeltest.Op("out", "MatMul", "in", "w")}, 0},
		{"a circle", []*nodepb.NodeDef{shaped(modeltest.Op("a", "Relu", "out"), -1, 3), shaped(modeltest.Op("out", "AddV2", "in", "a"), -1, 3)}, 0},
		{"a function", []*nodepb.NodeDef{weights(3, 5), shaped(modeltest.Op("out", "PartitionedCall", "in", "w", "fn=f"), -1, 5)}, 8},
		{"a function among others", []*nodepb.NodeDef{weights(3, 5), modeltest.Op("c", "PartitionedCall", "in", "w", "fn=f"), shaped(modeltest.Op("out", "Relu", "c"), -1, 5)}, 13},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := modeltest.Returning(modeltest.Func("f", "x w", shaped(modeltest.Op("p", "MatMul", "x", "w"), -1, 5)), "p:product:0")
			for _, n := range tt.nodes {
				if graph.IsCall(n.GetOp()) {
					n.Attr["f"] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Func{Func: &attrpb.NameAttrList{Name: "f"}}}
				}
			}
			def := modeltest.Library(tt.nodes, f)
			def.SignatureDef["run"].Inputs["x"].TensorShape = modeltest.Shape(-1, 3)
			shaped(def.GraphDef.Node[len(def.GraphDef.Node)-1], -1, 3)
			mg := modeltest.OpenGraph(t, def)
			sig, err := mg.Signature("run")
			if err != nil {
				t.Fatal(err)
			}
			got, err := RowValues(mg, sig)
			if err != nil || got.Known() != (tt.want > 0) || got.Known() && got.Values != tt.want {
				t.Errorf("RowValues() = %+v, %v, want %d", got, err, tt.want)
			}
		})
	}
}

// What the batch's size is fixed for, or open in a row, is told by the signature.
func TestRowValuesOfInputs(t *testing.T) {
	t.Parallel()
	for _, dims := range [][]int64{{4, 3}, {-1, -1}, {}} {
		def := modeltest.Library([]*nodepb.NodeDef{shaped(modeltest.Op("out", "Identity", "in"), dims...)})
		def.SignatureDef["run"].Inputs["x"].TensorShape = modeltest.Shape(dims...)
		mg := modeltest.OpenGraph(t, def)
		sig, err := mg.Signature("run")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := RowValues(mg, sig); got.Known() || err != nil {
			t.Errorf("RowValues() of an input of %v = %+v, %v", dims, got, err)
		}
	}
}
