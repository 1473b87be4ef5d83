package rewrite

import (
	"os"
	"path/filepath"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/proto"
)

// mended are models whose twins have mends of all kinds.
var mended = []string{"k2_bilstm", "k3_bilstm_mask", "k3_conv_max", "k3_heads", "k3_causal_heads_last", "tf_cumsum_back", "tf_last_token", "tf_loop_sum", "k2_gru_spread_pool_mask"}

// FuzzExact writes twins of graphs that were spoilt: it comes to an end, and nothing else.
func FuzzExact(f *testing.F) {
	models := make([]*pb.SavedModel, len(mended))
	for i, name := range mended {
		data, err := os.ReadFile(filepath.Join("../../testdata/padding", name, "saved_model.pb"))
		if err != nil {
			f.Fatal(err)
		}
		models[i] = &pb.SavedModel{}
		if err := proto.Unmarshal(data, models[i]); err != nil {
			f.Fatal(err)
		}
		for seed := range uint64(10) {
			f.Add(byte(i), seed)
		}
	}
	ops := []string{"While", "StatelessWhile", "PartitionedCall", "ReverseV2", "Mean", "Max", "Any", "Softmax", "MatMul", "StridedSlice", "TensorListSetItem", "Select", "Identity", "If", "Conv2D"}
	f.Fuzz(func(t *testing.T, model byte, seed uint64) {
		m := proto.CloneOf(models[int(model)%len(models)])
		modeltest.Spoil(m, seed, ops)
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := savedmodel.FromBytes("fuzz", data)
		if err != nil {
			return
		}
		for _, mg := range opened.MetaGraphs {
			for _, lookups := range []bool{false, true} {
				// an error is fine
				_, _ = Reduced(mg, Reduction{CPUOnly: true, Exact: true, Lookups: lookups})
			}
		}
	})
}
