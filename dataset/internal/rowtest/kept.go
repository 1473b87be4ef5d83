package rowtest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// Array returns an array of a type, with the values that the library reads from a JSON text.
func Array(t interface{ Fatal(...any) }, d arrow.DataType, text string) arrow.Array {
	arr, _, err := array.FromJSON(memory.NewGoAllocator(), d, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return arr
}

// KeptType returns the type of kept values of a field.
func KeptType(t interface{ Fatal(...any) }, f arrow.Field) *kept.Type {
	own, err := kept.Of(f)
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// DrawArray draws an array of up to n values of any type that is kept.
func DrawArray(t *rapid.T, n int) arrow.Array {
	d := drawType(t, 3)
	values := []any{}
	for range rapid.IntRange(0, n).Draw(t, "rows") {
		values = append(values, drawValue(t, d))
	}
	text, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return Array(t, d, string(text))
}

// CheckKept draws values of a type, writes them as a kept column, and reads them back: values and
// the type's name must be the same.
func (f Columnar) CheckKept(t *rapid.T) {
	arr := DrawArray(t, 40)
	own := KeptType(t, arrow.Field{Type: arr.DataType(), Nullable: true})
	r, err := own.Read(arr, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	nothing, keep := dataset.Dict(map[string]dataset.Spec{}), []string{"k"}
	var b bytes.Buffer
	w, err := f.NewWriter(&b, nothing, keep)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range arr.Len() {
		v, err := r.Value(i)
		if err != nil {
			t.Fatal(err)
		}
		field := dataset.Field{Key: "k", Type: own, Value: v}
		want = append(want, string(field.AppendJSON(nil)))
		if err := w.Write(dataset.Element{Row: int64(i), Tensors: nil, Extra: []dataset.Field{field}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	i := 0
	for e, err := range f.Rows(nothing, Sized(b.Bytes()), keep, "f").All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		field := e.Extra[0]
		// Parquet's name for the entries of lists is no part of the type.
		name := strings.ReplaceAll(field.Type.String(), "element: ", "item: ")
		if got := string(field.AppendJSON(nil)); got != want[i] || name != own.Written().Type.String() {
			t.Fatalf("row %d: %s of type %s, want %s of type %s", i, got, field.Type, want[i], own)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d rows, want %d", i, len(want))
	}
}

// drawType draws a type whose parts nest at most so deep.
func drawType(t *rapid.T, depth int) arrow.DataType {
	leaves := []arrow.DataType{
		arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Float32, arrow.BinaryTypes.String, arrow.BinaryTypes.LargeBinary,
		arrow.BinaryTypes.StringView, &arrow.Decimal128Type{Precision: 20, Scale: 3}, &arrow.FixedSizeBinaryType{ByteWidth: 3}, arrow.Null, arrow.FixedWidthTypes.Timestamp_us,
	}
	kind := rapid.IntRange(0, 14).Draw(t, "kind")
	if depth == 0 || kind < len(leaves) {
		return leaves[kind%len(leaves)]
	}
	part := func(name string) arrow.Field {
		return arrow.Field{Name: name, Type: drawType(t, depth-1), Nullable: true}
	}
	switch kind {
	case 11:
		return arrow.ListOfField(part("item"))
	case 12:
		return arrow.FixedSizeListOfField(2, part("item"))
	case 13:
		return arrow.MapOfFields(arrow.Field{Name: "key", Type: arrow.PrimitiveTypes.Int8}, part("value"))
	}
	return arrow.StructOf(part("a"), part("b"))
}

// drawValue draws a value of a type, in the form in which the library reads it from JSON.
func drawValue(t *rapid.T, d arrow.DataType) any {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		return nil
	}
	list := func(e arrow.DataType, least, most int) []any {
		out := []any{}
		for range rapid.IntRange(least, most).Draw(t, "n") {
			out = append(out, drawValue(t, e))
		}
		return out
	}
	switch d := d.(type) {
	case *arrow.BooleanType:
		return rapid.Bool().Draw(t, "v")
	case *arrow.Int8Type:
		return rapid.Int8().Draw(t, "v")
	case *arrow.Uint64Type:
		return rapid.Uint64().Draw(t, "v")
	case *arrow.Float32Type:
		return rapid.Float32().Draw(t, "v")
	case *arrow.StringType, *arrow.StringViewType:
		return rapid.String().Draw(t, "v")
	case *arrow.LargeBinaryType:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "v")
	case *arrow.FixedSizeBinaryType:
		return rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "v")
	case *arrow.Decimal128Type:
		return json.Number(rapid.StringMatching(`-?[1-9][0-9]{0,14}\.[0-9]{3}`).Draw(t, "v")).String()
	case *arrow.TimestampType:
		return rapid.Int64Range(-1<<50, 1<<50).Draw(t, "v")
	case *arrow.FixedSizeListType:
		return list(d.Elem(), 2, 2)
	case *arrow.ListType:
		return list(d.Elem(), 0, 3)
	case *arrow.MapType:
		out := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "n") {
			out = append(out, map[string]any{"key": rapid.Int8().Draw(t, "key"), "value": drawValue(t, d.ItemType())})
		}
		return out
	case *arrow.StructType:
		return map[string]any{"a": drawValue(t, d.Field(0).Type), "b": drawValue(t, d.Field(1).Type)}
	}
	return nil
}
