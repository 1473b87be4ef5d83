//go:build cgo && !notf

package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// slips are what a new user gets wrong, with the exit code and the line that helps.
var slips = []struct {
	line string
	code int
	help string
}{
	{"predict MODEL rows.csv.gz", exitData, "--column x="},
	{"predict MODEL rows.csv.gz --column x=f9", exitData, "f1"},
	{"predict MODEL rows.csv.gz --colum x=f1", exitUsage, "did you mean --column"},
	{"predict MODEL rows.jsonl --keep idd -o kept.jsonl", exitDone, `kept "idd" is missing in 2 rows`},
	{"predict MODEL rows.jsonl -o scores.xlsx", exitUsage, "the name does not tell the format"},
	{"predict MODEL rows.jsonl -s serve", exitUsage, "list the signatures with: tfrun shapes"},
	{"predict MODEL rows.jsonl --outputs score=output_7", exitUsage, "it has y"},
	{"predict MODEL missing.csv", exitFailed, "no such file"},
	{"predict MODELS rows.jsonl", exitFailed, "MODELS: no such file or directory"},
	{"predict MODEL names.jsonl", exitData, "--column INPUT=KEY"},
	{"predict MODEL notes.txt", exitData, "--input-format csv, tsv or jsonl"},
	{"predict MODEL rows.xlsx", exitUsage, "save the sheet as CSV"},
	{"predict rows.jsonl MODEL", exitUsage, "the model"},
	{"predicts MODEL rows.jsonl", exitUsage, "predict"},
}

// TestNewUser types what README.md shows of one's own model, all of which works, and then what a
// new user gets wrong, which says what helps. `bench` is tried by its own script.
func TestNewUser(t *testing.T) {
	root, readme := readReadme(t)
	block := regexp.MustCompile("(?s)## Your own model\n\n```sh\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("README.md shows no commands for one's own model")
	}
	writeNewUser(t, root)
	typed := 0
	for line := range strings.Lines(string(block[1])) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "  #")
		if strings.Contains(line, "tfrun bench") {
			continue
		}
		line = strings.TrimSpace(strings.ReplaceAll(line, "output_0", "y"))
		if code, _, errs := typeLine(t, root, line); code != exitDone {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
		typed++
	}
	for _, s := range slips {
		if code, out, errs := typeLine(t, root, s.line); code != s.code || !strings.Contains(errs, s.help) {
			t.Errorf("%s: exit code %d, want %d; want %q in: %s%s", s.line, code, s.code, s.help, out, errs)
		}
		typed++
	}
	if typed < 20 {
		t.Errorf("%d commands were typed, want 20", typed)
	}
}

// typeLine runs a command line as README.md has it: MODEL is a model of this repository, "zcat FILE
// |" before it goes to its standard input, and nothing becomes of "| jq ." behind it.
func typeLine(t *testing.T, root, line string) (code int, out, errs string) {
	t.Helper()
	model := filepath.Join(root, "testdata", "models", "tf1_half_plus_two", "model")
	if strings.Contains(line, "--vocab") {
		model = filepath.Join(root, "examples", "reviews", "model")
	}
	var in io.Reader = strings.NewReader("")
	line, _, _ = strings.Cut(line, " | jq")
	if file, rest, ok := strings.Cut(strings.TrimPrefix(line, "zcat "), " | "); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in, line = bytes.NewReader(data), rest // gzip is known by its first bytes
	}
	args := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(line, "bin/tfrun "), "'", ""))
	for i, arg := range args {
		if arg == "MODEL" {
			args[i] = model
		}
	}
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, stdio{in, &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// writeNewUser makes the files that the lines name, in a folder of their own, where it goes.
func writeNewUser(t *testing.T, root string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	rows := "{\"id\":1,\"x\":0.5}\n{\"id\":2,\"x\":-1}\n"
	cells := "id,f1,f2,f3\n1,1,2,3\n2,4,5,6\n"
	var packed, packedCells bytes.Buffer
	for text, to := range map[string]*bytes.Buffer{rows: &packed, cells: &packedCells} {
		z := gzip.NewWriter(to)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	const dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"
	features := "\x93NUMPY\x01\x00\x76\x00" + dict + strings.Repeat(" ", 117-len(dict)) + "\n" + strings.Repeat("\x00", 12)
	copied := func(name ...string) string {
		data, err := os.ReadFile(filepath.Join(append([]string{root}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for name, text := range map[string]string{
		"rows.jsonl": rows, "rows.jsonl.gz": packed.String(), "rows.csv.gz": packedCells.String(), "data/a/rows.jsonl": rows, "data/b.csv": "x\n1\n", "notes.txt": "1\n2\n", "names.jsonl": "{\"name\":0.5}\n",
		"reviews.txt": "A delight.\n", "vocab.subwords": copied("examples", "reviews", "vocab.subwords"), "features.npy": features,
		"model.keras": copied("savedmodel", "kerasfile", "testdata", "multi_io.keras"), "rows.xlsx": "PK\x03\x04" + strings.Repeat("\x00", 22) + "\x13\x00\x00\x00[Content_Types].xml",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"predict MODEL rows.jsonl -o rows.parquet --keep id,x --quiet", "predict MODEL rows.jsonl -o examples.tfrecord --keep x --quiet"} {
		if code, _, errs := typeLine(t, root, line); code != exitDone {
			t.Fatalf("%s: exit code %d: %s", line, code, errs)
		}
	}
}
