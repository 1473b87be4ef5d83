package runner

import (
	"testing"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/savedmodel"
)

// Small graphs without control flow are optimized as a whole, and no others.
func TestSmallGraph(t *testing.T) {
	for model, want := range map[string]bool{
		"k3_multi_io": true, "mod_dtypes": true, "tf1_half_plus_two": true, "k2_wide_sequential": true,
		"k3_seed": false, "k2_seed": false, // loops, in functions
		"tf1_while": false, "mod_control_flow": false, // loops of both kinds, and branches
		"k3_resnet": false, // too many
	} {
		m, err := savedmodel.Open("../testdata/models/" + model + "/model")
		if err != nil {
			t.Fatal(err)
		}
		mg, err := m.MetaGraph()
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := rewrite.GraphDef(mg, Options{}.reduction(false))
		if err != nil {
			t.Fatal(err)
		}
		if got := smallGraph(data); got != want {
			t.Errorf("%s: few says %v, want %v", model, got, want)
		}
	}
}
