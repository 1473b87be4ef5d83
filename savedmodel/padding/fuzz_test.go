package padding

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/savedmodel"
)

// fuzzed are models with operations of many kinds.
var fuzzed = []string{
	"k3_bilstm_mask", "k2_lstm_mask", "k3_causal_heads_last", "k3_text_mask", "tf_conv_causal", "tf_rows_alone", "tf_cumsum_back", "tf_batch_pairs", "tf_softmax_masked",
	"tf_bert", "tf_max_pool", "tf_reshaped", "tf_sizes", "k2_norm_dropout_mask", "k2_image_max", "tf_text_words", "tf_loop_sum", "tf_rows_mapped", "tf_length_given",
}

// spoil makes operations others, with other inputs and attributes, more of them or fewer.
func spoil(m *pb.SavedModel, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	ops := slices.Sorted(maps.Keys(rules))
	graph := m.GetMetaGraphs()[0].GetGraphDef()
	for range 1 + rng.IntN(12) {
		nodes := graph.GetNode()
		if functions := graph.GetLibrary().GetFunction(); len(functions) > 0 && rng.IntN(10) > 0 {
			nodes = functions[rng.IntN(len(functions))].GetNodeDef()
		}
		if len(nodes) == 0 {
			continue
		}
		pick := func() *nodepb.NodeDef { return nodes[rng.IntN(len(nodes))] }
		n, other := pick(), pick()
		switch rng.IntN(6) {
		case 0:
			n.Op = ops[rng.IntN(len(ops))]
		case 1:
			n.Op, n.Attr = other.GetOp(), other.GetAttr()
		case 2:
			n.Input = append(n.GetInput(), other.GetName()+":output:0")
		case 3:
			n.Input = n.GetInput()[:rng.IntN(len(n.GetInput())+1)]
		case 4:
			if len(n.GetInput()) > 0 && len(other.GetInput()) > 0 {
				n.Input[rng.IntN(len(n.GetInput()))] = other.GetInput()[rng.IntN(len(other.GetInput()))]
			}
		case 5:
			for _, key := range slices.Sorted(maps.Keys(n.GetAttr())) {
				switch a := n.GetAttr()[key]; {
				case a.GetTensor() != nil && rng.IntN(2) == 0:
					a.GetTensor().TensorContent, a.GetTensor().IntVal = nil, []int32{int32(rng.IntN(9) - 4)}
				case a.GetList() != nil && len(a.GetList().GetI()) > 0:
					a.GetList().I[rng.IntN(len(a.GetList().GetI()))] = int64(rng.IntN(9) - 4)
				case rng.IntN(4) == 0:
					delete(n.GetAttr(), key)
				}
			}
		}
	}
}

// FuzzOf walks through graphs that were spoilt: it comes to an end, and nothing else.
func FuzzOf(f *testing.F) {
	models := make([]*pb.SavedModel, len(fuzzed))
	for i, name := range fuzzed {
		data, err := os.ReadFile(filepath.Join(truthDir, name, "saved_model.pb"))
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
	f.Fuzz(func(t *testing.T, model byte, seed uint64) {
		m := proto.CloneOf(models[int(model)%len(models)])
		spoil(m, seed)
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		opened, err := savedmodel.Open(dir)
		if err != nil {
			return
		}
		late := time.AfterFunc(20*time.Second, func() { panic("the proof does not come to an end") })
		defer late.Stop()
		for _, mg := range opened.MetaGraphs {
			for _, name := range mg.SignatureNames() {
				if sig, err := mg.Signature(name); err == nil {
					_, _ = Of(mg, sig, nil) // an error is fine
				}
			}
		}
	})
}
