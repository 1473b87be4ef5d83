package savedmodel_test

import (
	"fmt"
	"path/filepath"
	"testing"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/internal/modeltest"
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

// Records are parsed whether the parse op is given the input itself, or what shapes and picks its
// entries; not what is made of them.
func TestTakesRecords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		want bool
		ops  []string // between the input and the parse op
	}{
		"as they are":           {true, nil},
		"tf.reshape":            {true, []string{"Reshape"}},
		"tf.squeeze":            {true, []string{"Squeeze"}},
		"x[:, 0]":               {true, []string{"StridedSlice"}},
		"x[0], tf.expand_dims":  {true, []string{"StridedSlice", "ExpandDims"}},
		"tf.vectorized_map":     {true, []string{"GatherV2", "Reshape"}},
		"tf.unstack":            {true, []string{"Unpack"}},
		"tf.io.decode_base64":   {false, []string{"DecodeBase64"}},
		"reshaped, then joined": {false, []string{"Reshape", "StringJoin"}},
	} {
		nodes, last := []*nodepb.NodeDef{}, "in"
		for i, op := range test.ops {
			next := fmt.Sprintf("op%d", i)
			nodes = append(nodes, modeltest.Op(next, op, last))
			last = next
		}
		def := modeltest.Library(append(nodes, modeltest.Op("out", "ParseExampleV2", last)))
		def.GetSignatureDef()["run"].GetInputs()["x"].Dtype = typespb.DataType_DT_STRING
		mg := modeltest.OpenGraph(t, def)
		if got, err := mg.TakesRecords(mg.Signatures["run"]); got != test.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", name, got, err, test.want)
		}
	}
}
