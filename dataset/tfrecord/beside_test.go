package tfrecord_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/tensor"
)

// examples returns a file of Examples, the features of each as given by names and tensors in turn.
func examples(t *testing.T, rows ...[]any) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, row := range rows {
		var names []string
		var tensors []tensor.Tensor
		for i := 0; i < len(row); i += 2 {
			names, tensors = append(names, row[i].(string)), append(tensors, row[i+1].(tensor.Tensor))
		}
		e, err := tfrecord.AppendExample(nil, names, tensors)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(tfrecord.AppendRecord(nil, e))
	}
	return b.Bytes()
}

// The single values of several features stand side by side, whatever the order of the features in
// a record; what is missing is an error, or what stands in for it.
func TestSideBySide(t *testing.T) {
	one := func(v float32) tensor.Tensor { return tensor.Vector(v) }
	text := func(v string) tensor.Tensor { return tensor.Vector(v) }
	data := examples(
		t,
		[]any{"a", one(1), "b", one(2), "c", one(3), "s", text("x"), "t", text("y")},
		[]any{"t", text("y"), "c", one(3), "s", text("x"), "a", one(1), "b", one(2)},
		[]any{"a", one(1), "c", one(3), "s", text("x")},
		[]any{"a", one(1), "b", tensor.Vector[float32](), "c", one(3), "t", text("y")},
		[]any{"a", one(1), "b", tensor.Vector[float32](1, 2), "c", one(3), "s", text("x"), "t", text("y")},
		[]any{"a", one(1), "b", one(2), "c", one(3), "a", one(1), "s", text("x"), "t", text("y")},
	)
	spec := dataset.Dict(map[string]dataset.Spec{"w": dataset.TensorSpec(tensor.String, -1), "x": dataset.TensorSpec(tensor.Float32, 3)})
	o := tfrecord.Options{Open: rowtest.Stream(data), Columns: map[string][]string{"x": {"a", "b", "c"}, "w": {"s", "t"}}, Keep: []string{"b"}}
	row := func(b string, x ...float32) rowtest.Row {
		return rowtest.RowOf(dataset.Element{Tensors: []tensor.Tensor{tensor.Vector("x", "y"), tensor.Vector(x...)}, Extra: []dataset.Field{{Key: "b", Value: []byte(b)}}})
	}
	want := []rowtest.Row{
		row("2", 1, 2, 3), row("2", 1, 2, 3),
		{Err: `f: row 3: field "t": the row has no value of the feature`},
		{Err: `f: row 4: field "s": the row has no value of the feature`},
		{Err: `f: row 5: field "b": want a single value to stand beside the others, got 2`},
		{Err: `f: row 6: field "a": the feature stands twice in the row`},
	}
	if diff := cmp.Diff(want, rowtest.Rows(t, tfrecord.Rows(spec, o, "f"))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	o.Nulls = dataset.Nulls{"x": tensor.Scalar[float32](-1), "w": tensor.Scalar("?")}
	got := rowtest.Rows(t, tfrecord.Rows(spec, o, "f"))
	third := rowtest.RowOf(dataset.Element{Tensors: []tensor.Tensor{tensor.Vector("x", "?"), tensor.Vector[float32](1, -1, 3)}})
	fourth := rowtest.RowOf(dataset.Element{Tensors: []tensor.Tensor{tensor.Vector("?", "y"), tensor.Vector[float32](1, -1, 3)}, Extra: []dataset.Field{{Key: "b", Value: []byte("[]")}}})
	want[2], want[3] = third, fourth
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows with nulls (-want +got):\n%s", diff)
	}
	for columns, msg := range map[string]string{"a,b": "2 values do not fill the shape (3,) of a row", "?": "the features of a record have no order: name each of the 5"} {
		o.Columns = map[string][]string{"x": strings.Split(columns, ","), "w": {"s"}}
		if _, err := tfrecord.Rows(spec, o, "f").Collect(t.Context()); err == nil || !strings.Contains(err.Error(), msg) {
			t.Errorf("column x=%s: %v, want %q", columns, err, msg)
		}
	}
}

// What a record lacks is what stands in for it, where its component takes no empty list.
func TestNulls(t *testing.T) {
	data := examples(
		t,
		[]any{"a", tensor.Vector[float32](1), "l", tensor.Vector[int64](1, 2), "s", tensor.Vector("x")},
		[]any{"s", tensor.Vector[string]()},
		[]any{"a", tensor.Vector[float32](), "l", tensor.Vector[int64]()},
	)
	spec := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Float32, 1), "l": dataset.TensorSpec(tensor.Int64, -1), "s": dataset.TensorSpec(tensor.String)})
	o := tfrecord.Options{Open: rowtest.Stream(data), Nulls: dataset.Nulls{"a": tensor.Scalar[float32](7), "l": tensor.Scalar[int64](8), "s": tensor.Scalar("none")}}
	row := func(a float32, s string, l ...int64) rowtest.Row {
		return rowtest.RowOf(dataset.Element{Tensors: []tensor.Tensor{tensor.Vector(a), tensor.Vector(l...), tensor.Scalar(s)}})
	}
	want := []rowtest.Row{row(1, "x", 1, 2), row(7, "none"), row(7, "none")}
	if diff := cmp.Diff(want, rowtest.Rows(t, tfrecord.Rows(spec, o, "f"))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// Where what is read at once ends is nothing that a row may depend on.
func TestCuts(t *testing.T) {
	data, err := os.ReadFile("testdata/missing.tfrecord")
	if err != nil {
		t.Fatal(err)
	}
	spec := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Float32), "b": dataset.TensorSpec(tensor.Int64, -1)})
	for _, data := range [][]byte{data, data[:len(data)-1]} {
		rowtest.SameCuts(t, data, func(open dataset.Opener) *dataset.Dataset {
			return tfrecord.Rows(spec, tfrecord.Options{Open: open, Keep: []string{"a"}}, "f")
		})
	}
}
