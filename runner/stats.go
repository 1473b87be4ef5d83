package runner

import (
	"sync/atomic"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// Stats say what TensorFlow has run of a [Session] so far. To publish them, with package expvar:
//
//	expvar.Publish("reviews", expvar.Func(func() any { return s.Stats() }))
//
// What predictors made of rows and padding is in [Counters] of each, and what a [Batcher] shared in
// [BatcherStats].
type Stats struct {
	Runs   int64 `json:"runs"`   // calls of TensorFlow, of batches and parts of batches too
	Failed int64 `json:"failed"` // of them
	Now    int64 `json:"now"`    // of them, those that go on, also unseen after their deadlines
	// Bytes that were fed to runs, and that came back.
	FedBytes     int64 `json:"fed_bytes"`
	FetchedBytes int64 `json:"fetched_bytes"`
	// C memory that tensors of this process, of all sessions, hold now, in bytes: what is fed,
	// what is kept for the next call of few values, and what waits for the garbage collector. It
	// does not count texts of more than 22 bytes, weights, what TensorFlow takes while it runs, and
	// the processes of isolated models.
	TensorBytes int64 `json:"tensor_bytes"`
}

// stats are Stats that several goroutines add to.
type stats struct {
	runs, failed, now, fed, fetched atomic.Int64
}

// Stats returns the counts so far, at any time, also of a session that is closed.
func (s *Session) Stats() Stats {
	c := &s.stats
	return Stats{
		Runs: c.runs.Load(), Failed: c.failed.Load(), Now: c.now.Load(),
		FedBytes: c.fed.Load(), FetchedBytes: c.fetched.Load(), TensorBytes: tf.TensorBytes(),
	}
}

// begin counts a run that begins; the function that it returns counts its end.
func (s *stats) begin(fed int64) (end func(out []tensor.Tensor, err error)) {
	s.runs.Add(1)
	s.now.Add(1)
	s.fed.Add(fed)
	return func(out []tensor.Tensor, err error) {
		s.now.Add(-1)
		if err != nil {
			s.failed.Add(1)
			return
		}
		for _, t := range out {
			s.fetched.Add(bytesOf(t))
		}
	}
}

// bytesOf returns how many bytes a tensor's values take.
func bytesOf(t tensor.Tensor) int64 {
	n := int64(len(t.Bytes()))
	for _, text := range t.Strings() {
		n += int64(len(text))
	}
	return n
}

// Counters say what a [Predictor] has fed to TensorFlow so far, in all of its iterations and
// batchers. To publish them, with package expvar:
//
//	expvar.Publish("reviews", expvar.Func(func() any { return p.Counters() }))
type Counters struct {
	Batches int64 `json:"batches"`
	Rows    int64 `json:"rows"`
	// Real values of the rows were padded to Padded ones, in batches: rows of whole tensors, which
	// NoBatch runs, are not among them.
	Real   int64 `json:"real"`
	Padded int64 `json:"padded"`
}

// Waste is the share of padding in what was fed: 0.75 when three values out of four are padding.
func (c Counters) Waste() float64 {
	if c.Padded == 0 {
		return 0
	}
	return 1 - float64(c.Real)/float64(c.Padded)
}

// counters are Counters that several goroutines add to.
type counters struct {
	batches, rows, real, padded atomic.Int64
}

// Counters returns the counts so far, at any time.
func (p *Predictor) Counters() Counters {
	c := p.counters
	return Counters{Batches: c.batches.Load(), Rows: c.rows.Load(), Real: c.real.Load(), Padded: c.padded.Load()}
}
