//go:build cgo && !notf

package job

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// keptColumn is what a referee says of a kept column, see testdata/kept/make_kept.py.
type keptColumn struct {
	Type   string   // in pyarrow's words
	Values []string // by row, as JSON lines have them in a column of the type
	Lines  []string // where JSON lines of this source have others
}

// keptSources are the files of testdata/kept by what they say of types.
var keptSources = map[string][]string{
	"typed": {"rows.parquet", "rows_v2.parquet", "rows.arrow", "rows_lz4.arrow", "rows.arrows"}, "npz": {"rows.npz"},
	"text": {"rows.jsonl", "rows.json", "rows.csv", "rows.tsv"}, "tfrecord": {"rows.tfrecord"},
}

// keptSinks are the files of results.
var keptSinks = []string{
	"jsonl", "jsonl.gz", "jsonl.zst", "csv", "csv.gz", "csv.zst", "tsv", "tsv.gz", "tsv.zst", "npz", "tfrecord", "tfrecord.gz", "tfrecord.zst", "parquet", "arrow",
}

// TestKeptMatrix carries columns of every type from files of every format into every other one, and
// reads them back: types and values are those that pyarrow, NumPy and Python have recorded.
// TFRUN_WRITTEN names a folder that the results are left in, for scripts/corpora/written.py.
func TestKeptMatrix(t *testing.T) {
	t.Parallel()
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := readKept(t)
	dir := os.Getenv("TFRUN_WRITTEN")
	if dir == "" {
		dir = t.TempDir()
	}
	for kind, names := range keptSources {
		for _, in := range names {
			for _, ext := range keptSinks {
				out := filepath.Join(dir, strings.ReplaceAll(in, ".", "_")+"."+ext)
				checkKept(t, p, filepath.Join("testdata/kept", in), out, want[kind])
			}
		}
	}
}

// readKept returns what referees say of the kept columns, by kind of file.
func readKept(t *testing.T) (want map[string]map[string]keptColumn) {
	t.Helper()
	data, err := os.ReadFile("testdata/kept/want.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

// checkKept carries the columns from one file to another, and reads them back.
func checkKept(t *testing.T, p *runner.Predictor, in, out string, want map[string]keptColumn) {
	t.Helper()
	j := Job{Source: Source{Files: []string{in}, Keep: slices.Sorted(maps.Keys(want))}, Output: out}
	if _, err := j.Run(t.Context(), p); err != nil {
		t.Errorf("%s to %s: %v", filepath.Base(in), filepath.Base(out), err)
		return
	}
	checkColumns(t, filepath.Base(in), out, want)
}

// checkColumns compares the columns of a file that were carried over with what they have to be, and
// returns their types.
func checkColumns(t *testing.T, in, out string, want map[string]keptColumn) map[string]string {
	t.Helper()
	form, got := keptColumns(t, in, out, slices.Sorted(maps.Keys(want)))
	types := map[string]string{}
	for name, c := range got {
		types[name] = c.Type
		expected := want[name].in(form.Name)
		if expected.Type == "" {
			c = keptColumn{Values: c.Values}.in(form.Name)
		}
		for i, v := range c.Values {
			if form.Name == "npz" && v == "NaN" && expected.Values[i] == "" {
				c.Values[i] = "" // what NumPy has for null
			}
		}
		if diff := gocmp.Diff(expected, c); diff != "" {
			t.Errorf("%s to %s: %s (-want +got):\n%s", in, filepath.Base(out), name, diff)
		}
	}
	return types
}

// keptColumns reads columns of a file.
func keptColumns(t *testing.T, in, out string, keep []string) (source.Format, map[string]keptColumn) {
	t.Helper()
	src := source.Source{Files: []string{out}, Keep: keep}
	form, err := src.Find()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]keptColumn{}
	for e, err := range src.Rows(form, dataset.Dict(map[string]dataset.Spec{})).All(t.Context()) {
		if err != nil {
			t.Fatalf("%s to %s: %v", in, filepath.Base(out), err)
		}
		values, types := map[string]string{}, map[string]string{}
		for _, f := range e.Extra {
			values[f.Key] = string(f.AppendJSON(nil))
			if f.Type != nil {
				types[f.Key] = quiet.Replace(f.Type.String())
			}
		}
		for _, name := range keep {
			c := got[name]
			c.Values = append(c.Values, cmp.Or(values[name], "null"))
			c.Type = cmp.Or(types[name], c.Type)
			got[name] = c
		}
	}
	return form, got
}

// in returns what is read back of the column from a format that it was written to. Formats without
// the type of a column hold its values as text.
func (c keptColumn) in(format string) keptColumn {
	if format == "parquet" || format == "arrow" {
		return keptColumn{Type: arrowWords.Replace(c.Type), Values: c.Values}
	}
	values := c.Values
	if c.Lines != nil && slices.Contains([]string{"jsonl", "csv", "tsv"}, format) {
		values = c.Lines
	}
	out := keptColumn{}
	for _, v := range values {
		out.Values = append(out.Values, plainValue(format, v))
	}
	return out
}

// arrowWords makes Go's words for types of pyarrow's.
var arrowWords = strings.NewReplacer(
	"large_string", "large_utf8", "string", "utf8", "halffloat", "float16", "float", "float32", "double", "float64", "date32[day]", "date32", "decimal128", "decimal",
	"extension<arrow.uuid>", "fixed_size_binary[16]",
)

// quiet leaves out what pyarrow does not say, or Parquet calls otherwise.
var quiet = strings.NewReplacer(", nullable", "", " nullable", "", ", items_nullable", "", "element: ", "item: ")

// plainValue returns a value as formats have it that hold text: strings without quotes, null as
// nothing, a list of one value as that. Features have 32-bit floats, and numbers for booleans.
func plainValue(format, v string) string {
	if format == "jsonl" {
		return v
	}
	for text := ""; json.Unmarshal([]byte(v), &text) == nil && v != "null"; {
		v = text // twice, where NumPy's strings hold the JSON of bytes
	}
	switch {
	case v == "null":
		return ""
	case format == "npz":
		return strings.TrimSuffix(v, "Z") // NumPy has no zones
	case format != "tfrecord":
		return v
	}
	var one []json.RawMessage
	if json.Unmarshal([]byte(v), &one) == nil && len(one) == 1 {
		return plainValue(format, string(one[0]))
	}
	switch f, err := strconv.ParseFloat(v, 32); {
	case v == "true":
		return "1"
	case v == "false":
		return "0"
	case err == nil && strings.ContainsAny(v, ".e"):
		return strconv.FormatFloat(f, 'g', -1, 32)
	}
	return v
}

// TestKeepPattern keeps every column, and those that a pattern names, of files of every format and
// of the same bytes from standard input.
func TestKeepPattern(t *testing.T) {
	t.Parallel()
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]string{".json": "jsonl", ".arrows": "arrow"}
	for _, names := range keptSources {
		for _, name := range names {
			file := filepath.Join("testdata/kept", name)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ext := filepath.Ext(name)
			format := cmp.Or(formats[ext], ext[1:])
			var whole []string
			for i, src := range []Source{{Files: []string{file}}, {Files: []string{"-"}, Stdin: bytes.NewReader(data), Format: format}} {
				src.Keep = []string{"*"}
				if got := keptKeys(t, p, src); i == 0 {
					whole = got
				} else if diff := gocmp.Diff(whole, got); diff != "" {
					t.Errorf("%s from standard input (-file +stdin):\n%s", name, diff)
				}
				if len(whole) < 7 || !slices.Contains(whole, "x") {
					t.Errorf("%s: kept are %v", name, whole)
				}
			}
			some := keptKeys(t, p, Source{Files: []string{file}, Keep: []string{"?", "f*"}})
			want := slices.DeleteFunc(slices.Clone(whole), func(key string) bool { return len(key) > 1 && key[0] != 'f' })
			slices.Sort(some)
			slices.Sort(want)
			if diff := gocmp.Diff(want, some); diff != "" {
				t.Errorf("%s: ? and f* (-want +got):\n%s", name, diff)
			}
		}
	}
}

// keptKeys returns the names of the columns that a run keeps.
func keptKeys(t *testing.T, p *runner.Predictor, src Source) []string {
	t.Helper()
	var out bytes.Buffer
	if _, err := (Job{Source: src, Stdout: &out}).Run(t.Context(), p); err != nil {
		t.Fatalf("%v: %v", src.Files, err)
	}
	var rows []string
	d := json.NewDecoder(strings.NewReader(strings.ReplaceAll(strings.SplitAfter(out.String(), "\n")[1], "NaN", "null")))
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return rows[1:] // behind the output
		}
		switch token := token.(type) {
		case json.Delim:
			if depth++; token == '}' || token == ']' {
				depth -= 2
			}
		case string:
			if depth == 1 {
				rows = append(rows, token)
				var value json.RawMessage
				if err := d.Decode(&value); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
