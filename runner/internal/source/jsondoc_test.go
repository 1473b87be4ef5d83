package source

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tfrun/tfrun/dataset"
)

func TestJSONDocuments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want, err string }{
		{"lines", "{\"x\":1}\n{\"x\":2}\n", "{\"x\":1}\n{\"x\":2}\n", ""},
		{"lines of bare rows", "[1,2]\n[3]", "[1,2]\n[3]", ""},
		{"a bare row of bytes", `[{"b64":"AA=="}]`, `[{"b64":"AA=="}]`, ""},
		{"an array", "[ {\"x\": 1},\n {\"x\": [2,\n3]}]\n", "{\"x\":1}\n{\"x\":[2,3]}\n", ""},
		{"printed prettily", "[\n  [1, 2],\n  [3]\n]", "[1,2]\n[3]\n", ""},
		{"an empty one", "[\n]", "", ""},
		{"a request", `{"signature_name": "s", "instances": [[1], [2]]}`, "[1]\n[2]\n", ""},
		{"a wrapped one", `{"data": [{"x": 1}, {"x": 2}], "next": null}`, "{\"x\":1}\n{\"x\":2}\n", ""},
		{"a row whose key is data", `{"data": [1, 2]}`, `{"data": [1, 2]}`, ""},
		{"the model's key", `{"rows": [{"a": 1}]}`, `{"rows": [{"a": 1}]}`, ""},
		{"one row printed prettily", "{\n \"x\": 12345678901234567890,\n \"id\": 1.50\n}\n", "{\"x\":12345678901234567890,\"id\":1.50}\n", ""},
		{"cut off", "[{\"x\": 1}, {\"x\"", "{\"x\":1}\n", "ends in the middle"},
		{"damaged", "[{\"x\": 1}, {x}]", "{\"x\":1}\n", "the JSON document: invalid character"},
		{"a row too long", `[{"x": 1}, {"x": "` + strings.Repeat("a", 1<<18) + `"}]`, "{\"x\":1}\n", "a row of more than"},
		{"nothing", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			src := Source{Files: []string{"-"}, Stdin: iotest.OneByteReader(strings.NewReader(test.in)), Limits: dataset.Limits{RowBytes: 1 << 10}}
			f, err := src.OpenRows([]string{"rows"})("-")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(f)
			if string(got) != test.want {
				t.Errorf("got %.200q, want %q", got, test.want)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
