//go:build cgo && !notf

package runner

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// TestExactTwins: whatever rows are padded with, each gets the answer that it gets alone, from
// every model of which one is known to depend on padding and for which there is a twin.
func TestExactTwins(t *testing.T) {
	t.Parallel()
	var twins atomic.Int32
	want := int32(20)
	if underRace {
		want = 3
	}
	t.Cleanup(func() {
		if n := twins.Load(); n < want && !t.Failed() {
			t.Errorf("%d twins, want those of at least %d models", n, want)
		}
	})
	for name, c := range readTruth(t) {
		if len(c.Rows) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := loadDir(t, "../testdata/padding/"+name, Options{Exact: true})
			p, err := s.NewPredictor(PredictOptions{Batching: Exact})
			if err != nil {
				t.Fatal(err)
			}
			if _, padded := p.proofs(); p.twin == nil || padded.Answer == padding.Independent {
				return // no twin, or none that is needed
			}
			twins.Add(1)
			rows, err := jsonRows(p, c.lines()).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			checkTwin(t, s, p, rows)
		})
	}
}

// checkTwin runs rows and beginnings of them, alone and by the twin.
func checkTwin(t *testing.T, s *Session, p *Predictor, rows []dataset.Element) {
	t.Helper()
	alone, err := s.NewPredictor(PredictOptions{Signature: p.f.signature.Name, BatchSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	var all []dataset.Element
	for _, row := range rows {
		for n := p.trialLength(row); n > 0; n /= 2 {
			short, err := p.beginning(row, n)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := alone.collect(t.Context(), dataset.FromElements(p.spec, short)); err == nil {
				short.Row = int64(len(all))
				all = append(all, short)
			}
		}
	}
	want := collectAll(t, alone, all)
	for _, fill := range []float64{3, -0.5} {
		pad := map[string]tensor.Tensor{}
		for key, info := range p.f.signature.Inputs {
			if x, ok := scalarOf(info.DType, fill); ok {
				pad[key] = x
			}
		}
		q, err := s.NewPredictor(PredictOptions{Signature: p.f.signature.Name, Batching: Exact, Pad: pad})
		if err != nil {
			t.Fatal(err)
		}
		got := collectAll(t, q, all)
		for i := range want {
			for k, w := range want[i].Values {
				if why := differs(got[i].Values[k].Tensor, w.Tensor); why != "" {
					t.Errorf("padded with %v, row %d (%v), output %s: %s", fill, i, all[i].Tensors[0].Dims(), p.OutputNames()[k], why)
				}
			}
		}
	}
}

func collectAll(t *testing.T, p *Predictor, rows []dataset.Element) []Result {
	t.Helper()
	var all []Result
	for r, err := range p.Predict(t.Context(), dataset.FromElements(p.spec, rows...)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// scalarOf is a number as a scalar of a dtype, if that holds it.
func scalarOf(d tensor.DType, x float64) (tensor.Tensor, bool) {
	switch d {
	case tensor.Float32:
		return tensor.Scalar(float32(x)), true
	case tensor.Int32:
		return tensor.Scalar(int32(max(x, 0))), true
	case tensor.Int64:
		return tensor.Scalar(int64(max(x, 0))), true
	}
	return tensor.Tensor{}, false
}

// differs says how an answer is not the one that is wanted, by more than 1e-6 of values of usual
// size.
func differs(got, want tensor.Tensor) string {
	if !slices.Equal(got.Dims(), want.Dims()) {
		return fmt.Sprintf("shape %v, want %v", got.Dims(), want.Dims())
	}
	g, ok := numbers(got)
	if !ok {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("%v, want %v", got, want)
		}
		return ""
	}
	w, _ := numbers(want)
	for i := range w {
		same := g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i]) || math.Abs(g[i]-w[i]) <= 1e-6*max(1, math.Abs(w[i]))
		if !same {
			return fmt.Sprintf("%v at %d, want %v", g[i], i, w[i])
		}
	}
	return ""
}

// TestExactRecurrent: models drawn at random, of which Keras said what it gives for rows alone,
// have a twin, and it gives that for padded batches. make_recurrent.py makes more of them, in a
// folder that TFRUN_RECURRENT names.
func TestExactRecurrent(t *testing.T) {
	dir := "../testdata/recurrent"
	if more := os.Getenv("TFRUN_RECURRENT"); more != "" {
		dir = more
	}
	data, err := os.ReadFile(filepath.Join(dir, "recurrent.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		Rows  []json.RawMessage
		Alone []any
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	sampleUnderRace(all)
	t.Parallel()
	var worst atomic.Uint64
	t.Cleanup(func() { t.Logf("%d models, off by %.1e at most", len(all), math.Float64frombits(worst.Load())) })
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := loadDir(t, filepath.Join(dir, name), Options{Exact: true})
			p, err := s.NewPredictor(PredictOptions{Batching: Exact})
			if err != nil {
				t.Fatal(err)
			}
			if p.twin == nil {
				t.Fatal("it has no twin")
			}
			var batches atomic.Int32
			p = p.with(func(o *PredictOptions) { o.Batch = func(BatchInfo) { batches.Add(1) } })
			lines := ""
			for _, row := range all[name].Rows {
				lines += string(row) + "\n"
			}
			rows, err := jsonRows(p, lines).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			inFile := collectAll(t, p, rows)
			if batches.Load() != 1 {
				t.Errorf("the rows ran in %d batches, want 1", batches.Load())
			}
			b, err := p.NewBatcher(BatcherOptions{MaxWait: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			inOne, errs := together(t, b, rows)
			for i, r := range append(inFile, inOne...) {
				if i %= len(rows); errs[i] != nil {
					t.Fatal(errs[i])
				}
				got, want := flatNumbers(t, r.Values[0]), flatJSON(all[name].Alone[i])
				if len(got) != len(want) {
					t.Fatalf("row %d: %d numbers, want %d", i, len(got), len(want))
				}
				for k := range want {
					off := math.Abs(got[k]-want[k]) / max(1, math.Abs(want[k]))
					for old := worst.Load(); off > math.Float64frombits(old) && !worst.CompareAndSwap(old, math.Float64bits(off)); {
						old = worst.Load()
					}
					if !(off <= 1e-6) {
						t.Errorf("row %d (%v), number %d: %v, want %v", i, rows[i].Tensors[0].Dims(), k, got[k], want[k])
						break
					}
				}
			}
			if stats := b.Stats(); stats.Batches >= stats.Rows {
				t.Errorf("no row shared a batch: %+v", stats)
			}
		})
	}
}

func flatNumbers(t *testing.T, v Value) []float64 {
	t.Helper()
	list, ok := numbers(v.Tensor)
	if !ok {
		t.Fatalf("%v holds no numbers", v.Tensor)
	}
	return list
}

// flatJSON lists the numbers of nested lists.
func flatJSON(x any) []float64 {
	switch x := x.(type) {
	case float64:
		return []float64{x}
	case []any:
		var list []float64
		for _, y := range x {
			list = append(list, flatJSON(y)...)
		}
		return list
	}
	return nil
}

// TestExactRandom: graphs drawn at random that have a twin get answers by it that no padding
// changes. make_padding.py --random makes them, in a folder that TFRUN_PADDING_RANDOM names.
func TestExactRandom(t *testing.T) {
	dir := os.Getenv("TFRUN_PADDING_RANDOM")
	if dir == "" {
		t.Skip("NOT TRIED: TFRUN_PADDING_RANDOM names no folder of random graphs")
	}
	s := loadDir(t, filepath.Join(dir, "random"), Options{Exact: true})
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same rows every time
	twins := 0
	for _, name := range s.graph.SignatureNames() {
		p, err := s.NewPredictor(PredictOptions{Signature: name, Batching: Exact})
		if err != nil {
			t.Fatal(err)
		}
		if p.twin == nil {
			continue
		}
		twins++
		lines := ""
		for n := 1; n < 12; n += 2 {
			row := make([]int, n)
			for i := range row {
				row[i] = rng.IntN(20)
			}
			text, _ := json.Marshal(row)
			lines += string(text) + "\n"
		}
		rows, err := jsonRows(p, lines).Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { checkTwin(t, s, p, rows) })
	}
	t.Logf("%d twins of %d graphs", twins, len(s.graph.SignatureNames()))
}
