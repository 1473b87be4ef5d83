package source

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/tensor"
)

// TestKeptTypes looks for the types of kept columns in files of each format, and in several files
// whose types differ.
func TestKeptTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// the last row alone tells what the column holds
	late := func(head, row, last string) []byte { return []byte(head + strings.Repeat(row, 5000) + last) }
	jsonl := write("late.jsonl", late("", `{"x":1,"a":1,"b":"s","c":null,"d":true}`+"\n", `{"x":1,"a":0.5,"b":2,"c":18446744073709551615}`+"\n"+`{"x":"bad","e":0.1}`))
	// an object whose key "data" is an input's is a row, and wraps none
	wraps := write("wraps.jsonl", []byte(`{"data":[1],"a":1}`+"\n"+`{"data":[2],"a":2}`))
	cells := write("late.csv", late("x,a,b,c,d,e\n", "1,1,01,,true,0.1\n", "1,-1,2,,false,12345678901234567.5\n"))
	example := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Int64), "b": dataset.TensorSpec(tensor.Float32), "c": dataset.TensorSpec(tensor.String), "d": dataset.TensorSpec(tensor.Int64, -1)})
	records := write("r.tfrecord", written(t, func(b *bytes.Buffer) (rowWriter, error) {
		return tfrecord.NewWriter(b, example, tfrecord.WriterOptions{})
	},
		dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int64](1), tensor.Scalar[float32](1), tensor.Scalar("text"), tensor.Vector[int64](1)}},
		dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar[int64](1), tensor.Scalar[float32](1), tensor.Scalar("\xff"), tensor.Vector[int64](1, 2)}}))
	column := func(name string, spec dataset.Spec, rows ...tensor.Tensor) string {
		var all []dataset.Element
		for _, v := range rows {
			all = append(all, dataset.Element{Tensors: []tensor.Tensor{v}})
		}
		return write(name, written(t, func(b *bytes.Buffer) (rowWriter, error) {
			return parquet.NewWriter(b, dataset.Dict(map[string]dataset.Spec{"a": spec}), parquet.WriterOptions{})
		}, all...))
	}
	ints := column("ints.parquet", dataset.TensorSpec(tensor.Int32)) // without rows
	floats := column("floats.parquet", dataset.TensorSpec(tensor.Float32), tensor.Scalar[float32](1))
	names := column("names.parquet", dataset.TensorSpec(tensor.String), tensor.Scalar("a"))
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32)})
	data := dataset.Dict(map[string]dataset.Spec{"data": dataset.TensorSpec(tensor.Float32, -1)})
	for _, tt := range []struct {
		src  Source
		spec dataset.Spec
		want string
	}{
		{Source{Files: []string{jsonl}, Keep: []string{"a", "b", "c", "d", "e", "none"}}, spec, "a float64, b utf8, c uint64, d bool, e float64, none utf8"},
		{Source{Files: []string{jsonl, wraps}, Keep: []string{"a"}}, spec, "a float64"},
		{Source{Files: []string{wraps}, Keep: []string{"a"}}, data, "a int64"},
		{Source{Files: []string{cells}, Keep: []string{"a", "b", "c", "d", "e"}}, spec, "a int64, b utf8, c utf8, d bool, e utf8"},
		{Source{Files: []string{"-"}, Stdin: strings.NewReader(`{"x":1,"a":1}`), Keep: []string{"a"}}, spec, "a utf8"},
		{Source{Files: []string{records}, Keep: []string{"a", "b", "c", "d"}}, spec, "a int64, b float32, c binary, d list<item: int64, nullable>"},
		{Source{Files: []string{ints}, Keep: []string{"a"}}, spec, "a int32"},
		{Source{Files: []string{ints, floats}, Keep: []string{"a"}}, spec, "a float64"},
		{Source{Files: []string{ints, floats, names}, Keep: []string{"a"}}, spec, "a utf8"},
	} {
		f, err := tt.src.Find()
		if err != nil {
			t.Fatal(err)
		}
		types, err := tt.src.KeptTypes(t.Context(), f, tt.spec)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range tt.src.Keep {
			got = append(got, name+" "+types[name].String())
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, ", ")); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.src.Files, diff)
		}
	}
}

// rowWriter writes rows.
type rowWriter interface {
	Write(e dataset.Element) error
	Close() error
}

// written returns a file of rows.
func written(t *testing.T, open func(*bytes.Buffer) (rowWriter, error), rows ...dataset.Element) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rows {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
