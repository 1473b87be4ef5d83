package nested_test

import (
	"bytes"
	"math"
	"testing"

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

func TestColumn(t *testing.T) {
	comp := dataset.RaggedSpec(tensor.Int32, 1, -1, -1).Leaf()
	col, _, bad := lists.Column(comp, tensor.Tensor{}, "x", nil, nil)
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

// jsonOf returns the rows of a column as JSON, and the messages of the bad ones.
func jsonOf(t *testing.T, v nested.Values, comp dataset.Component, fill tensor.Tensor) []string {
	t.Helper()
	col, _, bad := v.Column(comp, fill, "x", comp.Shape.Dims(), nil)
	var out []string
	for i := range v.Rows {
		if len(bad) > 0 && bad[0].Index == i {
			out, bad = append(out, bad[0].Msg), bad[1:]
			continue
		}
		row, _, msg := col.Row(i, new(block.Arena))
		if msg != "" {
			out = append(out, msg)
			continue
		}
		text, err := dataset.AppendJSON(nil, row, nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// What stands in for nulls stands in the place of values, and as a list of one in that of lists.
func TestFill(t *testing.T) {
	scalars := nested.Values{Type: nested.Type{DType: tensor.Int64}, Rows: 2, Data: ints(5, 0), NullSlots: []int{1}}
	nans := nested.Values{Type: nested.Type{DType: tensor.Float64}, Rows: 4, Data: tensor.Vector(1, math.NaN(), 2.5, 0).Bytes(), NullSlots: []int{3}}
	words := nested.Values{Type: nested.Type{DType: tensor.String}, Rows: 2, Strings: []string{"a", ""}, NullSlots: []int{1}}
	// null, [1, null], [], null, [2]
	lists := nested.Values{
		Type: nested.Type{DType: tensor.Int64, Depth: 1}, Rows: 5, Data: ints(1, 0, 2), NullSlots: []int{1},
		Offsets: [][]int64{{0, 0, 2, 2, 2, 3}}, NullLists: [][]int{{0, 3}},
	}
	// [[null]], null, [[1], null], null
	deep := nested.Values{
		Type: nested.Type{DType: tensor.Int64, Depth: 2}, Rows: 4, Data: ints(0, 1), NullSlots: []int{0},
		Offsets: [][]int64{{0, 1, 1, 3, 3}, {0, 1, 2, 2}}, NullLists: [][]int{{1, 3}, {2}},
	}
	none, seven := tensor.Tensor{}, tensor.Scalar[int64](7)
	for _, tt := range []struct {
		name string
		v    nested.Values
		spec dataset.Spec
		fill tensor.Tensor
		want []string
	}{
		{"nothing", scalars, dataset.TensorSpec(tensor.Float32), none, []string{"5", "the value is null"}},
		{"NaN", scalars, dataset.TensorSpec(tensor.Float16, 1), tensor.Scalar(tensor.ToF16(math.NaN())), []string{"[5]", "[NaN]"}},
		{"the same type", scalars, dataset.TensorSpec(tensor.Int64), seven, []string{"5", "7"}},
		{"NaN for an integer", nans, dataset.TensorSpec(tensor.Int64), seven, []string{"1", "7", "want an int64, got 2.5", "7"}},
		{"NaN for a boolean", nans, dataset.TensorSpec(tensor.Bool), tensor.Scalar(false), []string{"true", "false", "want true, false, 0 or 1, got 2.5", "false"}},
		{"NaN for a float", nans, dataset.TensorSpec(tensor.Float64), tensor.Scalar(7.0), []string{"1", "NaN", "2.5", "7"}},
		{"strings", words, dataset.TensorSpec(tensor.String), tensor.Scalar("none"), []string{`"a"`, `"none"`}},
		{"no lists", lists, dataset.TensorSpec(tensor.Int64, -1), none, []string{"the list is null, or holds a null", "the list is null, or holds a null", "[]", "the list is null, or holds a null", "[2]"}},
		{"lists", lists, dataset.TensorSpec(tensor.Int64, -1), seven, []string{"[7]", "[1,7]", "[]", "[7]", "[2]"}},
		{"lists of one", lists, dataset.TensorSpec(tensor.Int64, 1, 1), seven, []string{"[[7]]", "want the shape (1, 1), got (2,)", "want the shape (1, 1), got (0,)", "[[7]]", "[[2]]"}},
		{"lists for single values", lists, dataset.TensorSpec(tensor.Int64), seven, []string{"7", "want a single value, got a list of 2", "want a single value, got a list of 0", "7", "2"}},
		{"lists of two", lists, dataset.TensorSpec(tensor.Int64, 2), seven, []string{"the list is null, or holds a null", "[1,7]", "want the shape (2,), got (0,)", "the list is null, or holds a null", "want the shape (2,), got (1,)"}},
		{"lists of lists", deep, dataset.TensorSpec(tensor.Int64, -1, 1), seven, []string{"[[7]]", "[[7]]", "the list is null, or holds a null", "[[7]]"}},
	} {
		if diff := cmp.Diff(tt.want, jsonOf(t, tt.v, tt.spec.Leaf(), tt.fill)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if string(words.Strings[1]) != "" || !bytes.Equal(scalars.Data, ints(5, 0)) {
		t.Error("the column's own values were changed")
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
		{dataset.TensorSpec(tensor.Float32), []nested.Type{list}, ""},
		{dataset.TensorSpec(tensor.Float32, 1, 1), []nested.Type{list}, ""},
		{dataset.TensorSpec(tensor.Float32), []nested.Type{lists.Type}, "want a single value, the column holds lists"},
		{dataset.TensorSpec(tensor.Float32, 2), []nested.Type{list, list}, "want single values to stand side by side, the column's type is list<int64>"},
		{dataset.TensorSpec(tensor.String), []nested.Type{scalar}, "want strings, the column's type is int64"},
		{dataset.TensorSpec(tensor.Int64), []nested.Type{{Name: "map"}}, "values of type map are not read"},
	} {
		if _, msg := nested.Check(tt.spec.Leaf(), tt.types); msg != tt.msg {
			t.Errorf("Check(%v, %v) = %q, want %q", tt.spec, tt.types, msg, tt.msg)
		}
	}
}
