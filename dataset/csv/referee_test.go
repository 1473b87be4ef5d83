package csv_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/referee"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// pythonCSV gives the rows that Python's csv module reads, without those of empty lines. Bytes
// stand for themselves: Latin-1.
const pythonCSV = `
import csv, io, json
csv.field_size_limit(1 << 30)
def answer(data):
    text = data.decode("latin-1").removeprefix("ï»¿")
    return json.dumps([r for r in csv.reader(io.StringIO(text, newline=""), delimiter=text[:1] if text[:1] in "\t;|" and text else ",") if r]).encode()
`

// FuzzAgainstPython compares the cells of files with those of Python's csv module, read in chunks
// of a size that the fuzzer chooses. A file that begins with a tab, a semicolon or a bar is
// separated by that.
func FuzzAgainstPython(f *testing.F) {
	for _, file := range nasty {
		if file.o.Comment == 0 && file.o.Quote == 0 && !file.o.NoQuotes {
			f.Add([]byte(file.text), uint16(7))
		}
	}
	for _, s := range []string{"\t1\t\"a\t\"\r\n\t2\t", ";\";\"\n;;", "|a\n|\"b\r\"", "a,\"b\"c,d\ne,\"f\"\"", "\"\"\n\"\"\r\n,", "a\x00b,\xff\n\x00,\""} {
		f.Add([]byte(s), uint16(1))
	}
	python := referee.Start(f, pythonCSV)
	f.Fuzz(func(t *testing.T, data []byte, chunk uint16) {
		var want [][]string
		if err := json.Unmarshal(python.Ask(t, data), &want); err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 || strings.HasPrefix(string(data), "\xff\xfe") || strings.HasPrefix(string(data), "\xfe\xff") {
			return // UTF-16 is told by its mark
		}
		n := int64(len(want[0]))
		o := csv.InChunks(csv.Options{Open: rowtest.Stream(data), Comma: ',', Header: csv.WithoutHeader, Columns: map[string][]string{".": {"*"}}}, int(chunk))
		if text := strings.TrimPrefix(string(data), "\ufeff"); text != "" && strings.IndexByte("\t;|", text[0]) >= 0 {
			o.Comma = text[0]
		}
		i := 0
		for e, err := range csv.Rows(dataset.TensorSpec(tensor.String, n), o, "f").All(t.Context()) {
			bad, isRow := errors.AsType[*dataset.SyntaxError](err)
			switch {
			case err != nil && !isRow:
				if !strings.HasSuffix(err.Error(), "does not end") || i < len(want)-1 {
					t.Fatalf("after %d rows of %d: %v", i, len(want), err)
				}
				return
			case i == len(want):
				t.Fatalf("more rows than %d", i)
			case bad != nil && int64(len(want[i])) != n:
			case bad != nil:
				if bad.Msg != "text stands after the closing quote" {
					t.Fatalf("row %d, %q: %v", i, want[i], err)
				}
			default:
				var got []string
				for _, cell := range e.Tensors[0].Strings() {
					got = append(got, latin1(cell))
				}
				listOfOne := n == 1 && strings.HasPrefix(want[i][0], "[")
				if !slices.Equal(got, want[i]) && !listOfOne {
					t.Fatalf("row %d (-Python +here):\n%s", i, cmp.Diff(want[i], got))
				}
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("%d rows, Python has %d", i, len(want))
		}
	})
}

// latin1 returns bytes as the characters of those numbers.
func latin1(s string) string {
	out := make([]rune, len(s))
	for i := range len(s) {
		out[i] = rune(s[i])
	}
	return string(out)
}
