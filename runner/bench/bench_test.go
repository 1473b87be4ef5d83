package bench

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tfrun/tfrun/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBest: the quickest figure counts, and of two alike the one with fewer workers or rows.
func TestBest(t *testing.T) {
	t.Parallel()
	list := []Throughput{
		{Batching: runner.Arrival, Workers: 1, BatchSize: 64, Rate: 100},
		{Batching: runner.Arrival, Workers: 2, BatchSize: 64, Rate: 101},
		{Batching: runner.Bucket, Workers: 2, BatchSize: 256, Rate: 310},
		{Batching: runner.Bucket, Workers: 2, BatchSize: 128, Rate: 305},
		{Batching: runner.Bucket, Workers: 1, BatchSize: 512, Rate: 200},
		{Batching: runner.Bucket, Workers: 1, BatchSize: 4096, Rate: 900, Problem: "no memory"},
	}
	for _, tt := range []struct {
		batchings []runner.Batching
		want      int
	}{
		{[]runner.Batching{runner.Arrival}, 0}, // as good, with one worker
		{[]runner.Batching{runner.Arrival, runner.Bucket}, 3},
		{[]runner.Batching{runner.Exact}, -1},
	} {
		if got := best(list, tt.batchings...); got != tt.want {
			t.Errorf("Best(%v) = %d, want %d", tt.batchings, got, tt.want)
		}
	}
}

// TestCounter: windows hold the rows that they must, the first batch counts for nothing, and
// agreement ends the stream.
func TestCounter(t *testing.T) {
	t.Parallel()
	ended := 0
	now := time.Unix(1000, 0)
	c := &counter{least: time.Second, rows: 20, most: 9, workers: 1, until: now.Add(time.Hour), done: func() { ended++ }}
	batch := func(rows int, after time.Duration) {
		now = now.Add(after)
		c.batch(runner.BatchInfo{Rows: rows, Real: int64(rows), Padded: 2 * int64(rows), Ended: now})
	}
	batch(1000, 0)
	batch(10, time.Second) // long enough, too few rows
	batch(10, time.Second)
	for range 30 {
		batch(10, 100*time.Millisecond) // many rows, not long enough before the tenth
	}
	if len(c.rates) != 4 || c.rates[0] != 10 || math.Abs(c.rates[3]-100) > 1e-9 || ended != 1 || c.padded != 2*c.real {
		t.Errorf("rates %v, ended %d times, %d of %d", c.rates, ended, c.real, c.padded)
	}
}

// TestCounterOfWorkers: batches that end together, one of each worker, are as quick as they are in
// all, and no quicker, also where there is time for a few only.
func TestCounterOfWorkers(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	for _, until := range []time.Duration{time.Second, 35 * time.Second, time.Hour} {
		c := &counter{least: time.Second, rows: 64, most: 9, workers: 2, until: begin.Add(until), done: func() {}}
		for i := range 20 {
			for worker := range 2 {
				now := begin.Add(time.Duration(10*(i+1))*time.Second + time.Duration(worker)*time.Millisecond)
				c.batch(runner.BatchInfo{Rows: 64, Ended: now})
			}
		}
		if len(c.rates) == 0 || slices.ContainsFunc(c.rates, func(r float64) bool { return r < 12 || r > 13 }) {
			t.Errorf("within %v: rates %v, want 12.8 rows a second", until, c.rates)
		}
	}
}

// TestCounterIsLate: a slow model gets a window of what there is, once its time is over.
func TestCounterIsLate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	ended := 0
	c := &counter{least: time.Second, rows: 1000, most: 9, workers: 1, until: now.Add(25 * time.Second), done: func() { ended++ }}
	for range 9 {
		now = now.Add(10 * time.Second)
		c.batch(runner.BatchInfo{Rows: 5, Ended: now})
	}
	if len(c.rates) != 1 || c.rates[0] != 0.5 || ended != 1 {
		t.Errorf("rates %v, ended %d times, want one window of 0.5 rows a second", c.rates, ended)
	}
}

// TestSlowModels holds what is measured of models of 10 µs to 10 s a row against the time that
// there is: nothing that cannot end in it is begun.
func TestSlowModels(t *testing.T) {
	ways := []way{{runner.Arrival, 1, 16}, {runner.Arrival, 2, 64}, {runner.Exact, 2, 256}, {runner.Bucket, 4, 4096}}
	for _, duration := range []time.Duration{6 * time.Second, time.Minute} {
		for _, row := range []time.Duration{10 * time.Microsecond, time.Millisecond, 100 * time.Millisecond, 10 * time.Second} {
			b := &bench{o: Options{Duration: duration}, report: &Report{}}
			b.report.Latency = []Latency{{BatchSize: 1, P50: Number(row.Seconds() * 1e3)}}
			b.schedule()
			for _, w := range ways {
				least := time.Duration(2*w.size*w.workers) * row
				got := b.takes(w)
				if got < least || got > max(least, duration/8) {
					t.Errorf("%v a row: %v takes %v of %v, want %v at least, and no more than it or an eighth", row, w, got, duration, least)
				}
				if fits := b.fits(got); fits != (got <= duration*2/5) {
					t.Errorf("%v a row: %v takes %v of %v, fits: %v", row, w, got, duration, fits)
				}
			}
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal([]Number{1.5, Number(math.NaN())})
	if err != nil || string(got) != "[1.5,null]" {
		t.Errorf("%s, %v", got, err)
	}
}

// TestNoise: what other programs and the hypervisor took meanwhile, in cores.
func TestNoise(t *testing.T) {
	t.Parallel()
	before := usage{at: time.Unix(0, 0), own: 1, busy: 10, steal: 2, known: true}
	after := usage{at: time.Unix(10, 0), own: 6, busy: 25, steal: 3, known: true}
	if got, want := after.since(before), (Noise{Own: 0.5, Others: 1, Steal: 0.1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	after.known = false
	if got := after.since(before); got.Others != -1 || got.Steal != -1 {
		t.Errorf("got %+v, want what is not known as -1", got)
	}
	if now, peak := resident(); now > peak {
		t.Errorf("resident %d, peak %d", now, peak)
	}
}
