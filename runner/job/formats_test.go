//go:build cgo && !notf

package job

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// TestEveryFormat runs models on made-up rows from files of each format into files of each format:
// what is read back are the values that JSON lines give.
func TestEveryFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model string
		o     runner.PredictOptions
		not   []string // formats that complex numbers are not read from
	}{
		{"k3_masked", runner.PredictOptions{Batching: runner.Exact}, nil},
		{"k3_lstm_states", runner.PredictOptions{}, nil},
		{"own_k3_multi_io", runner.PredictOptions{Outputs: []string{"churn", "age"}, Batching: runner.Exact}, nil},
		{"mod_strings", runner.PredictOptions{}, nil},
		{"mod_dtypes", runner.PredictOptions{}, []string{"tfrecord", "parquet", "arrow"}},
		{"mod_scalar", runner.PredictOptions{NoBatch: true}, nil},
		{"mod_ragged_out", runner.PredictOptions{}, nil},
	} {
		t.Run(test.model, func(t *testing.T) {
			t.Parallel()
			p, err := load(t, test.model+"/model").NewPredictor(test.o)
			if err != nil {
				t.Fatal(err)
			}
			everyFormat(t, p, test.not)
		})
	}
}

// tables are the formats of files with columns.
var tables = []string{"jsonl", "csv", "tsv", "npz", "tfrecord", "parquet", "arrow"}

func everyFormat(t *testing.T, p *runner.Predictor, not []string) {
	dir := t.TempDir()
	made, err := MakeUpRows(t.Context(), p, 5, []int64{3}) // of one length, as arrays want them
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	results := func(in, out string) []string {
		t.Helper()
		if _, err := (Job{Source: Source{Files: []string{in}}, Output: out}).Run(t.Context(), p); err != nil {
			t.Fatalf("%s to %s: %v", filepath.Base(in), filepath.Base(out), err)
		}
		return readBack(t, p, Job{Output: out})
	}
	for _, form := range tables {
		if slices.Contains(not, form) {
			continue
		}
		in := filepath.Join(dir, "in."+form)
		writeRowsAs(t, in, p, made.Rows)
		got := results(in, filepath.Join(dir, form+".jsonl"))
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != len(made.Rows) {
			t.Errorf("from %s (-jsonl +%s):\n%s", form, form, diff)
		}
		out := results(filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out."+form))
		if diff := cmp.Diff(formed(t, p, want, slices.Contains(tabular, form), false), out); diff != "" {
			t.Errorf("to %s (-jsonl +%s):\n%s", form, form, diff)
		}
	}
}

// createRows makes a file for rows of the format that its name shows. It is closed when the test
// ends.
func createRows(t *testing.T, name string) (source.Format, *os.File) {
	t.Helper()
	form, err := source.FindFormat("", name, writable)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // the writer's errors tell
	return form, f
}

// writeRowsAs writes rows of a predictor's inputs to a file.
func writeRowsAs(t *testing.T, name string, p *runner.Predictor, rows []dataset.Element) {
	t.Helper()
	form, f := createRows(t, name)
	if form.Name == "jsonl" {
		for _, row := range rows {
			line, err := p.AppendRowJSON(nil, row)
			if err == nil {
				_, err = f.Write(append(line, '\n'))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	w, err := writers[form.Name](f, table{names: p.RowSpec().Paths(), spec: p.RowSpec()})
	if err != nil {
		t.Fatalf("%s: %v", form.Name, err)
	}
	for i, row := range rows {
		r := runner.Result{Row: int64(i)}
		for c, v := range row.Tensors {
			value := runner.Value{Tensor: v}
			if row.Splits != nil {
				value.Splits = row.Splits[c]
			}
			r.Values = append(r.Values, value)
		}
		if err := w.write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}

// readBack returns the rows of a job's results, as JSON with the columns in the order of their
// names.
func readBack(t *testing.T, p *runner.Predictor, j Job) []string {
	t.Helper()
	name := j.Output
	form, err := source.FindFormat("", name, func(source.Format) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	columns, err := j.columns(p, form)
	if err != nil {
		t.Fatal(err)
	}
	items := map[string]dataset.Spec{}
	for _, c := range columns {
		items[c.name] = dataset.Leaf(c.Component)
	}
	spec := dataset.Dict(items)
	var out []string
	rows := source.Source{Files: []string{name}}.Rows(form, spec)
	for e, err := range rows.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		line := []byte{'{'}
		for i, name := range spec.Keys() {
			if i > 0 {
				line = append(line, ',')
			}
			ragged, _ := e.Ragged(i)
			line = append(dataset.AppendJSONString(line, name), ':')
			if line, err = dataset.AppendJSON(line, e.Tensors[i], ragged.Splits); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, string(line)+"}")
	}
	return out
}
