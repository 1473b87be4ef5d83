package bench

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
)

// way is a combination that can be measured.
type way struct {
	batching runner.Batching
	workers  int
	size     int
}

// search measures the combinations that were asked for; where a list is empty it climbs: larger
// batches while they are faster, then more workers, then the other batchings.
func (b *bench) search(ctx context.Context) error {
	s := &searcher{bench: b, ctx: ctx, known: map[way]int{}}
	batchings, workers := b.batchings(), b.workers()
	// What predict does without flags, to compare with: first where it is one of the ways to choose
	// from, else last.
	usual := way{runner.Arrival, b.usualWorkers(), b.usualSize()}
	if b.asked(usual) {
		s.try(usual)
	}
	s.searchWays(batchings, workers)
	s.try(usual)
	return s.err
}

// searchWays measures all ways but the usual one.
func (s *searcher) searchWays(batchings []runner.Batching, workers []int) {
	b := s.bench
	sizes := b.o.BatchSizes
	switch {
	case b.o.Predict.NoBatch:
		sizes = []int{1}
	case b.fixed > 0:
		sizes = []int{b.fixed}
	}
	best := sizes
	if len(sizes) == 0 {
		best = []int{s.climb(batchings[len(batchings)-1])}
	}
	for _, batching := range batchings {
		for _, w := range workers {
			for _, size := range best {
				s.try(way{batching, w, size})
			}
		}
	}
	if len(sizes) == 0 && len(workers) > 1 && !b.o.Quick {
		// With several workers a smaller batch may do.
		s.try(way{batchings[len(batchings)-1], workers[len(workers)-1], max(best[0]/2, 1)})
	}
}

// asked reports whether a way may be chosen: the lists in the options do not leave it out.
func (b *bench) asked(w way) bool {
	return (len(b.o.Batchings) == 0 || slices.Contains(b.o.Batchings, w.batching)) &&
		(len(b.o.Workers) == 0 || slices.Contains(b.o.Workers, w.workers)) &&
		(len(b.o.BatchSizes) == 0 || b.fixed > 0 || b.o.Predict.NoBatch || slices.Contains(b.o.BatchSizes, w.size))
}

// usualSize is the batch size of predict without flags.
func (b *bench) usualSize() int {
	switch {
	case b.o.Predict.NoBatch:
		return 1
	case b.fixed > 0:
		return b.fixed
	}
	return b.free
}

// usualWorkers is the number of workers of predict without flags.
func (b *bench) usualWorkers() int {
	if b.stateful || b.random {
		return 1
	}
	return runner.DefaultWorkers
}

// batchings are those to measure: arrival first; exact where the answers depend on padding, bucket
// where they do not.
func (b *bench) batchings() []runner.Batching {
	switch pad := b.report.Padding; {
	case len(b.o.Batchings) > 0:
		return b.o.Batchings
	case !pad.Possible || b.stateful:
		return []runner.Batching{runner.Arrival}
	case pad.Depends:
		return []runner.Batching{runner.Exact, runner.Arrival}
	}
	return []runner.Batching{runner.Arrival, runner.Bucket}
}

// workers are the numbers of workers to measure: powers of two up to the number of cores.
func (b *bench) workers() []int {
	switch {
	case len(b.o.Workers) > 0:
		return b.o.Workers
	case b.stateful:
		return []int{1}
	}
	list := []int{1, 2}
	for w := 4; w <= runtime.NumCPU() && !b.o.Quick; w *= 2 {
		list = append(list, w)
	}
	return list
}

// searcher remembers what it has measured.
type searcher struct {
	*bench
	ctx   context.Context //nolint:containedctx // lives as long as one call of search
	known map[way]int     // places in report.Throughput
	err   error
}

// climb doubles and redoubles the batch while that gives more rows a second, with one worker, and
// returns the best size.
func (s *searcher) climb(batching runner.Batching) int {
	ladder := []int{16, 64, 256, 1024, 4096}
	if s.o.Quick {
		ladder = []int{16, 64, 256}
	}
	best, rate := runner.DefaultBatchSize, Number(0)
	for _, size := range ladder {
		t := s.try(way{batching, 1, size})
		if t.Rate > rate*(1+near) {
			best, rate = size, t.Rate
		} else if size > runner.DefaultBatchSize {
			break
		}
	}
	if s.o.Quick {
		return best
	}
	for _, size := range []int{best / 2, best * 2} {
		if t := s.try(way{batching, 1, size}); t.Rate > rate*(1+near) {
			best, rate = size, t.Rate
		}
	}
	return best
}

// try measures a way once, while there is time.
func (s *searcher) try(w way) Throughput {
	if at, ok := s.known[w]; ok {
		return s.report.Throughput[at]
	}
	if s.err == nil {
		s.err = s.ctx.Err()
	}
	if s.err != nil {
		return Throughput{}
	}
	if len(s.known) > 0 && time.Now().Add(s.takes(w)).After(s.until) {
		s.report.LeftOut++
		return Throughput{}
	}
	s.say("throughput, batching %s, workers %d, batch size %d", w.batching, w.workers, w.size)
	t, err := s.throughput(s.ctx, w)
	if err != nil {
		if s.ctx.Err() != nil {
			s.err = s.ctx.Err()
			return Throughput{}
		}
		t.Problem = err.Error()
	}
	s.known[w] = len(s.report.Throughput)
	s.report.Throughput = append(s.report.Throughput, t)
	return t
}

// takes is about how long a way will take to be measured: three windows, by the best rate seen.
func (b *bench) takes(w way) time.Duration {
	rate := b.rate()
	if rate <= 0 {
		return 0
	}
	rows := float64(b.windowRows(w))
	return stableWindows * max(b.window, time.Duration(rows/rate*float64(time.Second)))
}

// windowRows is how many rows a window holds at least: each of the sample once, and two batches of
// each worker.
func (b *bench) windowRows(w way) int { return max(len(b.sample), 2*w.size*w.workers) }

// rate is the best number of rows a second that was seen so far.
func (b *bench) rate() float64 {
	rate := 0.0
	for _, l := range b.report.Latency {
		if l.P50 > 0 {
			rate = max(rate, float64(l.BatchSize)/float64(l.P50)*1e3)
		}
	}
	for _, t := range b.report.Throughput {
		rate = max(rate, float64(t.Rate))
	}
	return rate
}

// throughput streams the sample round and round, and looks at the clock as batches end.
func (b *bench) throughput(ctx context.Context, w way) (Throughput, error) {
	t := Throughput{Batching: w.batching, Workers: w.workers, BatchSize: w.size}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// One way must not take the time of all others.
	c := &counter{least: b.window, rows: b.windowRows(w), most: b.most, until: time.Now().Add(b.o.Duration / 8), done: cancel}
	o := b.o.Predict
	o.Batching, o.Workers, o.BatchSize, o.Batch = w.batching, w.workers, w.size, c.batch
	o.PaddingMayChangeResults = true // measured before
	if o.NoBatch {
		o.BatchSize = 0
	}
	if o.Window == 0 && w.batching == runner.Exact {
		// Rows that come round again must not make larger groups of equal rows than the data has.
		o.Window = min(max(len(b.sample), w.size), dataset.DefaultWindow)
	}
	p, err := b.session.NewPredictor(o)
	if err != nil {
		return t, err
	}
	before := usageNow()
	for _, err = range p.Predict(ctx, b.endless(p.RowSpec())) {
		if err != nil {
			break
		}
	}
	t.Cores = usageNow().since(before).Own
	t.Resident, _ = resident()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended && err != nil {
		return t, err
	}
	t.Rate, t.Windows, t.Stable = Number(settled(c.rates)), len(c.rates), stable(c.rates)
	if c.padded > 0 {
		t.Waste = 1 - float64(c.real)/float64(c.padded)
	}
	return t, nil
}

// endless yields the sample for ever.
func (b *bench) endless(spec dataset.Spec) *dataset.Dataset {
	rows := b.sample
	return dataset.FromGenerator(spec, func(context.Context) iter.Seq2[dataset.Element, error] {
		return func(yield func(dataset.Element, error) bool) {
			for {
				for _, row := range rows {
					if !yield(row, nil) {
						return
					}
				}
			}
		}
	})
}

// counter makes windows of batches, and ends the stream when enough of them agree.
type counter struct {
	least time.Duration // of a window
	rows  int           // of a window, at least
	most  int           // windows
	until time.Time     // the last window ends then, however few rows it has
	done  func()

	mu           sync.Mutex
	start        time.Time // of the window; the first batch is not counted
	seen         int       // rows of the window
	rates        []float64
	real, padded int64
	ended        bool
}

func (c *counter) batch(info runner.BatchInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if c.start.IsZero() {
		c.start = info.Ended
		return
	}
	c.seen += info.Rows
	c.real, c.padded = c.real+info.Real, c.padded+info.Padded
	took := info.Ended.Sub(c.start)
	late := info.Ended.After(c.until) && took > 0
	if !late && (c.seen < c.rows || took < c.least) {
		return
	}
	// too little to say more than the windows before
	if late && len(c.rates) > 0 && c.seen < c.rows/2 {
		c.ended = true
		c.done()
		return
	}
	c.rates = append(c.rates, float64(c.seen)/took.Seconds())
	c.start, c.seen = info.Ended, 0
	if late || stable(c.rates) || len(c.rates) >= c.most {
		c.ended = true
		c.done()
	}
}

// choose says what to take: the fastest of those whose answers are the same, and each batching
// whose answers are of its own kind.
func (b *bench) choose() {
	list := slices.DeleteFunc(slices.Clone(b.report.Throughput), func(t Throughput) bool {
		return !b.asked(way{t.Batching, t.Workers, t.BatchSize})
	})
	add := func(gives string, batchings ...runner.Batching) {
		if at := best(list, batchings...); at >= 0 {
			c := Choice{Throughput: list[at], Gives: gives}
			if usual := b.usual(); usual > 0 {
				c.Speedup = c.Rate / usual
			}
			b.report.Choices = append(b.report.Choices, c)
		}
	}
	switch pad := b.report.Padding; {
	case !pad.Possible || !pad.Depends:
		add("the same answers as any other batching", runner.Arrival, runner.Bucket, runner.Auto, runner.Exact)
	default:
		add("what tf.data's padded_batch and the signature give in Python", runner.Arrival, runner.Auto)
		add("what each row gives alone", runner.Exact)
		add("answers that depend on the rows of like length that share a batch", runner.Bucket)
	}
}

// usual is the rate of predict without flags.
func (b *bench) usual() Number {
	at := slices.IndexFunc(b.report.Throughput, func(t Throughput) bool {
		return t.Batching == runner.Arrival && t.Workers == b.usualWorkers() && t.BatchSize == b.usualSize()
	})
	if at < 0 {
		return 0
	}
	return b.report.Throughput[at].Rate
}
