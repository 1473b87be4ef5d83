package nested_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

func ints(v ...int64) []byte { return tensor.Vector(v...).Bytes() }

// The rows [[1, 2], []], null, [[null]], [[7, 2^40], null].
var lists = nested.Values{
	Type: nested.Type{Name: "list<list<int64>>", DType: tensor.Int64, Depth: 2}, Rows: 4, Data: ints(1, 2, 0, 7, 1<<40),
	Offsets: [][]int64{{0, 2, 2, 3, 5}, {0, 2, 2, 3, 5, 5}}, NullSlots: []int{2}, NullLists: [][]int{{1}, {4}},
}

func TestJSON(t *testing.T) {
	put, err := lists.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"[[1,2],[]]", "null", "[[null]]", "[[7,1099511627776],null]"} {
		if got := string(put(nil, i)); got != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}

func TestColumn(t *testing.T) {
	comp := dataset.RaggedSpec(tensor.Int32, 1, -1, -1).Leaf()
	col, _, bad := lists.Column(comp, "x", nil, nil, false)
	want := []block.Bad{
		{Index: 1, Field: "x", Msg: "the list is null, or holds a null"},
		{Index: 2, Field: "x", Msg: "the list is null, or holds a null"},
		{Index: 3, Field: "x", Msg: "1099511627776 does not fit int32"},
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("bad rows (-want +got):\n%s", diff)
	}
	v, splits, msg := col.Row(0, &block.Arena{})
	if msg != "" || !v.Equal(tensor.Vector[int32](1, 2)) || len(splits) != 1 || !splits[0].Equal(tensor.Vector[int64](0, 2, 2)) {
		t.Errorf("row 0 = %v, %v, %s", v, splits, msg)
	}
}

func TestNullIsNaN(t *testing.T) {
	v := nested.Values{Type: nested.Type{DType: tensor.Int64}, Rows: 2, Data: ints(5, 0), NullSlots: []int{1}}
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64, tensor.Float16, tensor.Bfloat16} {
		col, _, bad := v.Column(dataset.TensorSpec(d).Leaf(), "x", []int64{}, nil, true)
		x, _, _ := col.Row(1, nil)
		wide, err := tensor.New(tensor.Float64, 1)
		if err != nil || len(bad) > 0 {
			t.Fatal(err, bad)
		}
		if d == tensor.Float64 {
			wide = x
		}
		if f, ok := tensor.Values[float64](wide); ok && d == tensor.Float64 && f[0] == f[0] {
			t.Errorf("null as %v = %v, want NaN", d, f[0])
		}
		if five, _, _ := col.Row(0, nil); five.Len() != 1 {
			t.Errorf("row 0 = %v", five)
		}
	}
	if _, _, bad := v.Column(dataset.TensorSpec(tensor.Int64).Leaf(), "x", []int64{}, nil, true); len(bad) != 1 {
		t.Errorf("bad rows %v, want the null", bad)
	}
}

func TestText(t *testing.T) {
	for _, tt := range []struct {
		text nested.Text
		v    int64
		want string
	}{
		{nested.Text{Kind: nested.Date}, 19723, `"2024-01-01"`},
		{nested.Text{Kind: nested.Date}, 1 << 40, `1099511627776`},
		{nested.Text{Kind: nested.Time, Unit: time.Millisecond}, 3723004, `"01:02:03.004"`},
		{nested.Text{Kind: nested.Timestamp, Unit: time.Second}, -1, `"1969-12-31T23:59:59"`},
		{nested.Text{Kind: nested.TimestampUTC, Unit: time.Microsecond}, -1, `"1969-12-31T23:59:59.999999Z"`},
		{nested.Text{Kind: nested.Timestamp, Unit: time.Nanosecond}, 1704067200000000001, `"2024-01-01T00:00:00.000000001"`},
		{nested.Text{Kind: nested.Timestamp, Unit: time.Second}, 1 << 62, `4611686018427387904`},
	} {
		v := nested.Values{Type: nested.Type{DType: tensor.Int64, Text: tt.text}, Rows: 1, Data: ints(tt.v)}
		put, err := v.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(put(nil, 0)); got != tt.want {
			t.Errorf("%v %d = %s, want %s", tt.text, tt.v, got, tt.want)
		}
	}
}

func TestScatter(t *testing.T) {
	for _, size := range []int{1, 2, 4, 8, 16} {
		dst := make([]byte, 3*2*size)
		src := make([]byte, 3*size)
		for i := range src {
			src[i] = byte(i + 1)
		}
		nested.Scatter(dst, src, size, 2, 1)
		for i := range 3 {
			if diff := cmp.Diff(src[i*size:(i+1)*size], dst[(2*i+1)*size:(2*i+2)*size]); diff != "" {
				t.Errorf("size %d, value %d: %s", size, i, diff)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	scalar := nested.Type{Name: "int64", DType: tensor.Int64}
	list := nested.Type{Name: "list<int64>", DType: tensor.Int64, Depth: 1}
	for _, tt := range []struct {
		spec  dataset.Spec
		types []nested.Type
		msg   string
	}{
		{dataset.TensorSpec(tensor.Int32), []nested.Type{scalar}, ""},
		{dataset.TensorSpec(tensor.Float32, 2), []nested.Type{scalar, scalar}, ""},
		{dataset.TensorSpec(tensor.Float32, -1), []nested.Type{list}, ""},
		{dataset.TensorSpec(tensor.Float32, 3), []nested.Type{scalar, scalar}, "2 values do not fill the shape (3,) of a row"},
		{dataset.TensorSpec(tensor.Float32, 2), []nested.Type{scalar}, "want values of shape (2,), the column holds single ones of type int64"},
		{dataset.TensorSpec(tensor.Float32), []nested.Type{list}, "want a single value, the column holds lists"},
		{dataset.TensorSpec(tensor.Float32, 2), []nested.Type{list, list}, "want single values to stand side by side, the column's type is list<int64>"},
		{dataset.TensorSpec(tensor.String), []nested.Type{scalar}, "want strings, the column's type is int64"},
		{dataset.TensorSpec(tensor.Int64), []nested.Type{{Name: "map"}}, "values of type map are not read"},
	} {
		if _, msg := nested.Check(tt.spec.Leaf(), tt.types); msg != tt.msg {
			t.Errorf("Check(%v, %v) = %q, want %q", tt.spec, tt.types, msg, tt.msg)
		}
	}
}
