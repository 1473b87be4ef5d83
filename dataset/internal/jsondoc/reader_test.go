package jsondoc_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset/internal/jsondoc"
)

// readAll returns the rows of a document as "LINE: TEXT", then the error that ended it, unless that
// is the end of the file.
func readAll(r io.Reader, maxRow int, o jsondoc.Options) (rows []string) {
	d := jsondoc.NewReader(bufio.NewReaderSize(r, 16), maxRow, o, func(line int64, err error) error {
		return fmt.Errorf("line %d: %w", line, err)
	})
	for {
		row, line, err := d.Next()
		switch {
		case errors.Is(err, jsondoc.ErrTooLong):
			rows = append(rows, fmt.Sprintf("%d: too long", line))
		case errors.Is(err, io.EOF):
			return rows
		case err != nil:
			return append(rows, err.Error())
		default:
			rows = append(rows, fmt.Sprintf("%d: %s", line, row))
		}
	}
}

// Rows are found in arrays, in objects that wrap them, in columns, and one after the other; white
// space between tokens goes.
func TestRowsOfDocuments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                  {"", nil},
		"white space":              {" \n\t\r\n", nil},
		"an array":                 {"[1, [2,\n 3], \"a b\"]", []string{"1: 1", "1: [2,3]", `2: "a b"`}},
		"an empty array":           {"[ ]", nil},
		"rows one after the other": {"{\"x\": 1}\n{\"x\":\n2}{\"y\": 3}", []string{`1: {"x":1}`, `2: {"x":2}`, `3: {"y":3}`}},
		"instances":                {`{"instances": [1, {"x": 2}], "signature_name": "s"}`, []string{"1: 1", `1: {"x":2}`}},
		"data":                     {`{"data": [{"a": 1}]}`, []string{`1: {"a":1}`}},
		"data that is a row's":     {`{"data": [1, 2]}`, []string{`1: {"data":[1,2]}`}},
		"columns":                  {`{"inputs": {"a": [1, 2], "b": [[3], []]}}`, []string{`1: {"a":1,"b":[3]}`, `1: {"a":2,"b":[]}`}},
		"a column without a name":  {`{"inputs": ["u", "v"]}`, []string{`1: "u"`, `1: "v"`}},
		"a key of the row":         {`{"x": 0, "instances": [{"y": 1}]}`, []string{`1: {"x":0,"instances":[{"y":1}]}`}},
		"too long, then another":   {`["` + strings.Repeat("a", 60) + `", 1]`, []string{"1: too long", "1: 1"}},
		"two words":                {"[nul l]", []string{"1: nul", "line 1: the JSON document is damaged: want ',' or ']' after a row, got 'l'"}},
		"cut off":                  {"[1,\n", []string{"1: 1", "line 2: the JSON document ends in the middle"}},
		"damaged":                  {"[1 2]", []string{"1: 1", "line 1: the JSON document is damaged: want ',' or ']' after a row, got '2'"}},
		"a bracket of another":     {"[{]", []string{"line 1: the JSON document is damaged: want the end of what was begun, got ']'"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := jsondoc.Options{Keys: []string{"x"}}
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(test.text), "byte by byte": iotest.OneByteReader(strings.NewReader(test.text))} {
				if diff := cmp.Diff(test.want, readAll(r, 48, o)); diff != "" {
					t.Errorf("%s: %q (-want +got):\n%s", how, test.text, diff)
				}
			}
		})
	}
}

// What stands beside the rows, before and after them, goes to Envelope, whose error ends the rows.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	var got []string
	o := jsondoc.Options{Envelope: func(key string, value []byte) error {
		got = append(got, key+"="+string(value))
		if key == "bad" {
			return errors.New("refused")
		}
		return nil
	}}
	rows := readAll(strings.NewReader(`{"v": [1, 2], "instances": [7], "signature_name": "s"} {"inputs": [8], "bad": {}} [9]`), 99, o)
	if diff := cmp.Diff([]string{"1: 7", "line 1: refused"}, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v=[1,2]", `signature_name="s"`, "bad={}"}, got); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
}

// A first line begins a document or is a row of JSON lines.
func TestBegins(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                                  false,
		"1":                                 false,
		`{"x": 1}`:                          false,
		"{\"x\": 1}\n{\"x\": 2}":            false,
		`{"x": 1}{"x": 2}`:                  true,
		"{\n":                               true,
		"[\n1]":                             true,
		"{\"x\": [\n":                       true,
		"{\"y\": 1,\n\"x\": 2}":             true,
		"[1, 2]\n[3, 4]":                    false,
		`[{"x": 1}]`:                        true,
		`[{"b64": "AA=="}]`:                 false,
		`[{"indices": [[0]]}]`:              false,
		`{"instances": [1]}`:                true,
		`{"rows": [{"x": 1}]}`:              true,
		`{"rows": [1]}`:                     false,
		`{"inputs": {"x": [1]}}`:            true,
		`{"x": 1, "instances": [{"y": 1}]}`: false,
		"{\"x\": \"a,\n":                    false,
	} {
		if got := jsondoc.Begins([]byte(text), []string{"x"}); got != want {
			t.Errorf("Begins(%q) = %v, want %v", text, got, want)
		}
	}
}

// A file that holds an empty array alone has no rows; one with anything else in it may have.
func TestIsEmptyArray(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"[]": true, "[ \n]\n": true, "\ufeff[]": true, "[": false, "[1]": false, "[] []": false, "[[]]": false} {
		r := bufio.NewReaderSize(strings.NewReader(text), 16)
		head, err := r.Peek(1)
		if err == nil {
			head, err = r.Peek(r.Buffered())
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := jsondoc.IsEmptyArray(r, bytes.TrimLeft(head, jsondoc.Space)); got != want {
			t.Errorf("IsEmptyArray(%q) = %v, want %v", text, got, want)
		}
	}
}

// Whatever values an array holds, and however it is laid out, its rows are those that encoding/json
// reads out of it.
func TestRowsAsEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(value(3), 0, 6).Draw(t, "rows")
		text, err := json.Marshal(want)
		if rapid.Bool().Draw(t, "pretty") {
			text, err = json.MarshalIndent(want, "", "\t")
		}
		if err != nil {
			t.Fatal(err)
		}
		d := jsondoc.NewReader(bufio.NewReaderSize(strings.NewReader(string(text)), 16), 1<<20, jsondoc.Options{}, func(_ int64, err error) error { return err })
		got := []any{}
		for {
			row, _, err := d.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			var v any
			if err := errors.Join(err, json.Unmarshal(row, &v)); err != nil {
				t.Fatalf("%s: row %q: %v", text, row, err)
			}
			got = append(got, v)
		}
		if !reflect.DeepEqual(got, append([]any{}, want...)) {
			t.Fatalf("%s: rows %v, want %v", text, got, want)
		}
	})
}

// value draws a value of JSON that nests at most so deep.
func value(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(), rapid.String().AsAny(),
	}
	if depth > 0 {
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 3), func(s []any) any { return append([]any{}, s...) }),
			rapid.Map(rapid.MapOfN(rapid.String(), value(depth-1), 0, 3), func(m map[string]any) any { return m }))
	}
	return rapid.OneOf(kinds...)
}
