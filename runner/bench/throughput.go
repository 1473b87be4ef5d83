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

// way is a combination of batching, workers and batch size.
type way struct {
	batching runner.Batching
	workers  int
	size     int
}

// search measures the combinations that the options ask for. If a list is empty, it searches:
// larger batches as long as they are faster, then more workers, then the other batchings.
func (b *bench) search(ctx context.Context) error {
	s := &searcher{bench: b, ctx: ctx, known: map[way]int{}}
	batchings, workers := b.batchings(), b.workers()
	// What predict does without flags, to compare with. It comes first if it is one of the ways to
	// choose from and there is time, otherwise last: the first way of all is tried in any case.
	usual := way{runner.Arrival, b.usualWorkers(), b.usualSize()}
	if b.asked(usual) && b.fits(b.takes(usual)) {
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
		// With several workers a smaller batch may be as fast.
		s.try(way{batchings[len(batchings)-1], workers[len(workers)-1], max(best[0]/2, 1)})
	}
}

// asked reports whether the lists in the options allow to choose a way.
func (b *bench) asked(w way) bool {
	return (len(b.o.Batchings) == 0 || slices.Contains(b.o.Batchings, w.batching)) &&
		(len(b.o.Workers) == 0 || slices.Contains(b.o.Workers, w.workers)) &&
		(len(b.o.BatchSizes) == 0 || b.fixed > 0 || b.o.Predict.NoBatch || slices.Contains(b.o.BatchSizes, w.size))
}

// usualSize returns the batch size of predict without flags.
func (b *bench) usualSize() int {
	switch {
	case b.o.Predict.NoBatch:
		return 1
	case b.fixed > 0:
		return b.fixed
	}
	return b.free
}

// usualWorkers returns the number of workers of predict without flags.
func (b *bench) usualWorkers() int {
	if b.stateful || b.random {
		return 1
	}
	return runner.DefaultWorkers
}

// batchings returns the batchings to measure: arrival first, then exact if answers depend on
// padding, otherwise bucket.
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

// workers returns the numbers of workers to measure: powers of two up to the number of cores.
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

// searcher keeps the ways that were measured.
type searcher struct {
	*bench
	ctx   context.Context //nolint:containedctx // lives as long as one call of search
	known map[way]int     // indices in report.Throughput
	err   error
}

// climb doubles the batch size as long as that gives more rows per second, with one worker, and
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

// try measures a way once, if there is time left.
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
	if len(s.known) > 0 && !s.fits(s.takes(w)) {
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

// takes returns about how long it will take to measure a way at the best rate so far: three windows
// or what a way may take, and at least a batch of each worker before the first window and in it.
func (b *bench) takes(w way) time.Duration {
	windows := stableWindows * max(b.window, b.running(b.windowRows(w)))
	return max(min(windows, b.share()), b.running(2*w.size*w.workers))
}

// running returns about how long rows will run, at the best rate so far.
func (b *bench) running(rows int) time.Duration {
	rate := b.rate()
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(rows) / rate * float64(time.Second))
}

// fits reports whether there is time left for what takes so long.
func (b *bench) fits(d time.Duration) bool { return !time.Now().Add(d).After(b.until) }

// share returns how long a way is measured at most, so that one does not use up the time of all
// others.
func (b *bench) share() time.Duration { return b.o.Duration / 8 }

// windowRows returns the least number of rows in a window: each row of the sample once, and two
// batches for each worker.
func (b *bench) windowRows(w way) int { return max(len(b.sample), 2*w.size*w.workers) }

// rate returns the highest number of rows per second so far.
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

// throughput streams the sample again and again, and measures the time at the ends of batches.
func (b *bench) throughput(ctx context.Context, w way) (Throughput, error) {
	t := Throughput{Batching: w.batching, Workers: w.workers, BatchSize: w.size}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &counter{least: b.window, rows: b.windowRows(w), most: b.most, workers: max(1, w.workers), until: time.Now().Add(b.share()), done: cancel}
	o := b.o.Predict
	o.Batching, o.Workers, o.BatchSize, o.Batch = w.batching, w.workers, w.size, c.batch
	o.PaddingMayChangeResults = true // that was measured before
	if o.NoBatch {
		o.BatchSize = 0
	}
	if o.Window == 0 && w.batching == runner.Exact {
		// Repeated rows must not make larger groups of equal shapes than the data has.
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

// endless yields the rows of the sample for ever.
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

// counter divides batches into windows, and ends the stream when enough windows agree.
type counter struct {
	least time.Duration // the shortest window
	rows  int           // the least rows of a window
	most  int           // the most windows
	// workers is how many batches run at a time: as many end before a window begins, and in each
	// window. The gap between the batches of two workers says nothing.
	workers int
	until   time.Time // the last window ends then, even with fewer rows
	done    func()

	mu           sync.Mutex
	begun        int       // batches before the first window
	start        time.Time // beginning of the window
	batches      int       // in the window
	seen         int       // rows in the window
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
	if c.begun < c.workers {
		c.begun++
		c.start = info.Ended
		return
	}
	c.batches++
	c.seen += info.Rows
	c.real, c.padded = c.real+info.Real, c.padded+info.Padded
	took := info.Ended.Sub(c.start)
	late := info.Ended.After(c.until) && took > 0
	if c.batches < c.workers || !late && (c.seen < c.rows || took < c.least) {
		return
	}
	// It has too few rows to improve on the windows before.
	if late && len(c.rates) > 0 && c.seen < c.rows/2 {
		c.ended = true
		c.done()
		return
	}
	c.rates = append(c.rates, float64(c.seen)/took.Seconds())
	c.start, c.batches, c.seen = info.Ended, 0, 0
	if late || stable(c.rates) || len(c.rates) >= c.most {
		c.ended = true
		c.done()
	}
}

// choose sets the recommended choices: the fastest of the ways with the same answers, and each
// batching whose answers differ.
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

// usual returns the rate of predict without flags.
func (b *bench) usual() Number {
	at := slices.IndexFunc(b.report.Throughput, func(t Throughput) bool {
		return t.Batching == runner.Arrival && t.Workers == b.usualWorkers() && t.BatchSize == b.usualSize()
	})
	if at < 0 {
		return 0
	}
	return b.report.Throughput[at].Rate
}
