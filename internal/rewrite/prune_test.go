package rewrite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// What is left must be a SavedModel with the same signatures, and a Keras 2 model must become much
// smaller. That it still runs and gives the same answers is tested in runner, on every model.
func TestPruned(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../../testdata/models/full_seed/k2/model")
	if err != nil {
		t.Fatal(err)
	}
	mg := m.MetaGraphs[0]
	before, err := mg.Graph().FunctionNames()
	if err != nil {
		t.Fatal(err)
	}
	data, err := Pruned(mg)
	if err != nil {
		t.Fatal(err)
	}
	small := modeltest.OpenBytes(t, data)
	after, err := small.MetaGraphs[0].Graph().FunctionNames()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d functions of %d, %d bytes", len(after), len(before), len(data))
	if len(after) == 0 || len(after)*4 > len(before) {
		t.Errorf("%d functions are left of %d", len(after), len(before))
	}
	if diff := cmp.Diff(mg.SignatureNames(), small.MetaGraphs[0].SignatureNames()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(mg.Tags, small.MetaGraphs[0].Tags); diff != "" {
		t.Error(diff)
	}
}

func FuzzPruned(f *testing.F) {
	for _, model := range []string{"mod_control_flow", "tf1_while", "k3_dict_io", "k3_bidir_sum", "k3_gru"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/models", model, "model", "saved_model.pb"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := savedmodel.FromBytes("fuzz", data)
		if err != nil {
			return
		}
		for _, mg := range m.MetaGraphs {
			_, _ = Pruned(mg) // an error is fine, a panic or a hang is not
			_, _ = Reduced(mg, Reduction{CPUOnly: true, Compiled: true, Lengths: true})
			_, _ = Reduced(mg, Reduction{CPUOnly: true, Compiled: true, Lengths: true, Lookups: true})
			_, _ = Reduced(mg, Reduction{CPUOnly: true, Exact: true, Lookups: true})
		}
	})
}

// The graph of a model is written the same each time, with all that is added to it.
func TestWrittenTheSame(t *testing.T) {
	t.Parallel()
	times := 40 // an order of two in a map is the usual one seven times of eight
	if testing.Short() {
		times = 2
	}
	for _, name := range []string{"k3_tfsave", "k3_masked", "k3_wide_deep", "k2_stacked", "mod_control_flow"} {
		var first []byte
		for i := range times {
			data, err := Reduced(modeltest.Open(t, name).MetaGraphs[0], Reduction{Lookups: true, Exact: true, Compiled: true})
			if err != nil {
				t.Fatal(err)
			}
			if name == "k3_tfsave" && !bytes.Contains(data, []byte(savedmodel.FillRead)) {
				t.Fatal("nothing is filled")
			}
			if i == 0 {
				first = data
			} else if !bytes.Equal(data, first) {
				t.Errorf("%s: written otherwise the next time", name)
				break
			}
		}
	}
}
