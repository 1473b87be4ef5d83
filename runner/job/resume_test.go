package job

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/tensor"
)

// resultsFor returns a table, and results for it.
func resultsFor(form string, n int) (table, []runner.Result) {
	t := table{names: []string{"score", "ids"}, keep: []string{"id", "name", errorColumn}}
	ids := dataset.UnknownRankSpec(tensor.Int64)
	switch form {
	case "npy", "npy of text":
		t.names, t.keep = t.names[:1], nil
	case "jsonl", "csv", "tsv", "parquet", "arrow":
		ids = dataset.RaggedSpec(tensor.Int64, 1, -1, -1)
	}
	spec := []dataset.Spec{dataset.TensorSpec(tensor.Float32, 2), ids}
	if form == "npy of text" {
		spec[0] = dataset.TensorSpec(tensor.String)
	}
	t.spec = dataset.Tuple(spec[:len(t.names)]...)
	var rows []runner.Result
	for i := range n {
		r := runner.Result{Row: int64(i)}
		if t.keep != nil {
			r.Extra = []dataset.Field{{Key: "id", Value: fmt.Append(nil, i)}, {Key: "name", Value: fmt.Appendf(nil, "%q", fmt.Sprint("row ", i*i))}}
		}
		if i%13 == 5 && len(t.keep) == 3 {
			r.Err = fmt.Errorf("row %d is bad", i)
			rows = append(rows, r)
			continue
		}
		score := runner.Value{Tensor: tensor.Vector(float32(i), float32(-i))}
		if form == "npy of text" {
			score.Tensor = tensor.Scalar(fmt.Sprint("wörd ", i))
		}
		value := runner.Value{Tensor: tensor.Vector(int64(i), int64(i)+1, 7)}
		if spec[1].Leaf().Ragged {
			value.Splits = []tensor.Tensor{tensor.Vector[int64](0, int64(i%4), 3)}
			value.Tensor, _ = tensor.FromSlice([]int64{int64(i), 1, 2}, 3)
		}
		r.Values = []runner.Value{score, value}[:len(t.names)]
		rows = append(rows, r)
	}
	return t, rows
}

// writeSome writes rows to a part, notes some of them in the journal as told, and ends the file or
// leaves it as a kill would.
func writeSome(p *partfile.File, t table, form source.Format, rows []runner.Result, noted func() bool, finish bool) error {
	t.part = p
	w, err := writers[form.Name](p, t)
	if err != nil {
		return err
	}
	done := p.Rows()
	note := func() error {
		state, err := w.checkpoint()
		return errors.Join(err, p.Checkpoint(done, state))
	}
	for _, r := range rows[done:] {
		if err := w.write(r); err != nil {
			return err
		}
		done++
		if noted() {
			if err := note(); err != nil {
				return err
			}
		}
	}
	if !finish {
		return p.Leave()
	}
	if err := errors.Join(note(), w.close()); err != nil {
		return err
	}
	return p.Commit()
}

// However often a run is killed, and wherever, the file of every format is that of a run that was
// not.
func TestResumeEveryFormat(t *testing.T) {
	t.Parallel()
	formed := map[string]string{"npy of text": "npy"}
	for name := range writers {
		formed[name] = name
	}
	const most = 3000 // more than the rows that columns' types follow from
	for name, as := range formed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			form, err := source.FindFormat(as, "", writable)
			if err != nil {
				t.Fatal(err)
			}
			tab, rows := resultsFor(name, most)
			for seed := range uint64(10) {
				rnd := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not for secrets
				n := []int{0, 1, 20, 1500, most}[seed%5]
				tab.group = 1 + rnd.IntN(1200)
				dir := t.TempDir()
				want := writeKilled(t, rnd, filepath.Join(dir, "whole"), tab, form, rows[:n], false)
				got := writeKilled(t, rnd, filepath.Join(dir, "killed"), tab, form, rows[:n], true)
				if string(got) != string(want) {
					t.Fatalf("seed %d: %d bytes of %d rows differ from the %d of one run", seed, len(got), n, len(want))
				}
				if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
					t.Fatalf("seed %d: left behind: %v", seed, left)
				}
			}
		})
	}
}

// writeKilled writes rows to a file in one or, if it may be killed, several runs, and returns what
// the file holds.
func writeKilled(t *testing.T, rnd *rand.Rand, path string, tab table, form source.Format, rows []runner.Result, killed bool) []byte {
	t.Helper()
	every := 1 + rnd.IntN(400)
	at := 0
	for again := false; ; again = true {
		p, err := partfile.Open(t.Context(), path, partfile.Identity{"a": "b"}, again, form.Head)
		if err != nil {
			t.Fatal(err)
		}
		if int(p.Rows()) > at || int(p.Rows()) < at-every {
			t.Fatalf("killed after %d rows with a note every %d, goes on after %d", at, every, p.Rows())
		}
		k := int(p.Rows())
		at = k + rnd.IntN(len(rows)-k+1)
		finish := !killed || rnd.IntN(4) == 0
		if finish {
			at = len(rows)
		}
		if err := writeSome(p, tab, form, rows[:at], func() bool { k++; return k%every == 0 }, finish); err != nil {
			t.Fatal(err)
		}
		if finish {
			break
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
