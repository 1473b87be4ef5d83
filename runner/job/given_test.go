//go:build cgo && !notf

package job

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// scaled takes x, a number a row, and scale, one for all rows, which is 2 where it is not given.
func scaled(t *testing.T) *runner.Predictor {
	float := typespb.DataType_DT_FLOAT
	return dryModel(t, map[string]takes{
		"x":     {dtype: float, shape: modeltest.Shape(-1)},
		"scale": {dtype: float, shape: modeltest.Shape(), value: &tensorpb.TensorProto{Dtype: float, TensorShape: modeltest.Shape(), FloatVal: []float32{2}}},
	}, runner.PredictOptions{})
}

// Whether an input with a default is left to it is told by the rows, of every format, from a file
// as from a pipe.
func TestDefaultsByFormat(t *testing.T) {
	t.Parallel()
	p := scaled(t)
	for _, form := range []string{"jsonl", "csv", "tsv", "npz", "tfrecord", "parquet", "arrow"} {
		for names, want := range map[string][]string{"x": {"2 1", "2 3"}, "x,scale": {"5 1", "5 3"}, "scale,x": {"5 1", "5 3"}, "x,other": {"2 1", "2 3"}} {
			list := strings.Split(names, ",")
			name := filepath.Join(t.TempDir(), "rows."+form)
			writeTable(t, name, list, map[string][]float32{"x": {1, 3}, "scale": {5, 5}, "other": {7, 7}})
			if diff := cmp.Diff(want, readAll(t, p, Source{Files: []string{name}})); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", names, form, diff)
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			piped := Source{Files: []string{"-"}, Format: form, Stdin: io.MultiReader(bytes.NewReader(data))}
			if diff := cmp.Diff(want, readAll(t, p, piped)); diff != "" {
				t.Errorf("%s of %s, piped (-want +got):\n%s", names, form, diff)
			}
			plan, err := Job{Source: Source{Files: []string{name}}}.Describe(t.Context(), p, 10)
			if err != nil {
				t.Fatal(err)
			}
			from, value := FromDefault, "2"
			if slices.Contains(list, "scale") {
				from, value = FromColumn, ""
			}
			if in := plan.Inputs[0]; in.Name != "scale" || in.From != from || string(in.Value) != value {
				t.Errorf("%s of %s: the plan says %+v", names, form, in)
			}
		}
		name := filepath.Join(t.TempDir(), "rows."+form)
		writeTable(t, name, []string{"x"}, map[string][]float32{"x": {1, 3}})
		got := readAll(t, p, Source{Files: []string{name}, Columns: map[string]string{"scale": "factor"}})
		if len(got) == 0 || !strings.Contains(got[0], "factor") {
			t.Errorf("%s: %q, want an error for the column that was named", form, got)
		}
	}
}

// Lines of text and an array go to the only input without a default.
func TestDefaultsOfBareRows(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "rows.npy")
	writeTable(t, name, []string{"x"}, map[string][]float32{"x": {1, 3}})
	if diff := cmp.Diff([]string{"2 1", "2 3"}, readAll(t, scaled(t), Source{Files: []string{name}})); diff != "" {
		t.Errorf("npy (-want +got):\n%s", diff)
	}
	float := typespb.DataType_DT_FLOAT
	p := dryModel(t, map[string]takes{
		"x":     {dtype: typespb.DataType_DT_STRING, shape: modeltest.Shape(-1, 1)},
		"scale": {dtype: float, shape: modeltest.Shape(), value: &tensorpb.TensorProto{Dtype: float, TensorShape: modeltest.Shape(), FloatVal: []float32{2}}},
	}, runner.PredictOptions{})
	if diff := cmp.Diff([]string{`2 ["a b"]`, `2 ["c"]`}, readAll(t, p, Source{Files: []string{"-"}, Format: "txt", Stdin: strings.NewReader("a b\nc\n")})); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

// Encoded text goes with a default too.
func TestDefaultsBesideText(t *testing.T) {
	t.Parallel()
	float := typespb.DataType_DT_FLOAT
	p := dryModel(t, map[string]takes{
		"x":     {dtype: typespb.DataType_DT_INT64, shape: modeltest.Shape(-1, -1)},
		"scale": {dtype: float, shape: modeltest.Shape(), value: &tensorpb.TensorProto{Dtype: float, TensorShape: modeltest.Shape(), FloatVal: []float32{2}}},
	}, runner.PredictOptions{})
	for text, want := range map[string][]string{
		`{"t":"abc"}` + "\n" + `{"t":"de"}`:        {"2 [3]", "2 [2]"},
		`{"t":"abc","scale":7}` + "\n":             {"7 [3]"},
		`{"t":"a"}` + "\n" + `{"t":"b","scale":7}`: {"2 [1]", `error: -:2: field "scale": the first row has no such value, so that all get the default; give the first row one too`},
	} {
		src := jsonSource(text)
		src.Encoder, src.Text = lengths{}, "t"
		if diff := cmp.Diff(want, readAll(t, p, src)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// lengths encodes a text as its length.
type lengths struct{}

func (lengths) Encode(text string) []int64 { return []int64{int64(len(text))} }

// writeTable writes columns of numbers.
func writeTable(t *testing.T, name string, names []string, columns map[string][]float32) {
	t.Helper()
	form, f := createRows(t, name)
	var items []dataset.Spec
	for range names {
		items = append(items, dataset.TensorSpec(tensor.Float32))
	}
	w, err := writers[form.Name](f, table{names: names, spec: dataset.Tuple(items...)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range columns[names[0]] {
		r := runner.Result{Row: int64(i)}
		for _, n := range names {
			r.Values = append(r.Values, runner.Value{Tensor: tensor.Scalar(columns[n][i])})
		}
		if err := w.write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}
