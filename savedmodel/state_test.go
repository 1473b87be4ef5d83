package savedmodel

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model, signature string
		want             State
	}{
		{"mod_counter", "", State{Changes: []string{"AssignAddVariableOp"}}},
		{"k2_stateful_rnn", "", State{Changes: []string{"AssignVariableOp"}}},
		{"k3_stateful_rnn", "", State{Changes: []string{"AssignVariableOp"}}},
		{"mod_random", "", State{Random: []string{"RandomStandardNormal"}}},
		{"mod_vocab_asset", "", State{}},  // its loader fills a variable and a table
		{"mod_lookup_table", "", State{}}, // a mutable table that nobody inserts into
		{"k2_compiled", "", State{}},      // the optimizer's assignments are in other functions
		{"k2_cnn2d", "", State{}},
		{"own_k3_norms_all", "", State{}}, // so are batch normalization's
		{"tf1_while", "", State{}},
		{"mod_control_flow", "", State{}},
	} {
		m, err := Open(filepath.Join("../testdata/models", test.model, "model"))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := m.MetaGraphs[0].Signature(test.signature)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.MetaGraphs[0].State(sig)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.model, diff)
		}
	}
}
