//go:build cgo && !notf

package runner

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// BenchmarkBatcher compares 64 goroutines that run single rows with a batcher and without one:
// rows/s and alone/s are the rates, and times-the-rate is their ratio. A row is to be answered
// within the wait that is allowed plus two batches; p50-µs and p99-µs are what rows took, and
// two-batches-µs is what two batches of all rows take, one after the other, on the same machine.
func BenchmarkBatcher(b *testing.B) {
	for _, model := range []string{"k3_compiled", "k3_wide_deep", "k3_seed"} {
		b.Run(model, func(b *testing.B) { benchmarkBatcher(b, model) })
	}
}

// Each goroutine waits for its answer, so two batches at a time, each of half the goroutines' rows,
// keep two cores busy.
const (
	benchWait = time.Millisecond
	benchRows = 64
)

func benchmarkBatcher(b *testing.B, model string) {
	s, err := Load(b.Context(), filepath.Join("../testdata/models", model, "model"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p, err := s.NewPredictor(PredictOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rows, err := MadeUpRows(b.Context(), p, benchRows, []int64{32})
	if err != nil {
		b.Fatal(err)
	}
	batcher, err := p.NewBatcher(BatcherOptions{MaxWait: benchWait, MaxBatch: benchRows / 2})
	if err != nil {
		b.Fatal(err)
	}
	defer batcher.Close()
	alone := func(row dataset.Element) error {
		feeds := map[string]tensor.Tensor{}
		for i, t := range row.Tensors {
			dims := append([]int64{1}, t.Dims()...)
			feeds[p.spec.Paths()[i]], _ = tensor.Share(t.DType(), t.Bytes(), dims)
		}
		_, err := s.Run(b.Context(), "", feeds)
		return err
	}
	shared := func(row dataset.Element) error {
		_, err := batcher.Run(b.Context(), row)
		return err
	}
	timesOf(b, rows, alone)
	timesOf(b, rows, shared)
	before := batcher.Stats()
	var ratios, rates, singles []float64
	var took []time.Duration
	for b.Loop() {
		together, single := timesOf(b, rows, shared), timesOf(b, rows, alone)
		took = append(took, together...)
		rates, singles = append(rates, float64(len(together))/benchTime.Seconds()), append(singles, float64(len(single))/benchTime.Seconds())
		ratios = append(ratios, float64(len(together))/float64(len(single)))
	}
	after := batcher.Stats()
	slices.Sort(took)
	b.ReportMetric(median(ratios), "times-the-rate")
	b.ReportMetric(median(rates), "rows/s")
	b.ReportMetric(median(singles), "alone/s")
	b.ReportMetric(float64(after.Rows-before.Rows)/float64(after.Batches-before.Batches), "rows/batch")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(twoBatches(b, p, rows).Microseconds()), "two-batches-µs")
	b.ReportMetric(0, "ns/op")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// benchTime is how long rows are run for a rate.
const benchTime = 500 * time.Millisecond

// timesOf has a goroutine for each row run it again and again, and returns what each run took.
func timesOf(b *testing.B, rows []dataset.Element, run func(dataset.Element) error) []time.Duration {
	b.Helper()
	took := make([][]time.Duration, len(rows))
	var wg sync.WaitGroup
	start := time.Now()
	for i, row := range rows {
		wg.Go(func() {
			for now := time.Now(); now.Sub(start) < benchTime; {
				if err := run(row); err != nil {
					b.Error(err)
					return
				}
				end := time.Now()
				took[i] = append(took[i], end.Sub(now))
				now = end
			}
		})
	}
	wg.Wait()
	return slices.Concat(took...)
}

// twoBatches returns what two batches of the rows take, in the median.
func twoBatches(b *testing.B, p *Predictor, rows []dataset.Element) time.Duration {
	b.Helper()
	var took []time.Duration
	for range 101 {
		start := time.Now()
		for range 2 {
			if _, err := p.collectInOrder(b.Context(), rows); err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}
