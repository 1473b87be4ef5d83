package padding

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// fuzzed are models with operations of many kinds.
var fuzzed = []string{
	"k3_bilstm_mask", "k2_lstm_mask", "k3_causal_heads_last", "k3_text_mask", "tf_conv_causal", "tf_rows_alone", "tf_cumsum_back", "tf_batch_pairs", "tf_softmax_masked",
	"tf_bert", "tf_max_pool", "tf_reshaped", "tf_sizes", "k2_norm_dropout_mask", "k2_image_max", "tf_text_words", "tf_loop_sum", "tf_rows_mapped", "tf_length_given",
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
		for seed := range uint64(3) {
			f.Add(byte(i), seed)
		}
	}
	ops := slices.Sorted(maps.Keys(rules))
	f.Fuzz(func(t *testing.T, model byte, seed uint64) {
		m := proto.CloneOf(models[int(model)%len(models)])
		modeltest.Spoil(m, seed, ops)
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
		defer modeltest.Ends("the proof")()
		for _, mg := range opened.MetaGraphs {
			for _, name := range mg.SignatureNames() {
				if sig, err := mg.Signature(name); err == nil {
					_, _ = Of(mg, sig, nil) // an error is fine
					_, _ = Mended(mg, mg.Graph(), sig)
				}
			}
		}
	})
}
