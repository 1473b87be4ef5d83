package savedmodel_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"google.golang.org/protobuf/proto"
)

// rewiredModels are Keras models of many kinds, whose layers are told from their graphs.
var rewiredModels = []string{
	"k3_attn_dot", "k3_bidir_sum", "k3_cnn2d", "k3_gru", "k3_mha", "k3_nested", "k3_norms", "k3_seq2seq", "k3_shared_layer", "k3_unet", "k3_wide_deep", "k2_nested", "k2_lstm_states", "mod_control_flow", "k3_seed", "k2_seed",
}

func readProto(tb testing.TB, name string) *pb.SavedModel {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "models", name, "model", savedmodel.FileBinary))
	if err != nil {
		tb.Fatal(err)
	}
	m := &pb.SavedModel{}
	if err := proto.Unmarshal(data, m); err != nil {
		tb.Fatal(err)
	}
	return m
}

// rewire lets some operations of a graph's functions read what others make, themselves too, and
// calls some by another's name: circles come of it.
func rewire(m *pb.SavedModel, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 1 + rng.IntN(6) {
		graph := m.GetMetaGraphs()[0].GetGraphDef()
		nodes := graph.GetNode()
		if functions := graph.GetLibrary().GetFunction(); len(functions) > 0 && rng.IntN(8) > 0 {
			nodes = functions[rng.IntN(len(functions))].GetNodeDef()
		}
		if len(nodes) == 0 {
			continue
		}
		pick := func() *nodepb.NodeDef { return nodes[rng.IntN(len(nodes))] }
		n, other := pick(), pick()
		if rng.IntN(3) == 0 {
			n.Op = []string{"Identity", "Cast", "ConcatV2", "Reshape", "AddV2", other.GetOp()}[rng.IntN(6)]
		}
		if len(n.GetInput()) == 0 {
			continue
		}
		i := rng.IntN(len(n.GetInput()))
		n.Input[i] = []string{other.GetName() + ":output:0", n.GetName() + ":output:0", other.GetName(), n.GetInput()[0]}[rng.IntN(4)]
		if rng.IntN(3) == 0 && len(other.GetInput()) > 0 { // back
			other.Input[0] = n.GetName() + ":output:0"
			other.Op = n.GetOp()
		}
	}
}

// TestRewired describes models whose graphs were rewired: it comes to an end.
func TestRewired(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if testing.Short() {
		seeds = 2
	}
	for _, name := range rewiredModels {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := readProto(t, name)
			for seed := range seeds {
				describeRewired(t, m, seed)
			}
		})
	}
}

// FuzzRewired does the same with other seeds. Few are there to begin with: each takes a tenth of a
// second.
func FuzzRewired(f *testing.F) {
	models := make([]*pb.SavedModel, len(rewiredModels))
	for i, name := range rewiredModels {
		models[i] = readProto(f, name)
		f.Add(byte(i), uint64(20))
	}
	f.Fuzz(func(t *testing.T, model byte, seed uint64) {
		describeRewired(t, models[int(model)%len(models)], seed)
	})
}

func describeRewired(t *testing.T, model *pb.SavedModel, seed uint64) {
	t.Helper()
	m := proto.CloneOf(model)
	rewire(m, seed)
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", data)
	if err != nil {
		return
	}
	defer modeltest.Ends("describing the model")()
	use(t, opened)
	for _, mg := range opened.MetaGraphs {
		if _, err := scan.Scan(mg); err != nil {
			t.Logf("Scan: %v", err)
		}
		_, _ = rewrite.Pruned(mg) // an error is fine
		_, _ = rewrite.Reduced(mg, rewrite.Reduction{CPUOnly: true, Compiled: true, Lengths: true, Lookups: true})
	}
}
