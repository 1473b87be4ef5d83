package savedmodel_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
)

// TestByRows looks at what rows hold for signatures that list the tensors of ragged and sparse
// arguments: Keras 2's input layers in a list, the keys of a dictionary, and an argument's own
// name. A signature of dense inputs stays as it is.
func TestByRows(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"wild/k2_composites":    "bags: sparse (None, 4) of indices values dense_shape, args_0_3; extra: float32 (None, 3) of , args_0; tokens: ragged int32 (None, None) of values row_splits, args_0_1",
		"wild/ragged_parts":     "numbers: ragged float32 (None, None) of values row_splits, ; weight: float32 (None,) of , inputs; words: ragged string (None, None, None) of values row_splits row_splits, inputs_1",
		"wild/sparse_parts":     "x: sparse (None, 5) of indices values dense_shape, ; y: int32 (None,) of , ",
		"models/mod_ragged":     "r: ragged float32 (None, None) of values row_splits, ",
		"models/k2_dict_io":     "as it is",
		"models/mod_ragged_out": "as it is",
		"wild/defaults":         "as it is",
	} {
		m, err := savedmodel.Open(filepath.Join("..", "testdata", filepath.FromSlash(model), "model"))
		if err != nil {
			t.Fatal(err)
		}
		mg := m.MetaGraphs[0]
		s, err := mg.Signature("")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := mg.ByRows(s)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range slices.Sorted(maps.Keys(rows.Inputs)) {
			in := rows.Inputs[name]
			text := in.String()
			if in.Sparse() {
				text = fmt.Sprintf("sparse %v", in.Shape)
			}
			var roles []string
			for _, c := range in.Components {
				roles = append(roles, c.Role)
			}
			got = append(got, fmt.Sprintf("%s: %s of %s, %s", name, text, strings.Join(roles, " "), in.Key))
		}
		if text := strings.Join(got, "; "); text != want && (rows != s || want != "as it is") {
			t.Errorf("%s: %s\nwant %s", model, text, want)
		}
	}
}
