package dataset_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// jsonRows reads lines and returns each row's values as JSON, or its error without its place.
func jsonRows(t *testing.T, text string, spec dataset.Spec, o dataset.JSONLOptions) []string {
	t.Helper()
	var got []string
	for e, err := range dataset.JSONL(strings.NewReader(text), spec, o).All(t.Context()) {
		if err != nil {
			_, msg, _ := strings.Cut(err.Error(), ": ")
			got = append(got, msg)
			continue
		}
		var parts []string
		for i, v := range e.Tensors {
			var splits []tensor.Tensor
			if e.Splits != nil {
				splits = e.Splits[i]
			}
			b, err := dataset.AppendJSON(nil, v, splits)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, string(b))
		}
		for _, f := range e.Extra {
			parts = append(parts, string(f.AppendJSON(nil)))
		}
		got = append(got, strings.Join(parts, " "))
	}
	return got
}

// The values of several keys stand side by side, whatever the order of the keys in a row.
func TestJSONLSideBySide(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"id": dataset.TensorSpec(tensor.Int32), "s": dataset.TensorSpec(tensor.String, -1), "x": dataset.TensorSpec(tensor.Float32, 3)})
	o := dataset.JSONLOptions{Keep: []string{"b"}, Keys: map[string][]string{"x": {"a", "b", "c"}, "s": {"t", "u"}}}
	in := `{"a": 1, "b": 2, "c": 3, "t": "x", "u": "y", "id": 7}
{"u": "y", "c": 3, "id": 8, "a": 1, "more": [1, {"a": 2}], "t": "x", "b": 2}
{"c": 3, "b": 2, "t": "x", "u": "y", "id": 9}
{"a": 1, "b": [2], "c": 3, "t": "x", "u": "y", "id": 10}
{"a": 1, "b": 2, "c": 3, "a": 4, "t": "x", "u": "y", "id": 11}
{"a": 1, "b": null, "c": 3, "t": "x", "u": "y", "id": 12}
{"c": true, "b": NaN, "a": 1e39, "t": "x", "u": "y", "id": 12}
`
	want := []string{
		`7 ["x","y"] [1,2,3] 2`, `8 ["x","y"] [1,2,3] 2`, `field "a": the row has no such key; it has "c", "b", "t", "u", "id"`,
		`field "b": want a single value to stand beside the others, got an array`, `field "a": the key stands twice in the row`,
		`field "b": want a number, got null`, `field "a": 1e39 does not fit float32`,
	}
	if diff := cmp.Diff(want, jsonRows(t, in, spec, o)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	o.Nulls = dataset.Nulls{"x": tensor.Scalar[float32](0.5), "s": tensor.Scalar("?")}
	want[2], want[5] = `9 ["x","y"] [0.5,2,3] 2`, `12 ["x","y"] [1,0.5,3] null`
	if diff := cmp.Diff(want, jsonRows(t, in, spec, o)); diff != "" {
		t.Errorf("rows with nulls (-want +got):\n%s", diff)
	}
	for name, keys := range map[string]map[string][]string{
		"too few": {"x": {"a", "b"}}, "of a structure": {"p": {"a", "b"}},
	} {
		spec := dataset.Dict(map[string]dataset.Spec{"p": dataset.Tuple(dataset.TensorSpec(tensor.Int32), dataset.TensorSpec(tensor.Int32)), "x": dataset.TensorSpec(tensor.Float32, 3)})
		if ds := dataset.JSONL(strings.NewReader(""), spec, dataset.JSONLOptions{Keys: keys}); ds.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A null, and a key that a row lacks, is an error, or the value that stands in for it.
func TestJSONLNulls(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{
		"b": dataset.TensorSpec(tensor.Bool), "f": dataset.TensorSpec(tensor.Float32, 1), "i": dataset.TensorSpec(tensor.Int64, -1), "m": dataset.TensorSpec(tensor.Float32, -1, 2), "s": dataset.TensorSpec(tensor.String),
	})
	in := `{"b": null, "f": null, "i": null, "m": [[1, null]], "s": null}
{"m": []}
{"b": NaN, "f": [NaN], "i": [1, null, NaN, 2], "m": [], "s": "null"}
{"b": true, "f": 1, "i": 5, "m": [null], "s": ""}
{"b": true, "f": 1, "i": 5, "m": null, "s": ""}
{"b": true, "f": nul, "i": 5, "m": [], "s": ""}
`
	o := dataset.JSONLOptions{Nulls: dataset.Nulls{"b": tensor.Scalar(true), "f": tensor.Scalar[float32](-1), "i": tensor.Scalar[int64](-2), "m": tensor.Scalar[float32](0), "s": tensor.Scalar("none")}}
	want := []string{
		`true [-1] [-2] [[1,0]] "none"`, `true [-1] [-2] [] "none"`, `true [NaN] [1,-2,-2,2] [] "null"`,
		`field "m": want the shape (None, 2), got (1,)`, `field "m": want arrays of numbers, 2 levels deep, got null`,
		`field "f": want an array of numbers, got 'n'`,
	}
	if diff := cmp.Diff(want, jsonRows(t, in, spec, o)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if ds := dataset.JSONL(strings.NewReader(""), spec, dataset.JSONLOptions{Nulls: dataset.Nulls{"f": tensor.Scalar(1.0)}}); ds.Err() == nil {
		t.Error("a value of another type in the place of nulls: no error")
	}
}

// One value will do, bare or in a list, wherever a row has room for one.
func TestJSONLOneValue(t *testing.T) {
	for _, tt := range []struct {
		dims       []int64
		text, want string
	}{
		{nil, `5`, `5`},
		{nil, `[5]`, `5`},
		{[]int64{1}, `5`, `[5]`},
		{[]int64{-1}, `5`, `[5]`},
		{[]int64{1, 1}, `5`, `[[5]]`},
		{[]int64{1, 1}, `[5]`, `[[5]]`},
		{[]int64{1, -1}, `[5]`, `[[5]]`},
		{[]int64{1, 1}, `[[5]]`, `[[5]]`},
		{[]int64{-1, -1}, `5`, `want arrays of integers, 2 levels deep, got a number`},
		{[]int64{-1, -1}, `[5]`, `want the shape (None, None), got (1,)`},
		{[]int64{2}, `5`, `want an array of integers, got a number`},
		{[]int64{1}, `[[5]]`, `want an array of integers, got arrays nested deeper`},
	} {
		spec := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Int32), "x": dataset.TensorSpec(tensor.Int32, tt.dims...)})
		got := jsonRows(t, `{"x": `+tt.text+`, "a": 1}`, spec, dataset.JSONLOptions{})
		want := []string{"1 " + tt.want}
		if strings.HasPrefix(tt.want, "want") {
			want[0] = `field "x": ` + tt.want
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s of shape %v (-want +got):\n%s", tt.text, tt.dims, diff)
		}
	}
}

// What is kept is JSON, even where a file's strings are not UTF-8.
func TestJSONLKeepsUTF8(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Int32)})
	got := jsonRows(t, "{\"x\": 1, \"k\": [\"a\xff\", \"é\"]}\n{\"x\": 2, \"k\": {\"\xff\": 1}}\n", spec, dataset.JSONLOptions{Keep: []string{"k"}})
	if diff := cmp.Diff([]string{`1 [{"b64":"Yf8="}, "é"]`, `field "k": a key that is not UTF-8`}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// Where what is read at once ends is nothing that a row may depend on.
func TestLineCuts(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, -1), "s": dataset.TensorSpec(tensor.String)})
	text := "\ufeff{\"x\": [1, 2.5e3, NaN], \"s\": \"é\\n\\ud83d\\ude00\"}\r\n\n \t\r\n{\"x\": [], \"s\": {\"b64\": \"/w==\"}, \"k\": [1, {\"a\": null}]}\n{\"x\": 1}\n{\"x\": true, \"s\": \"\"}x\n\r\n[1]\r\n{\"x\": [0.1], \"s\": \"end\", \"k\": 5}"
	rowtest.SameCuts(t, []byte(text), func(open dataset.Opener) *dataset.Dataset {
		return dataset.JSONLFiles(spec, dataset.JSONLOptions{Open: open, Keep: []string{"k"}}, "f")
	})
	fixed := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 2)})
	rowtest.SameCuts(t, []byte("{\"x\": [1, 2]}\n{\"x\": [3]}\r\n\n{\"x\": [5, 6], \"k\": 1}\n"), func(open dataset.Opener) *dataset.Dataset {
		return dataset.JSONLFiles(fixed, dataset.JSONLOptions{Open: open, Keep: []string{"k"}}, "f")
	})
	rowtest.SameCuts(t, []byte("\ufeffa\r\n\n\r\r\nb\rc\r\n \né\n\r"), func(open dataset.Opener) *dataset.Dataset {
		return dataset.TextLinesFrom(open, 0, "f")
	})
}
