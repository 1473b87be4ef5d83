package savedmodel_test

import (
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"

	"github.com/tfrun/tfrun/internal/modeltest"
)

// TestShapeByGraph opens signatures that name no shapes, as TensorFlow Serving's half_plus_three
// has them: the shapes are the graph's, as in TensorFlow, not those of scalars.
func TestShapeByGraph(t *testing.T) {
	t.Parallel()
	open := func(list ...*shapepb.TensorShapeProto) *attrpb.AttrValue {
		return &attrpb.AttrValue{Value: &attrpb.AttrValue_List{List: &attrpb.AttrValue_ListValue{Shape: list}}}
	}
	for _, c := range []struct {
		graph     *attrpb.AttrValue // _output_shapes of the output
		signature *shapepb.TensorShapeProto
		want      string
	}{
		{open(modeltest.Shape(-1, 1)), nil, "(None, 1)"},
		{open(modeltest.Shape(-1, 1)), modeltest.Shape(), "()"}, // a scalar that is named
		{open(&shapepb.TensorShapeProto{UnknownRank: true}), nil, "()"},
		{open(), nil, "()"},
	} {
		out := modeltest.Op("out", "Identity", "in")
		out.Attr["_output_shapes"] = c.graph
		def := modeltest.Library([]*nodepb.NodeDef{out})
		def.SignatureDef["run"].Outputs["y"].TensorShape = c.signature
		mg := modeltest.OpenGraph(t, def)
		if got := mg.Signatures["run"].Outputs["y"].Shape.String(); got != c.want {
			t.Errorf("graph %v, signature %v: %s, want %s", c.graph, c.signature, got, c.want)
		}
	}
}
