package runner

import (
	"errors"
	"slices"
	"testing"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/tensor"
)

// TestOtherMachines runs a graph whose operations are placed on machines of a cluster, as it is
// saved where it was trained, and on devices that this machine lacks.
func TestOtherMachines(t *testing.T) {
	t.Parallel()
	for _, device := range []string{
		"/job:ps/task:1", "/job:worker/replica:0/task:2/device:CPU:0", "/job:worker/task:0/device:GPU:0", "/replica:1", "/device:TPU:7", "hello",
	} {
		twice := modeltest.Op("out", "Add", "in", "in")
		def := modeltest.Library([]*nodepb.NodeDef{twice})
		for _, n := range def.GetGraphDef().GetNode() {
			key := map[bool]string{true: "dtype", false: "T"}[n.GetName() == "in"]
			n.Attr[key] = &attrpb.AttrValue{Value: &attrpb.AttrValue_Type{Type: typespb.DataType_DT_FLOAT}}
			n.Device = device
		}
		sig := def.GetSignatureDef()["run"]
		for _, info := range []*pb.TensorInfo{sig.Inputs["x"], sig.Outputs["y"]} {
			info.Dtype, info.TensorShape = typespb.DataType_DT_FLOAT, modeltest.Shape(-1)
		}
		data, err := proto.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{def}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := LoadModel(t.Context(), modeltest.OpenBytes(t, data), Options{})
		if err != nil {
			t.Errorf("%s: %v", device, err)
			continue
		}
		out, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"x": tensor.Vector[float32](1, 2.5)})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Errorf("%s: %v", device, err)
			continue
		}
		if got, _ := tensor.Values[float32](out["y"]); !slices.Equal(got, []float32{2, 5}) {
			t.Errorf("%s: y = %v, want 2 and 5", device, got)
		}
	}
}
