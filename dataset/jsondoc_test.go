package dataset_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/referee"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// document is a file of rows of x, a number or lists of numbers of any depth, with what is kept of
// k: each row is "LINE: x k", each error as it is.
type document struct {
	name, text string
	want       []string
}

var documents = []document{
	{"lines", "{\"x\":1}\n{\"x\":2, \"k\": [1, 2]}\n", []string{"1 -", "2 [1, 2]"}},
	{"bare rows", "[1,2]\n[3]\n4", []string{"[1,2] -", "[3] -", "4 -"}},
	{"an array", "[ {\"x\": 1, \"k\": [1, {\"a\": \"b c\"}]},\n {\"x\": [2,\n3]}]\n", []string{`1 [1,{"a":"b c"}]`, "[2,3] -"}},
	{"an array in one line", `[{"x":1},{"x":2}]`, []string{"1 -", "2 -"}},
	{"with a mark", "\ufeff[{\"x\":1},{\"x\":2}]", []string{"1 -", "2 -"}},
	{"lines with a mark", "\ufeff{\"x\":1}\n{\"x\":2}", []string{"1 -", "2 -"}},
	{"printed by jq", "{\n  \"x\": 1\n}\n{\n  \"x\": 2\n}\n{\n  \"x\": 3\n}\n", []string{"1 -", "2 -", "3 -"}},
	{"bare rows, printed prettily", "[\n  [1, 2],\n  [3]\n]", []string{"[1,2] -", "[3] -"}},
	{"bare values, printed prettily", "[\r\n  1,\r\n  NaN,\r\n -Infinity\r\n]\r\n", []string{"1 -", "NaN -", "-Infinity -"}},
	{"side by side", "{\"x\":1}{\"x\":2} \t{\"x\":\n3}", []string{"1 -", "2 -", "3 -"}},
	{"in lines that end in carriage returns", "{\"x\":1}\r{\"x\":2}\r\r", []string{"1 -", "2 -"}},
	{"several arrays", "[{\"x\":1}]\n[{\"x\":2},{\"x\":3}]\n\n[]\n{\"x\":4}", []string{"1 -", "2 -", "3 -", "4 -"}},
	{"an empty array", "[\n]", nil},
	{"an empty array in one line", " [] \n\n", nil},
	{"an empty array with room in it", "\ufeff [ \t] \n", nil},
	{"a row of nothing with room in it", "[ ]\n[1]", []string{"[] -", "[1] -"}},
	{"a row of nothing", "[]\n[1]", []string{"[] -", "[1] -"}},
	{"nothing", "", nil},
	{"white space", " \n\t\r\n", nil},
	{"NaN and others", `[{"x": NaN, "k": NaN}, {"x": [Infinity, -Infinity]}]`, []string{"NaN NaN", "[Infinity,-Infinity] -"}},
	{"a request", `{"signature_name": "s", "instances": [[1], [2]]}`, []string{"[1] -", "[2] -"}},
	{"a request of objects", "{\n \"instances\": [{\"x\": 1},\n {\"x\": 2}\n ],\n \"signature_name\": \"s\"\n}", []string{"1 -", "2 -"}},
	{"an empty request", `{"instances": []}`, nil},
	{"a request in columns", `{"signature_name": "s", "inputs": {"x": [1, [2], 3], "k": ["a", null, {"b": 1}]}}`, []string{`1 "a"`, "[2] null", `3 {"b":1}`}},
	{"a request in a column", "{\"inputs\": [[1, 2], [3, 4]],\n\"signature_name\": \"s\"}", []string{"[1,2] -", "[3,4] -"}},
	{"an empty request in columns", `{"inputs": {"x": [], "k": []}}`, nil},
	{"a wrapped array", `{"data": [{"x": 1}, {"x": 2}], "next": null}`, []string{"1 -", "2 -"}},
	{"a wrapped array after more", `{"meta": {"data": [1]}, "rows": [{"x": 1}, {"x": 2}], "next": "}]"}`, []string{"1 -", "2 -"}},
	{"two wrapped arrays", "{\"data\": [{\"x\": 1}]}\n{\"data\": [{\"x\": 2}]}", []string{"1 -", "2 -"}},
	{"a row with a key of arrays", `{"x": 1, "data": [{"x": 2}]}`, []string{"1 -"}},
	{"a row with a key of arrays, printed prettily", "{\n\"x\": 1,\n\"data\": [{\"x\": 2}]\n}", []string{"1 -"}},
	{"an object that goes on after a comma", "{\"k\": {\"a\": [1,\n2]}, \"x\":\n1}\n{\"x\": 2}", []string{`1 {"a":[1,2]}`, "2 -"}},
	{"a line that is cut off", "{\"x\": 1\n{\"x\": 2}", []string{"f:1: want ',' or '}', got the end of the line", "2 -"}},
	{"a line that is cut off in a string", "{\"k\": \"a,\n{\"x\": 2}", []string{"f:1: field \"k\": a string without an end", "2 -"}},
	{"a line that is damaged", "{\"x\": x,\n{\"x\": 2}", []string{`f:1: field "x": want a number, got 'x'`, "2 -"}},
	{"a bad row", "[{\"x\": 1},\n{\"x\": \"a\"},\n\n{x},{\"x\": 2},\n{}, 3, null]", []string{
		"1 -", `f:2: field "x": want a number, got a string`, `f:4: want a string, got 'x'`, "2 -", `f:5: field "x": the row has no such key`, "3 -", `f:5: field "x": want a number, got null`,
	}},
	{"brackets and quotes in strings", "[\n{\"x\": 1, \"k\": \"]}\\\"[{\\\\\"}, {\"x\": 2, \"k\": \"\\\\\\\\\"}]", []string{`1 "]}\"[{\\"`, `2 "\\\\"`}},
	{"two words", "[{\"x\": 1 2}, {\"x\":\n3}]", []string{`f:1: want ',' or '}', got a number`, "3 -"}},
	{"a row too long", `[{"x": 1}, {"x": "` + strings.Repeat("a", 1<<17) + `"}, {"x": 2}]`, []string{"1 -", "f:1: the line is longer than 65536 bytes", "2 -"}},
	{"an object too long", "{\n\"y\": \"" + strings.Repeat("a", 1<<17) + "\", \"x\": 1}\n{\"x\": 2}", []string{"f:1: the line is longer than 65536 bytes", "2 -"}},
	{"cut off", "[{\"x\":1},{\"x\":2}\n", []string{"1 -", "2 -", "f:2: the JSON document ends in the middle"}},
	{"cut off in a row", "[{\"x\": 1}, {\"x\"", []string{"1 -", "f:1: the JSON document ends in the middle"}},
	{"cut off in a string", "{\n\"x\": \"", []string{"f:2: the JSON document ends in the middle"}},
	{"cut off after the rows", "{\"instances\": [1]", []string{"1 -", "f:1: the JSON document ends in the middle"}},
	{"cut off before a value", "{\n\"x\":", []string{"f:2: the JSON document ends in the middle"}},
	{"cut off in columns", "{\"inputs\": {\"x\": [1, 2]}", []string{"f:1: the JSON document ends in the middle"}},
	{"a bracket too many", `[{"x":1}},{"x":2},{"x":3}]`, []string{"1 -", "f:1: the JSON document is damaged: want ',' or ']' after a row, got '}'"}},
	{"a bracket too many at the end", "[{\"x\":1}]\n]", []string{"1 -", "f:2: the JSON document is damaged: want another row, or the end, got ']'"}},
	{"a comma too many", `[{"x":1},]`, []string{"1 -", "f:1: the JSON document is damaged: want a row, got ']'"}},
	{"a comma first", `[{"x":1},,{"x":2}]`, []string{"1 -", "f:1: the JSON document is damaged: want a row, got ','"}},
	{"no comma", `[{"x":1} {"x":2}]`, []string{"1 -", "f:1: the JSON document is damaged: want ',' or ']' after a row, got '{'"}},
	{"other brackets", "[{\"x\":[1}]\n]", []string{"f:1: the JSON document is damaged: want the end of what was begun, got '}'"}},
	{"garbage behind", "[{\"x\":1}]\nx", []string{"1 -", "f:2: the JSON document is damaged: want another row, or the end, got 'x'"}},
	{"a character behind", "[{\"x\":1}]é", []string{"1 -", "f:1: the JSON document is damaged: want another row, or the end, got 'é'"}},
	{"a byte that is no character", "{}{\x80", []string{`f:1: field "x": the row has no such key`, "f:1: the JSON document is damaged: want a key, got the byte 0x80"}},
	{"garbage behind a request", `{"instances": [1]} x`, []string{"1 -", "f:1: the JSON document is damaged: want another row, or the end, got 'x'"}},
	{"columns of unequal lengths", `{"inputs": {"x": [1, 2], "k": [1]}}`, []string{`f:1: key "inputs": want lists of one length, got one of 1 entries after one of 2`}},
	{"columns that are none", `{"inputs": {"x": 1}}`, []string{`f:1: key "inputs": want lists with an entry for each row, got a number`}},
	{"a damaged column", `{"inputs": {"x": [1, tru]}}`, []string{`f:1: key "inputs": want a value, got "tru]}"`}},
	{"no key", "{\n1: 2}", []string{"f:2: the JSON document is damaged: want a key, got '1'"}},
	{"UTF-16", "\xff\xfe{\x00", []string{"f: the file is in UTF-16; save it as UTF-8"}},
}

// xk is the spec of the documents' rows.
var xk = dataset.Dict(map[string]dataset.Spec{"x": dataset.UnknownRankSpec(tensor.Float64)})

func readDocument(t *testing.T, open dataset.Opener) []string {
	t.Helper()
	o := dataset.JSONLOptions{Open: open, Keep: []string{"k"}, MaxLine: 1 << 16}
	var got []string
	for e, err := range dataset.JSONLFiles(xk, o, "f").All(t.Context()) {
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		row, err := dataset.AppendJSON(nil, e.Tensors[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		kept := "-"
		if len(e.Extra) > 0 {
			kept = string(e.Extra[0].AppendJSON(nil))
		}
		got = append(got, fmt.Sprintf("%s %s", row, kept))
	}
	return got
}

// Lines and documents are read alike, to the end of the file.
func TestJSONDocuments(t *testing.T) {
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			if diff := cmp.Diff(d.want, readDocument(t, rowtest.Stream([]byte(d.text)))); diff != "" {
				t.Errorf("%.200q (-want +got):\n%s", d.text, diff)
			}
			if len(d.text) > 1000 {
				return
			}
			for at, open := range rowtest.Cuts([]byte(d.text)) {
				if diff := cmp.Diff(d.want, readDocument(t, open)); diff != "" {
					t.Fatalf("cut at %d (-want +got):\n%s", at, diff)
				}
			}
		})
	}
}

// What stands beside the rows is told, and may end the reading.
func TestJSONEnvelope(t *testing.T) {
	for text, want := range map[string]string{
		`{"signature_name": "s", "instances": [1], "more": {"a": [1]}}`: `signature_name="s" more={"a":[1]}`,
		"{\n\"a\": 1,\n\"inputs\": [1],\n\"b\": 2}":                     "a=1 b=2",
		`[{"x": 1, "signature_name": "s"}]`:                             "",
		`{"x": 1, "signature_name": "s"}`:                               "",
	} {
		var got []string
		refused := errors.New("refused")
		for _, end := range []error{nil, refused} {
			got = nil
			o := dataset.JSONLOptions{Envelope: func(key string, value []byte) error {
				got = append(got, key+"="+string(value))
				return end
			}}
			_, err := dataset.JSONL(strings.NewReader(text), xk, o).Collect(t.Context())
			if wantErr := end != nil && want != ""; errors.Is(err, refused) != wantErr || !wantErr && err != nil {
				t.Errorf("%s: error %v", text, err)
			}
			if end == nil && strings.Join(got, " ") != want {
				t.Errorf("%s: told %q, want %s", text, got, want)
			}
		}
	}
}

// pythonRows reads a file as Python's json module would, by the same rule: values one after the
// other, arrays of rows, requests. The answer is the JSON of the rows, a line each, and "error"
// where the file is damaged after them. A string may hold any bytes, as TensorFlow's do: one that
// is not UTF-8 is {"b64": "…"}.
const pythonRows = `
import base64, json
decoder = json.JSONDecoder()
LISTS = ["instances", "data", "rows", "records", "items", "results"]
def rows(value):
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for key, v in value.items():
            if key in ("x", "k"):
                break
            if key in LISTS and isinstance(v, list) and (key == "instances" or not v or isinstance(v[0], dict)):
                return v
    return [value]
def plain(value):
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        data = value.encode("utf-8", "surrogateescape")
        return value if value == data.decode("utf-8", "replace") else {"b64": base64.b64encode(data).decode()}
    except UnicodeEncodeError:  # half a surrogate pair
        return value
def answer(data):
    out = []
    try:
        text = data.decode("utf-8-sig", "surrogateescape")
        i = 0
        while True:
            while i < len(text) and text[i] in " \t\r\n":
                i += 1
            if i == len(text):
                break
            value, i = decoder.raw_decode(text, i)
            out += [json.dumps(plain(r), sort_keys=True) for r in rows(value)]
    except (ValueError, RecursionError):
        out.append("error")
    return "\n".join(out).encode()
`

// FuzzDocuments compares the rows of documents with what Python's json module makes of them. What
// Python refuses has an error here too, and what it takes has none.
func FuzzDocuments(f *testing.F) {
	for _, d := range documents {
		if len(d.text) < 1000 && !strings.Contains(d.text, "inputs") {
			f.Add([]byte(d.text), uint16(5))
		}
	}
	for _, s := range []string{`[{"x":1e5,"k":-0.5E-3}]`, `[{"x":01}]`, `[{"x":1.}]`, `[{"x":.5}]`, `[{"x":+1}]`, `[{"x":"\u0000\ud800"}]`, `[{"x":"\x"}]`, "[{\"x\":\"\x7f\xc3\xa9\"}]", `[{"x":[[[[1]]]]}]`, `[{"x":1,"x":2}]`, `[{"":1}]`, "[{\"k\": \"a\tb\"}]", "[{\"k\": tru}]", "[nan]", "[{\"k\":\"\xff\"}]", "[{\"x\":1,\"\xec\":2,\"k\":[\"\xff\"]},{\"x\":2,\"y\":\"\xff\"}]"} {
		f.Add([]byte(s), uint16(1))
	}
	python := referee.Start(f, pythonRows)
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		if bytes.Contains(data, []byte("inputs")) || bytes.Count(data, []byte("[")) > 50 || bytes.Count(data, []byte("{")) > 50 {
			return // columns are not Python's, depth is bounded
		}
		data = append([]byte("[\n"), data...) // a document, and no lines
		compareRows(t, data, string(python.Ask(t, data)), int(size))
	})
}

func compareRows(t *testing.T, data []byte, answer string, size int) {
	t.Helper()
	var want []string
	if answer != "" {
		want = strings.Split(answer, "\n")
	}
	refused := len(want) > 0 && want[len(want)-1] == "error"
	failed := false
	i := 0
	o := dataset.JSONLOptions{Open: rowtest.Pieces(data, size+1), Keep: []string{"k"}}
	for e, err := range dataset.JSONLFiles(xk, o, "f").All(t.Context()) {
		switch {
		case err != nil:
			// Either the row is none for the spec, or it is no JSON.
			failed = true
		case i >= len(want) || want[i] == "error":
			if !failed && !refused {
				t.Fatalf("%q: row %d, Python has %q", data, i, want)
			}
		default:
			checkKept(t, want[i], e)
		}
		i++
	}
	switch {
	case refused && !failed:
		t.Fatalf("%q is read, Python refuses it: %q", data, want)
	case !refused && !failed && i != len(want):
		t.Fatalf("%q: %d rows, Python has %q", data, i, want)
	}
}

// checkKept compares a row's number, and what is kept of it.
func checkKept(t *testing.T, want string, e dataset.Element) {
	t.Helper()
	var row struct{ X, K json.RawMessage }
	if json.Unmarshal([]byte(want), &row) != nil {
		row.X = json.RawMessage(want)
	}
	if v, ok := tensor.Values[float64](e.Tensors[0]); ok && len(v) == 1 {
		text := strings.NewReplacer("true", "1", "false", "0").Replace(string(row.X))
		if f, err := strconv.ParseFloat(strings.Trim(text, "[]"), 64); err == nil && f != v[0] && f == f {
			t.Fatalf("%s is read as %v", want, v[0])
		}
	}
	if len(e.Extra) == 0 || row.K == nil {
		return
	}
	var a, b any
	kept := e.Extra[0].AppendJSON(nil)
	if json.Unmarshal(row.K, &a) != nil || json.Unmarshal(kept, &b) != nil {
		return // NaN is nothing for Go
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Fatalf("kept %s, Python has %s:\n%s", kept, row.K, diff)
	}
}
