package main

import (
	"testing"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// Values of --set, --pad and --null are typed as in JSON, and as Python and people write them.
func TestConstantOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		dtype tensor.DType
		shape tensor.Shape
		typed string
		want  string // as JSON; "": refused
	}{
		{tensor.Float32, tensor.MakeShape(), "1.5", "1.5"},
		{tensor.Float32, tensor.MakeShape(), "1e3", "1000"},
		{tensor.Float32, tensor.MakeShape(), "nan", "NaN"},
		{tensor.Float64, tensor.MakeShape(), "NaN", "NaN"},
		{tensor.Float64, tensor.MakeShape(), "-inf", "-Infinity"},
		{tensor.Float64, tensor.MakeShape(), "Infinity", "Infinity"},
		{tensor.Float32, tensor.MakeShape(), "1,5", ""},
		{tensor.Float32, tensor.MakeShape(), "", ""},
		{tensor.Int32, tensor.MakeShape(), "nan", ""},
		{tensor.Int32, tensor.MakeShape(), "3.0", "3"},
		{tensor.Int32, tensor.MakeShape(), "3.5", ""},
		{tensor.Int64, tensor.MakeShape(), "9223372036854775807", "9223372036854775807"},
		{tensor.Uint8, tensor.MakeShape(), "256", ""},
		{tensor.Bool, tensor.MakeShape(), "True", "true"},
		{tensor.Bool, tensor.MakeShape(), "0", "false"},
		{tensor.Bool, tensor.MakeShape(), "yes", ""},
		{tensor.String, tensor.MakeShape(), "a=b", `"a=b"`},
		{tensor.String, tensor.MakeShape(), "", `""`},
		{tensor.String, tensor.MakeShape(), "[UNK]", `"[UNK]"`},
		{tensor.String, tensor.MakeShape(), "true", `"true"`},
		{tensor.String, tensor.MakeShape(), `"q"`, `"\"q\""`},
		{tensor.String, tensor.MakeShape(), `{"b64":"/w=="}`, `{"b64":"/w=="}`},
		{tensor.String, tensor.MakeShape(-1), `["a","b"]`, `["a","b"]`},
		{tensor.String, tensor.MakeShape(2), `["a"]`, ""},
		{tensor.Float32, tensor.MakeShape(2), "[1,NaN]", "[1,NaN]"},
		{tensor.Float32, tensor.MakeShape(2), "[1,2,3]", ""},
		{tensor.Int64, tensor.MakeShape(-1, 2), "[[1,2],[3,4]]", "[[1,2],[3,4]]"},
		{tensor.Int64, tensor.MakeShape(-1, 2), "[[1,2],[3]]", ""},
		{tensor.Float32, tensor.MakeShape(), "1 2", ""},
		{tensor.Float32, tensor.MakeShape(), "1\n2", ""},
	} {
		v, err := constantOf(test.dtype, test.shape, test.typed)
		got := []byte{}
		if err == nil {
			if got, err = (runner.Value{Tensor: v}).AppendJSON(nil); err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != test.want {
			t.Errorf("%s %s of %q: %s, %v, want %s", test.dtype, test.shape, test.typed, got, err, test.want)
		}
	}
}
