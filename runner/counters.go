package runner

import "sync/atomic"

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
