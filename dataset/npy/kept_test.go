package npy_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/tensor"
)

// Kept values become arrays of their type, where NumPy has it and an element for null, and strings
// otherwise; what is an array of a type is kept with that.
func TestKept(t *testing.T) {
	t.Parallel()
	nothing, keep := dataset.Dict(map[string]dataset.Spec{}), []string{"k"}
	for _, tt := range []struct {
		d              arrow.DataType
		in, want, kind string
	}{
		{arrow.FixedWidthTypes.Boolean, `[true, false]`, `true false`, "|b1"},
		{arrow.FixedWidthTypes.Boolean, `[true, null]`, `"true" ""`, "<U4"},
		{arrow.PrimitiveTypes.Int8, `[-128, 127]`, `-128 127`, "|i1"},
		{arrow.PrimitiveTypes.Uint64, `[18446744073709551615, 0]`, `18446744073709551615 0`, "<u8"},
		{arrow.PrimitiveTypes.Uint64, `[18446744073709551615, null]`, `"18446744073709551615" ""`, "<U20"},
		{arrow.PrimitiveTypes.Float32, `[0.1, null]`, `0.1 NaN`, "<f4"},
		{arrow.FixedWidthTypes.Date32, `["2020-02-29", null]`, `"2020-02-29" null`, "<M8[D]"},
		{&arrow.TimestampType{Unit: arrow.Microsecond}, `[-1, null]`, `"1969-12-31T23:59:59.999999" null`, "<M8[us]"},
		{arrow.FixedWidthTypes.Duration_ms, `["5ms", null]`, `5 null`, "<m8[ms]"},
		{&arrow.Decimal128Type{Precision: 20, Scale: 2}, `["123456789012345678.50"]`, `"123456789012345678.50"`, "<U21"},
		{arrow.BinaryTypes.String, `["é", ""]`, `"é" ""`, "<U1"},
		{arrow.BinaryTypes.Binary, `["/w=="]`, `{"b64":"/w=="}`, "|S1"},
		{arrow.BinaryTypes.Binary, `["YQA="]`, `"\"a\\u0000\""`, "<U9"},
		{arrow.FixedSizeListOf(2, arrow.FixedSizeListOf(1, arrow.PrimitiveTypes.Int16)), `[[[1], [2]]]`, `[[1],[2]]`, "<i2"},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int16), `[[1, null]]`, `"[1,null]"`, "<U8"},
		{arrow.ListOf(arrow.PrimitiveTypes.Int16), `[[1], []]`, `"[1]" "[]"`, "<U3"},
	} {
		arr := rowtest.Array(t, tt.d, tt.in)
		own := rowtest.KeptType(t, arrow.Field{Type: tt.d, Nullable: true})
		r, err := own.Read(arr, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := npy.NewZipWriter(&b, nothing, npy.WriterOptions{Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		for i := range arr.Len() {
			v, err := r.Value(i)
			if err != nil {
				t.Fatal(err)
			}
			f := dataset.Field{Key: "k", Type: own, Value: v}
			if err := w.Write(dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{}, Extra: []dataset.Field{f}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		o := npy.Options{Open: rowtest.Sized(b.Bytes()), Keep: keep}
		columns, err := npy.ZipColumns(o, "f")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for e, err := range npy.ZipRows(nothing, o, "f").All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(e.Extra[0].AppendJSON(nil)))
		}
		if text := strings.Join(got, " "); text != tt.want || !strings.HasPrefix(columns[0].Type, tt.kind+" ") {
			t.Errorf("%s %s: %s of type %s, want %s of type %s", tt.d, tt.in, text, columns[0].Type, tt.want, tt.kind)
		}
	}
}

// TestKeptOfNoValues keeps rows of arrays one of whose axes is of no length.
func TestKeptOfNoValues(t *testing.T) {
	t.Parallel()
	for want, dims := range map[string][]int64{"[]": {0}, "[[],[]]": {2, 0}, " []": {0, 2}, "[[[]]]": {1, 1, 0}} {
		values, err := tensor.New(tensor.Float32, dims...)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := npy.NewZipWriter(&b, dataset.Dict(map[string]dataset.Spec{"k": dataset.TensorSpec(tensor.Float32, dims...)}), npy.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rowtest.Write(t, w, dataset.Element{Tensors: []tensor.Tensor{values}})
		o := npy.Options{Open: rowtest.Sized(b.Bytes()), Keep: []string{"k"}}
		for e, err := range npy.ZipRows(dataset.Dict(map[string]dataset.Spec{}), o, "f").All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if got := string(e.Extra[0].AppendJSON(nil)); got != strings.TrimSpace(want) {
				t.Errorf("a row of shape %v is kept as %s", dims, got)
			}
		}
	}
}
