//go:build cgo && !notf

package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/tensor"
)

// TestBatches: results that are taken many at a time are those that Predict yields one by one, as
// blocks where rows come so.
func TestBatches(t *testing.T) {
	for _, model := range []string{"k3_autoencoder", "k2_fixed_batch"} {
		s := load(t, filepath.Join(model, "model"))
		for _, bad := range []bool{false, true} {
			p, err := s.NewPredictor(PredictOptions{SkipBadRows: bad})
			if err != nil {
				t.Fatal(err)
			}
			name := withoutID(t, tableOf(t, p, 150, bad))
			rows := func() *dataset.Dataset { return csv.Rows(p.spec, csv.Options{}, name) }
			want := results(t, p, rows())
			var got []Result
			blocks := 0
			for b, err := range p.Batches(t.Context(), rows()) {
				if err != nil {
					t.Fatal(err)
				}
				block, ok := b.Block()
				if ok {
					blocks++
				}
				for i := range b.Len() {
					r, err := b.Result(i)
					if err != nil {
						t.Fatal(err)
					}
					if b.Row(i) != r.Row || ok && !block.Tensors[0].Index(i).Equal(r.Values[0].Tensor) {
						t.Errorf("%s: row %d is not the batch's", model, r.Row)
					}
					got = append(got, r)
				}
				if ok && block.Tensors[0].Dims()[0] != int64(b.Len()) {
					t.Errorf("%s: a block of %d rows in a batch of %d", model, block.Tensors[0].Dims()[0], b.Len())
				}
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.Comparer(sameTensor), cmp.Comparer(sameError)); diff != "" {
				t.Errorf("%s: rows -, batches +\n%s", model, diff)
			}
			if blocks == 0 {
				t.Errorf("%s: no blocks", model)
			}
		}
	}
}

// withoutID takes the first column out of a CSV file.
func withoutID(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(line, ",")
		b.WriteString(rest)
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestCounters: what was fed is counted, for each predictor by itself.
func TestCounters(t *testing.T) {
	p, err := load(t, "k3_masked/model").NewPredictor(PredictOptions{BatchSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	q, err := p.With(func(o *PredictOptions) { o.From = 1 })
	if err != nil {
		t.Fatal(err)
	}
	const rows = "[1,2,3]\n[4]\n[5,6]\n"
	results(t, p, jsonRows(p, rows))
	want := Counters{Batches: 2, Rows: 3, Real: 6, Padded: 8}
	if got := p.Counters(); got != want || got.Waste() != 0.25 {
		t.Errorf("%+v, a waste of %v; want %+v", got, got.Waste(), want)
	}
	if got := q.Counters(); got != (Counters{}) {
		t.Errorf("a predictor that ran nothing: %+v", got)
	}
	b, err := p.NewBatcher(BatcherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Run(t.Context(), dataset.Element{Tensors: []tensor.Tensor{tensor.Vector[float32](1, 2)}}); err != nil {
		t.Fatal(err)
	}
	want = Counters{Batches: 3, Rows: 4, Real: 8, Padded: 10}
	if got := p.Counters(); got != want {
		t.Errorf("with a batcher's row: %+v, want %+v", got, want)
	}
}
