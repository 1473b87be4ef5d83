package savedmodel_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/savedmodel"
)

func TestExampleFeatures(t *testing.T) {
	t.Parallel()
	census := []string{
		"age dense float32 (1,) false", "city dense string () false", "ids sparse int64 (None,) false", "n dense int64 () false",
		"score dense float32 (2,) true", "seq dense float32 (None, 2) false", "tags sparse string (None,) false",
	}
	for _, test := range []struct {
		model, signature string
		want             []string
	}{
		{"own_tf1_census", "serving_default", census},
		{"own_tf1_census", "predict", census},
		{"own_mod_examples", "serving_default", []string{
			"age dense float32 () false", "city sparse string (None,) false", "ids ragged int64 (None,) false", "n dense int64 () false",
			"score dense float32 (2,) true", "tags ragged string (None,) false",
		}},
		// ParseSingleExample inside tf.map_fn
		{"own_mod_examples", "one_by_one", []string{"age dense float32 () false", "score dense float32 (2,) true"}},
		{"tf1_half_plus_two", "regress_x_to_y", []string{"x dense float32 (1,) true"}},
		{"tf1_half_plus_two", "serving_default", nil},
		{"mod_strings", "serving_default", nil},
	} {
		m, err := savedmodel.Open(filepath.Join("../testdata/models", test.model, "model"))
		if err != nil {
			t.Fatal(err)
		}
		features, err := m.MetaGraphs[0].ExampleFeatures(m.MetaGraphs[0].Signatures[test.signature])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range features {
			got = append(got, fmt.Sprintf("%s %s %s %s %v", f.Name, f.Kind, f.DType, f.Shape, f.Required))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.model, test.signature, diff)
		}
	}
}
