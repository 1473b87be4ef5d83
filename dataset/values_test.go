package dataset_test

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/tensor"
)

// valueFormat is a format that the tables of docs/values.md are about.
type valueFormat struct {
	name string
	// file returns a file of a column x with two rows, of which the second is given as JSON, and
	// its type, the zero Spec where that is a matter of the format; nil where the format cannot
	// hold it.
	file func(t *testing.T, text string, typ dataset.Spec) []byte
	rows func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset
}

var valueFormats = []valueFormat{
	{"jsonl", func(_ *testing.T, text string, _ dataset.Spec) []byte {
		return []byte("{\"x\": 0}\n{\"x\": " + text + "}\n")
	}, func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset {
		return dataset.JSONLFiles(spec, dataset.JSONLOptions{Open: rowtest.Stream(data), Nulls: nulls}, "f")
	}},
	{"csv", func(_ *testing.T, text string, _ dataset.Spec) []byte {
		if text == "null" {
			text = ""
		}
		if strings.HasPrefix(text, "[") {
			text = `"` + text + `"`
		}
		return []byte("x,y\n0,1\n" + text + ",1\n")
	}, func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset {
		return csv.Rows(spec, csv.Options{Open: rowtest.Stream(data), Nulls: nulls}, "f")
	}},
	{"npz", written(func(b *bytes.Buffer, spec dataset.Spec) (rowtest.RowWriter, error) {
		return npy.NewZipWriter(b, spec, npy.WriterOptions{})
	}), func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset {
		return npy.ZipRows(spec, npy.Options{Open: rowtest.Sized(data), Nulls: nulls}, "f")
	}},
	{"tfrecord", written(func(b *bytes.Buffer, spec dataset.Spec) (rowtest.RowWriter, error) {
		return tfrecord.NewWriter(b, spec, tfrecord.WriterOptions{})
	}), func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset {
		return tfrecord.Rows(spec, tfrecord.Options{Open: rowtest.Stream(data), Nulls: nulls}, "f")
	}},
	{"parquet", written(func(b *bytes.Buffer, spec dataset.Spec) (rowtest.RowWriter, error) {
		return parquet.NewWriter(b, spec, parquet.WriterOptions{})
	}), func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset {
		return parquet.Rows(spec, parquet.Options{Open: rowtest.Sized(data), Nulls: nulls}, "f")
	}},
	{"arrow", written(func(b *bytes.Buffer, spec dataset.Spec) (rowtest.RowWriter, error) {
		return arrow.NewWriter(b, spec, arrow.WriterOptions{})
	}), func(spec dataset.Spec, nulls dataset.Nulls, data []byte) *dataset.Dataset {
		return arrow.Rows(spec, arrow.Options{Open: rowtest.Sized(data), Nulls: nulls}, "f")
	}},
}

// written returns a valueFormat's file of a format whose columns have types.
func written(open func(*bytes.Buffer, dataset.Spec) (rowtest.RowWriter, error)) func(*testing.T, string, dataset.Spec) []byte {
	return func(t *testing.T, text string, typ dataset.Spec) []byte {
		t.Helper()
		if typ.IsZero() {
			typ = typeOf(text)
		}
		if typ.IsZero() {
			return nil
		}
		var b bytes.Buffer
		w, err := open(&b, dataset.Dict(map[string]dataset.Spec{"x": typ}))
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range []string{"0", text} {
			e := dataset.Element{Row: int64(i)}
			if i == 0 {
				dims := typ.Leaf().Shape.Dims()
				for d := range dims {
					dims[d] = max(dims[d], 0)
				}
				v, err := tensor.New(typ.Leaf().DType, dims...)
				if err != nil {
					t.Fatal(err)
				}
				e.Tensors = []tensor.Tensor{v}
			} else if text != "null" {
				v, err := dataset.ParseTensor(typ.Leaf(), []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				e.Tensors = []tensor.Tensor{v}
			}
			if w.Write(e) != nil {
				return nil
			}
		}
		if w.Close() != nil {
			return nil
		}
		return b.Bytes()
	}
}

// typeOf returns the type of a column that holds a value, the zero Spec where none holds it as it
// is written.
func typeOf(text string) dataset.Spec {
	switch text[0] {
	case '"':
		return dataset.TensorSpec(tensor.String)
	case 't', 'f':
		return dataset.TensorSpec(tensor.Bool)
	case 'n', 'N':
		return dataset.TensorSpec(tensor.Float64)
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		return dataset.TensorSpec(tensor.Int64)
	}
	if _, err := strconv.ParseUint(text, 10, 64); err == nil {
		return dataset.TensorSpec(tensor.Uint64)
	}
	v, err := strconv.ParseFloat(text, 64)
	exact, ok := new(big.Rat).SetString(text)
	if err != nil || ok && exact.IsInt() && exact.Cmp(new(big.Rat).SetFloat64(v)) != 0 {
		return dataset.Spec{}
	}
	return dataset.TensorSpec(tensor.Float64)
}

// table returns the rows of the table of docs/values.md that follows a heading, and its head.
func table(t *testing.T, heading string) (head []string, rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../docs/values.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no heading %q", heading)
	}
	for line := range strings.Lines(after) {
		if strings.HasPrefix(line, "## ") {
			break
		}
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		if head == nil {
			head = cells
		} else {
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("no table after %q", heading)
	}
	return head, rows
}

// second returns what a dataset gives for its second row: "refused", or the value.
func second(t *testing.T, ds *dataset.Dataset) (tensor.Tensor, string) {
	t.Helper()
	row := 0
	for e, err := range ds.All(t.Context()) {
		if row++; row < 2 && (err == nil || errors.As(err, new(*dataset.SyntaxError))) {
			continue
		}
		if err != nil {
			return tensor.Tensor{}, "refused"
		}
		text, err := dataset.AppendJSON(nil, e.Tensors[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		return e.Clone().Tensors[0], string(text)
	}
	return tensor.Tensor{}, "refused"
}

// same reports whether a value is the wanted one, by the text of a cell of the table.
func same(t *testing.T, got tensor.Tensor, text, want string) bool {
	t.Helper()
	if want == "refused" || text == "refused" {
		return text == want
	}
	w, err := dataset.ParseTensor(dataset.Component{DType: got.DType(), Shape: got.Shape()}, []byte(want))
	if err != nil {
		t.Fatal(err)
	}
	again, err := dataset.AppendJSON(nil, w, nil)
	return err == nil && string(again) == text // NaN too
}

// skippedValue says which values a format cannot hold, or holds as something else.
func skippedValue(format, value, dtype string) bool {
	switch format {
	case "csv": // cells have no types
		return dtype == "string" || value == `"abc"`
	case "npz":
		return value == "null"
	case "tfrecord": // floats have 32 bits
		v, err := strconv.ParseFloat(value, 64)
		return err == nil && strings.ContainsAny(value, ".e") && float64(float32(v)) != v || math.IsInf(v, 0) && !strings.Contains(value, "I")
	}
	return false
}

// TestValues tries each cell of the table of values in docs/values.md, in every format that has it.
func TestValues(t *testing.T) {
	head, rows := table(t, "A value")
	tried := 0
	for _, row := range rows {
		for i, want := range row[1:] {
			var dtype tensor.DType
			if err := dtype.UnmarshalText([]byte(head[i+1])); err != nil {
				t.Fatal(err)
			}
			for _, f := range append(valueFormats, decimalFormats...) {
				if skippedValue(f.name, row[0], head[i+1]) {
					continue
				}
				data := f.file(t, row[0], dataset.Spec{})
				if data == nil {
					continue
				}
				tried++
				spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(dtype)})
				if got, text := second(t, f.rows(spec, nil, data)); !same(t, got, text, want) {
					t.Errorf("%s from %s as %s = %s, want %s", row[0], f.name, dtype, text, want)
				}
			}
		}
	}
	if tried < 800 {
		t.Errorf("%d values tried", tried)
	}
}

func TestRowsOfValues(t *testing.T) {
	head, rows := table(t, "A row")
	for _, row := range rows {
		for i, want := range row[1:] {
			shape := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(head[i+1], "of shape "), "`("), ")")
			dims := []int64{}
			for size := range strings.SplitSeq(strings.Trim(shape, "(),`"), ",") {
				n, err := strconv.ParseInt(strings.TrimSpace(size), 10, 64)
				if err != nil {
					n = tensor.Unknown
				}
				if strings.TrimSpace(size) != "" {
					dims = append(dims, n)
				}
			}
			depth := strings.Count(strings.Split(row[0], "5")[0], "[")
			if row[0] == "[]" && len(dims) == 2 {
				depth = 2 // an empty list of lists
			}
			typ := dataset.TensorSpec(tensor.Int64, []int64{-1, -1}[:depth]...)
			for _, f := range valueFormats {
				if f.name == "tfrecord" && (depth > 1 || len(dims) > 1) || f.name == "npz" && depth > 0 {
					continue // a flat list; rows of an array have one shape
				}
				data := f.file(t, row[0], typ)
				if data == nil {
					t.Fatalf("%s is not written as %s", row[0], f.name)
				}
				spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Int64, dims...)})
				if got, text := second(t, f.rows(spec, nil, data)); !same(t, got, text, want) {
					t.Errorf("%s from %s of shape %v = %s, want %s", row[0], f.name, dims, text, want)
				}
			}
		}
	}
}

// What stands in for nulls is the same from every format.
func TestNullsOfValues(t *testing.T) {
	for _, tt := range []struct {
		spec dataset.Spec
		fill tensor.Tensor
		want string
	}{
		{dataset.TensorSpec(tensor.Float32), tensor.Scalar(float32(math.NaN())), "NaN"},
		{dataset.TensorSpec(tensor.Float32, 1), tensor.Scalar[float32](-1), "[-1]"},
		{dataset.TensorSpec(tensor.Int64), tensor.Scalar[int64](-7), "-7"},
		{dataset.TensorSpec(tensor.Bool, 1, 1), tensor.Scalar(true), "[[true]]"},
		{dataset.TensorSpec(tensor.Int32, -1), tensor.Scalar[int32](5), "[5]"},
	} {
		for _, f := range valueFormats {
			for _, text := range []string{"null", "NaN"} {
				// A feature that a record lacks is an empty list where there may be one.
				list := f.name == "tfrecord" && tt.want == "[5]" && text == "null"
				if list || text == "NaN" && tt.spec.Leaf().DType.IsFloat() || text == "null" && f.name == "npz" {
					continue
				}
				data := f.file(t, text, dataset.TensorSpec(tensor.Float64))
				spec := dataset.Dict(map[string]dataset.Spec{"x": tt.spec})
				got, have := second(t, f.rows(spec, dataset.Nulls{"x": tt.fill}, data))
				if !same(t, got, have, tt.want) {
					t.Errorf("%s from %s as %v = %s, want %s", text, f.name, tt.spec, have, tt.want)
				}
			}
		}
	}
}
