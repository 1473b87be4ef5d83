//go:build cgo && !notf

package job

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner"
)

// badInputs are columns of the files of testdata/kept that the model's float32 input cannot be read
// from in the second row, or the third.
var badInputs = map[string]string{"typed": "f64", "npz": "f64", "text": "float", "tfrecord": "many"}

// TestKeptResume carries the columns of every kind of file into every format and compression, from
// two files with bad rows among others, by a run that is killed after each row but the last. Its
// file is byte for byte that of a run that was not killed, holds the kept columns of bad rows too,
// and has the columns and types that the plan of a run says. Every pair of a kind and a format is
// tried; the files of a kind take turns.
func TestKeptResume(t *testing.T) {
	t.Parallel()
	p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{SkipBadRows: true, BatchSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range readKept(t) {
		twice := map[string]keptColumn{}
		for name, c := range want {
			c.Values, c.Lines = slices.Repeat(c.Values, 2), slices.Repeat(c.Lines, 2)
			if len(c.Lines) == 0 {
				c.Lines = nil
			}
			twice[name] = c
		}
		for i, ext := range keptSinks {
			in := filepath.Join("testdata/kept", keptSources[kind][i%len(keptSources[kind])])
			dir := t.TempDir()
			src := Source{Files: []string{in, in}, Keep: slices.Sorted(maps.Keys(want)), Columns: map[string]string{"x": badInputs[kind]}}
			killed := Job{Source: src, Output: filepath.Join(dir, "killed."+ext), Resume: true}
			whole := Job{Source: src, Output: filepath.Join(dir, "whole."+ext)}
			for stop := range 6 {
				runUntil(t, killed, p, stop+1)
			}
			runUntil(t, whole, p, 7)
			a, b := mustRead(t, whole.Output), mustRead(t, killed.Output)
			if a != b {
				t.Errorf("%s to %s: killed and resumed, %d bytes differ from the %d of one run", filepath.Base(in), ext, len(b), len(a))
			}
			types := checkColumns(t, filepath.Base(in), killed.Output, twice)
			checkErrors(t, in, killed.Output)
			checkPlan(t, killed, p, types)
		}
	}
}

// runUntil runs a job, noting each row as done, up to a row that it writes and does not note: there
// it is killed. Six rows are all there are.
func runUntil(t *testing.T, j Job, p *runner.Predictor, stop int) {
	t.Helper()
	form, err := j.outputFormat()
	if err != nil {
		t.Fatal(err)
	}
	part, err := partfile.Open(t.Context(), j.Output, partfile.Identity{"a": "b"}, j.Resume, form.Head)
	if err != nil {
		t.Fatal(err)
	}
	if j.Resume && int(part.Rows()) != stop-1 {
		t.Fatalf("%s goes on after %d rows, want %d", j.Output, part.Rows(), stop-1)
	}
	var out rowOutput = part
	zip, err := compressor(j.Output, form)
	if err != nil {
		t.Fatal(err)
	}
	if zip != nil {
		zip.file, out = part, zip
	}
	sum := Summary{Resumed: part.Rows(), BadRows: part.Bad(), Missing: map[string]int64{}}
	w := writing{Job: j, form: form, sum: &sum}
	if p, _, err = j.Source.suited(p); err != nil {
		t.Fatal(err)
	}
	if w.p, err = p.With(func(o *runner.PredictOptions) { o.From = part.Rows() }); err != nil {
		t.Fatal(err)
	}
	if w.rows, err = j.Source.Rows(w.p); err != nil {
		t.Fatal(err)
	}
	columns, err := w.columns(w.p, form)
	if err != nil {
		t.Fatal(err)
	}
	tab := newTable(w.p, columns, j.Source.Keep, out)
	if tab.types, err = w.keptTypes(t.Context(), w.p, form); err != nil {
		t.Fatal(err)
	}
	to, err := newColumnsWriter(out, form, tab, columns)
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range w.p.Batches(t.Context(), w.rows) {
		if err != nil {
			t.Fatalf("%v to %s after %d rows: %v", j.Source.Files, j.Output, part.Rows(), err)
		}
		if err := w.writeBatch(to, b, nil); err != nil {
			t.Fatal(err)
		}
		done := int(sum.Resumed + sum.Rows)
		if done > stop {
			if err := part.Leave(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := w.checkpoint(to, tab, out); err != nil {
			t.Fatal(err)
		}
	}
	err = to.close()
	if zip != nil {
		err = errors.Join(err, zip.finish())
	}
	if err := errors.Join(err, part.Commit()); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkErrors looks for errors in the rows that are bad, and in no other.
func checkErrors(t *testing.T, in, out string) {
	t.Helper()
	form, got := keptColumns(t, in, out, []string{errorColumn})
	for i, v := range got[errorColumn].Values {
		bad := i%3 == 1 || i%3 == 2 && strings.HasSuffix(in, ".tfrecord")
		none := v == "null" || v == `""` && form.Name != "jsonl"
		if bad == none || bad && !strings.Contains(v, filepath.Base(in)) {
			t.Errorf("%s to %s: row %d has the error %s", filepath.Base(in), filepath.Base(out), i+1, v)
		}
	}
}

// checkPlan compares what a dry run says of the columns with those that the file has.
func checkPlan(t *testing.T, j Job, p *runner.Predictor, types map[string]string) {
	t.Helper()
	plan, err := j.Describe(t.Context(), p, 100)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Sample.Rows != 6 || !plan.Sample.All || plan.Sample.Bad < 2 {
		t.Errorf("%s: the plan has seen %+v", j.Output, plan.Sample)
	}
	in := j.Source.Files[0]
	if cells := strings.HasSuffix(in, "sv"); cells != strings.HasSuffix(plan.Files[0].Reading, "s, 9 columns, named by the first row") {
		t.Errorf("%s: the plan says that it is read as %q", in, plan.Files[0].Reading)
	}
	var planned []string
	for _, c := range plan.Columns {
		planned = append(planned, c.Name)
		if c.From == "input" && c.Type != "" && quiet.Replace(c.Type) != types[c.Name] {
			t.Errorf("%s: the plan says that %s is %s, the file says %s", j.Output, c.Name, c.Type, types[c.Name])
		}
	}
	form, err := j.outputFormat()
	if err != nil {
		t.Fatal(err)
	}
	if form.Name == "jsonl" || form.Name == "tfrecord" || form.Name == "npz" {
		return // which have no order of columns, or one of their own
	}
	names, err := Source{Files: []string{j.Output}}.Names()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, planned) {
		t.Errorf("%s: the plan says the columns %q, the file has %q", j.Output, planned, names)
	}
}
