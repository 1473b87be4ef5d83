package dataset_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

func TestJSONLErrors(t *testing.T) {
	t.Parallel()
	text := dataset.Dict(map[string]dataset.Spec{"text": dataset.TensorSpec(tensor.Float32, -1)})
	two := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Int8), "b": dataset.TensorSpec(tensor.String)})
	matrix := dataset.TensorSpec(tensor.Int64, -1, 2)
	pair := dataset.Tuple(dataset.TensorSpec(tensor.Bool), dataset.TensorSpec(tensor.Complex64, -1))
	tests := []struct {
		name, row string
		spec      dataset.Spec
		want      string
	}{
		{"string for numbers", `{"text": "good"}`, text, `f:1: field "text": want an array of numbers, got a string`},
		{"scalar for a matrix", `[[[1, 2]]]`, dataset.TensorSpec(tensor.Int32, -1, 2, 2), `f:1: field ".": want the shape (None, 2, 2), got (1, 1, 2)`},
		{"fraction for a vector", `{"text": 3.5}`, dataset.Dict(map[string]dataset.Spec{"text": dataset.TensorSpec(tensor.Int32, -1)}), `f:1: field "text": want an integer, got 3.5`},
		{"several for a scalar", `{"a": [1, 2], "b": ""}`, two, `f:1: field "a": want a single value, got an array of 2`},
		{"none for a scalar", `{"a": [], "b": ""}`, two, `f:1: field "a": want a single value, got an array of 0`},
		{"too deep", `{"text": [[1]]}`, text, `f:1: field "text": want an array of numbers, got arrays nested deeper`},
		{"string in a list", `{"text": [1, "x"]}`, text, `f:1: field "text": want a number, got a string`},
		{"null", `{"text": null}`, text, `f:1: field "text": want an array of numbers, got null`},
		{"no key", `{"txt": [1]}`, text, `f:1: field "text": the row has no such key; it has "txt"; did you mean "txt"?`},
		{"key twice", `{"text": [1], "text": [2]}`, text, `f:1: field "text": the key stands twice in the row`},
		{"cut off", `{"text": [1`, text, `f:1: field "text": want ',' or ']', got the end of the line`},
		{"after the row", `{"text": [1]} x`, text, `f:1: want the end of the line after the row, got 'x'`},
		{"no object", `[1]`, two, `f:1: want an object with the keys "a", "b", got an array`},
		{"out of range", `{"a": 300, "b": ""}`, two, `f:1: field "a": 300 does not fit int8`},
		{"no integer", `{"a": 1.5, "b": ""}`, two, `f:1: field "a": want an integer, got 1.5`},
		{"lists for a scalar", `{"a": [[1]], "b": ""}`, two, `f:1: field "a": want a single value, got arrays`},
		{"number for a string", `{"a": 1, "b": 7}`, two, `f:1: field "b": want a string, got a number`},
		{"base64", `{"a": 1, "b": {"b64": "?"}}`, two, `f:1: field "b": base64: illegal base64 data at input byte 0`},
		{"surrogate", `{"a": 1, "b": "\ud800"}`, two, `f:1: field "b": half a surrogate pair (\ud800) in a string`},
		{"control character", "{\"a\": 1, \"b\": \"\x01\"}", two, `f:1: field "b": a control character (0x01) in a string`},
		{"not rectangular", `[[1, 2], [3]]`, matrix, `f:1: field ".": arrays of unequal lengths, 2 and 1: the component is not ragged`},
		{"inner size", `[[1, 2, 3]]`, matrix, `f:1: field ".": want the shape (None, 2), got (1, 3)`},
		{"value beside array", `[[1, 2], 3]`, matrix, `f:1: field ".": a value stands beside an array`},
		{"leading zero", `[[01, 2]]`, matrix, `f:1: field ".": number "01": a leading zero`},
		{"too few parts", `[true]`, pair, `f:1: want an array of 2 parts, got 1`},
		{"half a complex number", `[true, [[1]]]`, pair, `f:1: field "1": want a complex number [re, im], got a list of 1 numbers`},
		{"no boolean", `[2, []]`, pair, `f:1: field "0": want true, false, 0 or 1, got 2`},
		{"string for a boolean", `["true", []]`, pair, `f:1: field "0": want true or false, got a string`},
		{"too large", `[1, [1e39]]`, pair, `f:1: field "1": 1e39 does not fit complex64`},
		{"too large for a float", `1e39`, dataset.TensorSpec(tensor.Float32), `f:1: field ".": 1e39 does not fit float32`},
		{"too large for a double", `[-1e400]`, dataset.TensorSpec(tensor.Float64, 1), `f:1: field ".": -1e400 does not fit float64`},
		{"too large for half", `[1, 65520]`, dataset.TensorSpec(tensor.Float16, 2), `f:1: field ".": 65520 does not fit float16`},
		{"too large an integer", `1e19`, dataset.TensorSpec(tensor.Int64), `f:1: field ".": 1e19 does not fit int64`},
		{"NaN for an integer", `NaN`, dataset.TensorSpec(tensor.Int64), `f:1: field ".": want an integer, got NaN`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, err := range dataset.JSONL(strings.NewReader(tt.row+"\n"), tt.spec, dataset.JSONLOptions{Name: "f"}).All(t.Context()) {
				e, ok := errors.AsType[*dataset.SyntaxError](err)
				if !ok {
					t.Fatalf("row %s: %v is no *SyntaxError", tt.row, err)
				}
				got = append(got, e.Error())
			}
			want := strings.ReplaceAll(tt.want, `field ".": `, "")
			if len(got) == 1 {
				got[0] = strings.ReplaceAll(got[0], `field ".": `, "")
			}
			if diff := cmp.Diff([]string{want}, got); diff != "" {
				t.Errorf("row %s (-want +got):\n%s", tt.row, diff)
			}
		})
	}
}

func TestJSONLValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		dtype tensor.DType
		dims  []int64
		text  string
		want  tensor.Tensor
	}{
		{
			tensor.Int64,
			[]int64{-1},
			`[9223372036854775807, -9223372036854775808, 9007199254740993, 9007199254740993.0, 3.0, 1e3, 1e18, -0, true, false]`,
			tensor.Vector[int64](math.MaxInt64, math.MinInt64, 1<<53+1, 1<<53+1, 3, 1000, 1e18, 0, 1, 0),
		},
		{tensor.Uint64, []int64{-1}, `[18446744073709551615,0]`, tensor.Vector[uint64](math.MaxUint64, 0)},
		{
			tensor.Float64,
			[]int64{-1},
			`[0.1, -0.0, -0, NaN, -Infinity, "Infinity", 123456789012345678901234567890]`,
			tensor.Vector(0.1, math.Copysign(0, -1), math.Copysign(0, -1), math.NaN(), math.Inf(-1), math.Inf(1), 123456789012345678901234567890),
		},
		{tensor.Float32, []int64{-1}, `[1.00000005960464477540, 16777217, 3.4028235e38]`, tensor.Vector[float32](1.0000001, 16777216, math.MaxFloat32)},
		{tensor.Bool, []int64{}, ` true `, tensor.Scalar(true)},
		{tensor.Bool, []int64{-1}, `[1, 0, 1.0, 0e5, true]`, tensor.Vector(true, false, true, false, true)},
		{tensor.Float32, []int64{-1}, `[true, 1, false]`, tensor.Vector[float32](1, 1, 0)},
		{tensor.Complex128, []int64{-1}, `[[1, -2.5], 3]`, tensor.Vector(complex(1, -2.5), 3)},
		{tensor.Complex64, []int64{}, `[1, 2]`, tensor.Scalar(complex64(complex(1, 2)))},
		{tensor.String, []int64{-1}, `["a\n\u00e9\ud83d\udc4d\/", {"b64": "/w=="}, {"b64":"gIE"}, ""]`, tensor.Vector("a\né👍/", "\xff", "\x80\x81", "")},
		{tensor.Float16, []int64{-1}, `[1, 65504, -Infinity]`, tensor.Vector(tensor.F16(0x3c00), 0x7bff, 0xfc00)},
	}
	for _, tt := range tests {
		got, err := dataset.ParseTensor(dataset.Component{DType: tt.dtype, Shape: tensor.MakeShape(tt.dims...)}, []byte(tt.text))
		if err != nil {
			t.Errorf("ParseTensor(%v, %s): %v", tt.dtype, tt.text, err)
			continue
		}
		if !got.Equal(tt.want) {
			t.Errorf("ParseTensor(%v, %s) = %v %v %q, want %v %v %q", tt.dtype, tt.text, got, got.Bytes(), got.Strings(), tt.want, tt.want.Bytes(), tt.want.Strings())
		}
	}
}

func TestJSONLShapes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		shape tensor.Shape
		text  string
		want  []int64
	}{
		{tensor.UnknownShape(), `5`, []int64{}},
		{tensor.UnknownShape(), `[[[1], [2]], [[3], [4]]]`, []int64{2, 2, 1}},
		{tensor.UnknownShape(), `[[], []]`, []int64{2, 0}},
		{tensor.MakeShape(-1, 64), `[]`, []int64{0, 64}},
		{tensor.MakeShape(-1, -1, 3), `[[], []]`, []int64{2, 0, 3}},
	}
	for _, tt := range tests {
		got, err := dataset.ParseTensor(dataset.Component{DType: tensor.Int32, Shape: tt.shape}, []byte(tt.text))
		if err != nil || !slices.Equal(got.Dims(), tt.want) {
			t.Errorf("ParseTensor(%v, %s) = %v, %v, want shape %v", tt.shape, tt.text, got, err, tt.want)
		}
	}
}

func TestJSONLRagged(t *testing.T) {
	t.Parallel()
	spec := dataset.Dict(map[string]dataset.Spec{"r": dataset.RaggedSpec(tensor.Int32, 1, -1, -1)})
	in := `{"r": [[1, 2], [], [3]]}
{"r": []}
[[4]]
`
	batches, err := dataset.JSONL(strings.NewReader(in), spec).RaggedBatch(3).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, ok := batches[0].Ragged(0)
	if !ok || !r.Values.Equal(tensor.Vector[int32](1, 2, 3, 4)) || !r.Splits[0].Equal(tensor.Vector[int64](0, 3, 3, 4)) || !r.Splits[1].Equal(tensor.Vector[int64](0, 2, 2, 3, 4)) {
		t.Errorf("ragged batch = %v, splits %v and %v", r, r.Splits[0].Bytes(), r.Splits[1].Bytes())
	}
}

func TestJSONLKeepsAndSkips(t *testing.T) {
	t.Parallel()
	in := "\ufeff{\"id\": \"a\\u00e9\", \"x\": 1, \"more\": {\"y\": [1, null, {}]}}\r\n\n  \n{\"x\": \"bad\"}\n{\"X\": 3, \"x\": 2,\"id\":\tnull}"
	spec := dataset.Dict(map[string]dataset.Spec{"v": dataset.TensorSpec(tensor.Int64)})
	opts := dataset.JSONLOptions{Name: "in.jsonl", Keep: []string{"more", "id", "none"}, Keys: map[string][]string{"v": {"x"}}}
	for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.HalfReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
		var got []string
		for e, err := range dataset.JSONL(r, spec, opts).All(t.Context()) {
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			line := fmt.Sprint("row ", e.Row, ":")
			for _, f := range e.Extra {
				line += fmt.Sprintf(" %s=%s", f.Key, f.Value)
			}
			got = append(got, line)
		}
		want := []string{`row 0: more={"y": [1, null, {}]} id="a\u00e9"`, `in.jsonl:4: field "x": want an integer, got a string`, "row 2: id=null"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	}
}

func TestJSONLLimits(t *testing.T) {
	t.Parallel()
	spec := dataset.TensorSpec(tensor.Int64, -1)
	long := "[" + strings.Repeat("1,", 400<<10) + "1]\n[1]\n" // longer than the reader's buffer
	deep := "{\"a\":" + strings.Repeat("[", 1<<20) + "\n"
	tests := []struct {
		name, in string
		spec     dataset.Spec
		opts     dataset.JSONLOptions
		want     []string
	}{
		{"line", long, spec, dataset.JSONLOptions{MaxLine: 100}, []string{"input:1: the line is longer than 100 bytes", "row 1"}},
		{"longest line", long, spec, dataset.JSONLOptions{MaxLine: len(long)}, []string{"row 0", "row 1"}},
		{"values", "[1,2,3]\n[1,2]", spec, dataset.JSONLOptions{MaxValues: 2}, []string{"input:1: more than 2 values", "row 1"}},
		{"depth", deep, dataset.Dict(map[string]dataset.Spec{"x": spec}), dataset.JSONLOptions{}, []string{"input:1: nested deeper than 64 levels"}},
		{"depth of a component", "[[[[1]]]]\n", dataset.UnknownRankSpec(tensor.Int64), dataset.JSONLOptions{MaxDepth: 3}, []string{"input:1: nested deeper than 3 levels"}},
	}
	for _, tt := range tests {
		var got []string
		for e, err := range dataset.JSONL(strings.NewReader(tt.in), tt.spec, tt.opts).All(t.Context()) {
			if err != nil {
				got = append(got, strings.Replace(err.Error(), `field ".": `, "", 1))
			} else {
				got = append(got, fmt.Sprint("row ", e.Row))
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestJSONLFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var names []string
	for i, text := range []string{"[1]\n[2]", "", "[3]\n"} {
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	ds := dataset.JSONLFiles(dataset.TensorSpec(tensor.Int64, -1), dataset.JSONLOptions{}, names...)
	for range 2 {
		if got := column(t, ds); !slices.Equal(got, []int64{1, 2, 3}) {
			t.Errorf("values = %v", got)
		}
	}
	lines, err := dataset.TextLines(names...).Collect(t.Context())
	if err != nil || len(lines) != 3 || lines[2].Row != 2 || lines[2].Tensors[0].Strings()[0] != "[3]" {
		t.Errorf("TextLines = %v, %v", lines, err)
	}
	if _, err := dataset.TextLines(filepath.Join(dir, "none")).Collect(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	once := dataset.JSONL(strings.NewReader("[1]"), dataset.TensorSpec(tensor.Int64, -1))
	if got := column(t, once); !slices.Equal(got, []int64{1}) {
		t.Errorf("values = %v", got)
	}
	if _, err := once.Collect(t.Context()); dataset.CodeOf(err) != dataset.FailedPrecondition {
		t.Errorf("a reader read twice: %v, want FailedPrecondition", err)
	}
	broken := dataset.JSONL(io.MultiReader(strings.NewReader("[1]\n[2"), iotest.ErrReader(io.ErrUnexpectedEOF)), dataset.TensorSpec(tensor.Int64, -1))
	if rows, err := broken.Collect(t.Context()); len(rows) != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken reader gave %d rows and %v, want 1 and %v", len(rows), err, io.ErrUnexpectedEOF)
	}
}

// TestJSONLFloats checks that numbers are read as strconv and encoding/json read them, at full
// precision and as float32.
func TestJSONLFloats(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.OneOf(
			rapid.Map(rapid.Float64().Filter(func(v float64) bool { return !math.IsInf(v, 0) && !math.IsNaN(v) }), func(v float64) string { b, _ := json.Marshal(v); return string(b) }),
			rapid.StringMatching(`-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,19})?(e-?[0-9]{1,2})?`)), 1, 20).Draw(t, "numbers")
		list := []byte("[" + strings.Join(texts, ", ") + "]")
		var want64 []float64
		var want32 []float32
		if json.Unmarshal(list, &want64) != nil || json.Unmarshal(list, &want32) != nil {
			t.Skip("out of range")
		}
		vector := tensor.MakeShape(-1)
		got64, err := dataset.ParseTensor(dataset.Component{DType: tensor.Float64, Shape: vector}, list)
		if err != nil || !got64.Equal(tensor.Vector(want64...)) {
			t.Fatalf("%s as float64: %v, %v", list, got64, err)
		}
		got32, err := dataset.ParseTensor(dataset.Component{DType: tensor.Float32, Shape: vector}, list)
		if err != nil || !got32.Equal(tensor.Vector(want32...)) {
			t.Fatalf("%s as float32: %v, %v", list, got32, err)
		}
	})
}

// FuzzJSONL compares with encoding/json, and checks that what is kept of a row is the JSON that it
// was. A bad row is a *SyntaxError and the reading goes on; damage to a document is a *FileError,
// and nothing comes after it.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, 2], "b": ["x"], "c": 1.5, "d": {"e": null}}`, `{"a":[],"b":[],"c":-0,"d":1}`, `{"a":[-1],"b":["\ud83d\udc4d\n"],"c":1e5,"d":"\u0000"}`,
		"{}", "{}{\x80", "{}{\"a\":[1],é", "[1,2]", "\x00", `{"a": [1`, `{"a":[1],"a":[1],"b":[],"c":0}`, "{\"a\":[1e2],\"b\":[],\"c\":0}\n{\"a\":[9223372036854775807],\"b\":[],\"c\":NaN}",
	} {
		f.Add([]byte(s))
	}
	spec := dataset.Dict(map[string]dataset.Spec{"a": dataset.TensorSpec(tensor.Int64, -1), "b": dataset.TensorSpec(tensor.String, -1), "c": dataset.TensorSpec(tensor.Float64)})
	f.Fuzz(func(t *testing.T, data []byte) {
		ds := dataset.JSONL(bytes.NewReader(data), spec, dataset.JSONLOptions{Keep: []string{"d", "a"}})
		lines := bytes.Split(data, []byte("\n"))
		ended := false
		for e, err := range ds.All(context.Background()) {
			if ended {
				t.Fatalf("%q: a row or an error after the file's", data)
			}
			if err != nil {
				var line int64
				if bad, ok := errors.AsType[*dataset.SyntaxError](err); ok {
					line = bad.Line
				} else if damage, ok := errors.AsType[*dataset.FileError](err); ok {
					line, ended = max(damage.Line, 1), true // 0: the whole file
				}
				if line < 1 || line > int64(len(lines)) || !utf8.ValidString(err.Error()) {
					t.Fatalf("%q: %v", data, err)
				}
				continue
			}
			for _, x := range e.Extra {
				if !json.Valid(x.Value) && !bytes.Contains(x.Value, []byte("N")) && !bytes.Contains(x.Value, []byte("I")) {
					t.Fatalf("%q: kept %s=%s, which is not JSON", data, x.Key, x.Value)
				}
			}
			if len(lines) == 1 {
				checkRow(t, data, e)
			}
		}
	})
}

// checkRow compares a row with what encoding/json makes of it, where it can read it.
func checkRow(t *testing.T, line []byte, e dataset.Element) {
	t.Helper()
	var want map[string]json.RawMessage
	var a []int64
	var b []string
	var c float64
	if json.Unmarshal(bytes.TrimPrefix(line, []byte("\ufeff")), &want) != nil || json.Unmarshal(want["a"], &a) != nil || json.Unmarshal(want["b"], &b) != nil || json.Unmarshal(want["c"], &c) != nil {
		return
	}
	if got, _ := tensor.Values[int64](e.Tensors[0]); !slices.Equal(got, a) {
		t.Fatalf("%q: a = %v, want %v", line, got, a)
	}
	for i, got := range e.Tensors[1].Strings() {
		if strings.ToValidUTF8(got, "\ufffd") != strings.ToValidUTF8(b[i], "\ufffd") && json.Valid(line) && !strings.Contains(b[i], "\ufffd") {
			t.Fatalf("%q: b = %q, want %q", line, got, b[i])
		}
	}
	if got, _ := tensor.Values[float64](e.Tensors[2]); got[0] != c {
		t.Fatalf("%q: c = %v, want %v", line, got, c)
	}
}

// TestTextLines has the lines that tf.data.TextLineDataset gave for the same bytes.
func TestTextLines(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"\ufeffa\rb\r\n\r\rc\n\n\r\nlast\r\r": {"\ufeffab", "c", "", "", "last"},
		"a\n\r":                               {"a"},
	} {
		open := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
		rows, err := dataset.TextLinesFrom(open, 0, "f").Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range rows {
			got = append(got, e.Tensors[0].Strings()[0])
		}
		if !slices.Equal(got, want) {
			t.Errorf("lines of %q = %q, want %q", text, got, want)
		}
	}
}

// FuzzTextLines compares with splitting the whole text, however many bytes each Read gives.
func FuzzTextLines(f *testing.F) {
	for i, s := range []string{"", "\n", "a\r\nb\n\nc", "\r", "a\n\r\n", "\ufeffa\n\ufeffb"} {
		f.Add(s, uint16(i))
	}
	f.Fuzz(func(t *testing.T, s string, size uint16) {
		open := rowtest.Pieces([]byte(s), int(size)+1)
		var want []string
		for line := range strings.Lines(s) {
			text, ended := strings.CutSuffix(line, "\n")
			if text = strings.ReplaceAll(text, "\r", ""); ended || text != "" {
				want = append(want, text)
			}
		}
		var got []string
		for e, err := range dataset.TextLinesFrom(open, 0, "f").All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Tensors[0].Strings()[0])
		}
		if !slices.Equal(got, want) {
			t.Fatalf("lines of %q = %q, want %q", s, got, want)
		}
	})
}

// rowsOfFour are lines of four numbers each; every 50th is bad, every 70th longer than 400 bytes,
// some are blank.
func rowsOfFour(n int) string {
	var b strings.Builder
	for i := range n {
		switch {
		case i%50 == 7:
			b.WriteString("[1, 2]\n")
		case i%70 == 9:
			b.WriteString("[" + strings.Repeat(" ", 500) + "1,2,3,4]\n")
		default:
			fmt.Fprintf(&b, "{\"x\": [%d, %d.5, -1, 1e3], \"id\": \"r%d\"}\n\n", i, i%10, i)
		}
	}
	return b.String()
}

// TestJSONLByTheBlock reads rows that are all alike one by one and by the block: values, numbers,
// kept keys and errors are the same.
func TestJSONLByTheBlock(t *testing.T) {
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 4)})
	rows := func() *dataset.Dataset {
		return dataset.JSONL(strings.NewReader(rowsOfFour(20_000)), spec, dataset.JSONLOptions{Keep: []string{"id"}, MaxLine: 400})
	}
	var want, got []string
	for e, err := range rows().All(t.Context()) {
		if err != nil {
			want = append(want, err.Error())
			continue
		}
		want = append(want, fmt.Sprint(e.Row, e.Tensors[0].Bytes(), string(e.Extra[0].Value)))
	}
	r, ok, err := rows().Blocks()
	if err != nil || !ok {
		t.Fatalf("Blocks() = %v, %v", ok, err)
	}
	defer r.Close()
	for limit := 1; ; limit = limit*2%1023 + 1 {
		b, err := r.NextBlock(t.Context(), limit)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		if n := b.Tensors[0].Dims()[0]; n < 1 || n > int64(limit) || len(b.Extra) != int(n) {
			t.Fatalf("%d rows, %d with kept keys, limit %d", n, len(b.Extra), limit)
		}
		for i := range int(b.Tensors[0].Dims()[0]) {
			got = append(got, fmt.Sprint(b.Row+int64(i), b.Tensors[0].Index(i).Bytes(), string(b.Extra[i][0].Value)))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row by row -, by the block +\n%s", diff)
	}
}

// TestJSONLHandsOnWhatIsThere writes lines into a pipe slowly: none waits for the next.
func TestJSONLHandsOnWhatIsThere(t *testing.T) {
	r, w := io.Pipe()
	it := dataset.JSONL(r, dataset.TensorSpec(tensor.Int64, tensor.Unknown)).Iterator()
	defer it.Close()
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(w, "[1]\n[7")
		sent <- err
	}()
	if e, err := it.Next(t.Context()); err != nil || e.Row != 0 {
		t.Fatalf("the first row: %v, %v", e, err)
	}
	if _, err := io.WriteString(w, ", 8]\n"); err != nil || <-sent != nil {
		t.Fatal(err)
	}
	if e, err := it.Next(t.Context()); err != nil || e.Tensors[0].Len() != 2 {
		t.Fatalf("the second row: %v, %v", e, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := it.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

// TestJSONLLargeRows reads rows of which one alone is a job.
func TestJSONLLargeRows(t *testing.T) {
	big := "[" + strings.Repeat("1,", 3<<20) + "2]\n"
	it := dataset.JSONL(strings.NewReader(strings.Repeat(big, 4)), dataset.TensorSpec(tensor.Int8, tensor.Unknown)).Iterator()
	defer it.Close()
	for i := range 3 {
		e, err := it.Next(t.Context())
		if err != nil || e.Tensors[0].Len() != 3<<20+1 {
			t.Fatalf("row %d: %v", i, err)
		}
	}
}
