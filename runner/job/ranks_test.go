//go:build cgo && !notf

package job

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// outcomes runs files of rows and says what became of each: "ok", or its error from "field" on.
func outcomes(t *testing.T, p *runner.Predictor, files ...string) []string {
	t.Helper()
	rows, err := Source{Files: files}.Rows(p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r, err := range p.Predict(context.Background(), rows) {
		switch {
		case err != nil:
			got = append(got, "end: "+err.Error())
		case r.Err != nil:
			s := r.Err.Error()
			if !strings.Contains(s, filepath.Base(files[len(files)-1])) {
				t.Errorf("%v: the file is not named", r.Err)
			}
			got = append(got, s[strings.Index(s, "field"):])
		default:
			got = append(got, "ok")
		}
	}
	return got
}

// TestRankOfFirstRow feeds an input whose rank is open with files of scalars and of vectors: a row
// of another rank than the first one's is refused by itself, from every format and in every shard.
func TestRankOfFirstRow(t *testing.T) {
	t.Parallel()
	const refused = `field "x": got a value of shape (2,): the rows of a batch have one rank, here 0`
	for _, form := range tables {
		if form == "tfrecord" {
			continue // a feature is a flat list, whose values fill the shape
		}
		scalars, vectors := filepath.Join(t.TempDir(), "scalars."+form), filepath.Join(t.TempDir(), "vectors."+form)
		writeValues(t, scalars, dataset.TensorSpec(tensor.Float32), tensor.Scalar[float32](1), tensor.Scalar[float32](2))
		writeValues(t, vectors, dataset.TensorSpec(tensor.Float32, 2), tensor.Vector[float32](3, 4), tensor.Vector[float32](5, 6))
		for shards, want := range map[int64][]string{0: {"ok", "ok", refused, refused}, 2: {"ok", refused}} {
			p, err := load(t, "tf1_half_plus_two/model").NewPredictor(runner.PredictOptions{SkipBadRows: true, Shards: shards, Shard: max(0, shards-1)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, outcomes(t, p, scalars, vectors)); diff != "" {
				t.Errorf("%s, %d shards (-want +got):\n%s", form, shards, diff)
			}
		}
	}
}

// TestLargerThanPaddedShape checks that a row that does not fit the given padded shape is refused
// by itself.
func TestLargerThanPaddedShape(t *testing.T) {
	t.Parallel()
	p, err := load(t, "k3_masked/model").NewPredictor(runner.PredictOptions{SkipBadRows: true, PaddedShapes: map[string]dataset.Dims{"tokens": {3}}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(name, []byte("[1,2]\n[1,2,3,4]\n[2]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"ok", `field "tokens": shape (4,) is larger than the padded shape (3,)`, "ok"}
	if diff := cmp.Diff(want, outcomes(t, p, name)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// writeValues writes a file of rows that hold x alone.
func writeValues(t *testing.T, name string, spec dataset.Spec, values ...tensor.Tensor) {
	t.Helper()
	form, f := createRows(t, name)
	if form.Name == "jsonl" {
		for _, v := range values {
			text, err := dataset.AppendJSON(nil, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(f, "{\"x\":%s}\n", text)
		}
		return
	}
	w, err := writers[form.Name](f, table{names: []string{"x"}, spec: dataset.Dict(map[string]dataset.Spec{"x": spec})})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if err := w.write(runner.Result{Row: int64(i), Values: []runner.Value{{Tensor: v}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}
