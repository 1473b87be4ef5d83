package plot

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tfrun/tfrun/runner"
)

// Collector collects the data of a run's figure, in memory that does not grow with the run. Add may
// be called by several goroutines.
type Collector struct {
	mu      sync.Mutex
	start   time.Time
	last    time.Time
	rows    int64
	batches int64
	real    int64
	padded  int64
	lengths bins   // rows by length
	waste   series // share of padding by batch
	latency series // milliseconds by time
	sample  []point
	rng     *rand.Rand
}

// point is a batch in the sample: how much was fed, and how long it took.
type point struct{ entries, ms float64 }

const (
	mostBins   = 256
	mostPoints = 1500
)

// NewCollector returns a collector for a run that begins now.
func NewCollector() *Collector {
	return &Collector{
		start:   time.Now(),
		lengths: bins{width: 1},
		waste:   series{width: 1},
		latency: series{width: 0.01},
		rng:     rand.New(rand.NewPCG(1, 2)), //nolint:gosec // a sample of points to draw
	}
}

// Add counts a batch. It is a function for [runner.PredictOptions.Batch].
func (c *Collector) Add(b runner.BatchInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range b.Lengths {
		c.lengths.add(n)
	}
	share := 0.0
	if b.Padded > 0 {
		share = 1 - float64(b.Real)/float64(b.Padded)
	}
	ms := float64(b.Duration.Nanoseconds()) / 1e6
	c.waste.add(float64(c.batches), 100*share)
	c.latency.add(max(b.Ended.Sub(c.start).Seconds(), 0), ms)
	p := point{float64(b.Rows) * float64(b.PaddedTo), ms}
	c.batches++
	// Every batch has the same chance to be in the sample: Vitter's algorithm R.
	if len(c.sample) < mostPoints {
		c.sample = append(c.sample, p)
	} else if at := c.rng.Int64N(c.batches); at < mostPoints {
		c.sample[at] = p
	}
	c.rows, c.real, c.padded, c.last = c.rows+int64(b.Rows), c.real+b.Real, c.padded+b.Padded, b.Ended
}

// Batches returns the number of batches.
func (c *Collector) Batches() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.batches
}

// bins counts numbers in at most mostBins bins of equal width. The width is doubled when a number
// is beyond the last bin.
type bins struct {
	width  int64
	counts []int64
}

func (b *bins) add(n int64) {
	for n/b.width >= mostBins {
		half := b.counts
		for i := range half {
			if i%2 == 0 {
				half[i/2] = half[i]
			} else {
				half[i/2] += half[i]
			}
		}
		b.counts = half[:(len(half)+1)/2]
		b.width *= 2
	}
	at := int(n / b.width)
	for len(b.counts) <= at {
		b.counts = append(b.counts, 0)
	}
	b.counts[at]++
}

// bin holds the sum and the extremes of a series' values in a part of the axis.
type bin struct {
	n              int64
	sum, low, high float64
}

func (b *bin) merge(o bin) {
	switch {
	case o.n == 0:
		return
	case b.n == 0:
		*b = o
		return
	}
	b.n, b.sum, b.low, b.high = b.n+o.n, b.sum+o.sum, min(b.low, o.low), max(b.high, o.high)
}

// series adds up values along an axis in at most mostBins bins of equal width. The width is doubled
// when the axis grows beyond the last bin.
type series struct {
	width float64
	bins  []bin
}

func (s *series) add(x, value float64) {
	for x/s.width >= mostBins {
		for i := range s.bins {
			if i%2 == 0 {
				s.bins[i/2] = s.bins[i]
			} else {
				s.bins[i/2].merge(s.bins[i])
			}
		}
		s.bins = s.bins[:(len(s.bins)+1)/2]
		s.width *= 2
	}
	at := int(x / s.width)
	for len(s.bins) <= at {
		s.bins = append(s.bins, bin{})
	}
	s.bins[at].merge(bin{n: 1, sum: value, low: value, high: value})
}
