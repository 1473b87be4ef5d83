package runner

import (
	"context"
	"errors"
	"os"
	"runtime"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// Run does a whole job: it loads the model in dir as suits the job, runs it, and closes the model.
// What o and po leave open is chosen as [Job.Load] says. Errors are those of [Load],
// [Session.NewPredictor] and [Predictor.Run].
func Run(ctx context.Context, dir string, o Options, po PredictOptions, j Job) (sum Summary, err error) {
	defer openAhead(o)()
	m, err := savedmodel.Open(dir)
	if err != nil {
		return sum, err
	}
	s, p, err := j.Load(ctx, m, o, po)
	if err != nil {
		return sum, err
	}
	sum, err = p.Run(ctx, j)
	return sum, errors.Join(err, s.Close())
}

// Load loads a model for the job, and makes the predictor that runs it. Of o it chooses what is
// left open, see [Job.Options]. The caller closes the session.
func (j Job) Load(ctx context.Context, m *savedmodel.Model, o Options, po PredictOptions) (*Session, *Predictor, error) {
	o, err := j.Options(m, o, po)
	if err != nil {
		return nil, nil, err
	}
	s, err := LoadModel(ctx, m, o)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.NewPredictor(po)
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, p, nil
}

// Options returns o with what it leaves open chosen to suit the job:
//
//   - Signatures: the one that is run;
//   - Exact: where the batching is [Exact];
//   - Optimizer: [OptimizerNone] for a short job, which ends before an optimizer has earned its
//     time back, else [OptimizerFunctions];
//   - WarmUp: for all but short jobs;
//   - IntraOp: of all but short jobs, each batch that runs at the same time gets its share of the
//     cores.
//
// A job is short where its files hold 16 KiB at most: the optimizer takes as long as running some
// hundred rows of the tutorial's model. Operations of two batches that each spread over all cores
// get in each other's way: on 2 cores one thread for each of two batches gave the tutorial's model
// 1.05 times the rows a second, a small dense model 1.15 times.
func (j Job) Options(m *savedmodel.Model, o Options, po PredictOptions) (Options, error) {
	mg, err := m.MetaGraph(o.Tags...)
	if err != nil {
		return o, err
	}
	sig, err := mg.Signature(po.Signature)
	if err != nil {
		return o, err
	}
	if o.Signatures == nil {
		o.Signatures = []string{sig.Name}
	}
	o.Exact = o.Exact || po.Batching == Exact
	if j.Source.short() {
		if o.Optimizer == "" {
			o.Optimizer = OptimizerNone
		}
		return o, nil
	}
	o.WarmUp = true
	if o.IntraOp != 0 {
		return o, nil
	}
	workers := po.Workers
	if workers == 0 {
		state, err := mg.State(sig)
		if err != nil {
			return o, err
		}
		workers = defaultWorkers(state)
	}
	if workers > 1 {
		o.IntraOp = max(runtime.GOMAXPROCS(0)/workers, 1)
	}
	return o, nil
}

// defaultWorkers is the number of batches that run at the same time where nobody says.
func defaultWorkers(state savedmodel.State) int {
	if state.Stateful() || len(state.Random) > 0 {
		return 1
	}
	return DefaultWorkers
}

// openAhead opens libtensorflow while the model's files are looked at: that takes 0.2 s. The
// function that it returns waits for the end of it: file descriptor 2 may lead nowhere until then.
// An error is that of [LoadModel], which opens the library too.
func openAhead(o Options) (wait func()) {
	if o.Isolate {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = OpenLibrary(o.Library)
	}()
	return func() { <-done }
}

// shortJobBytes is how much input, compressed or not, makes a short job.
const shortJobBytes = 16 << 10

// short reports whether the files hold so little that a job with them is short. What comes down a
// pipe may be long.
func (src Source) short() bool {
	total := int64(0)
	for _, name := range src.Files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return false
		}
		total += info.Size()
	}
	return total <= shortJobBytes
}

// regular reports whether all rows come from files, and none from a pipe.
func (src Source) regular() bool {
	for _, name := range src.Files {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// sizedFor returns the predictor with batches as large as suits the files and the signature, unless
// the options say how large batches are, or what that depends on. What comes down a pipe may come
// slowly: nobody is to wait until many rows are there.
func (p *Predictor) sizedFor(src Source) (*Predictor, error) {
	o := p.o
	if p.sized || o.NoBatch || o.MaxTokens > 0 || o.Batching != "" && o.Batching != Arrival || src.short() || !src.regular() {
		return p, nil
	}
	size, err := p.FileBatchSize()
	return p.with(func(o *PredictOptions) { o.BatchSize = size }), err
}

// Batches of files are made so large, in rows of a power of two, that what is computed for one
// comes to manyValues at most, which the caches of a core hold about.
const (
	manyValues  = 1 << 21
	maxFileRows = 1 << 13
)

// FileBatchSize returns how many rows of files [Predictor.Run] takes for a batch where the options
// do not say, unless they are few: the size that the signature fixes, [DefaultBatchSize], or more
// of a signature that computes little for a row, and that from the row alone
// ([sizes.RowValues]). Each run has a cost of its own: of a million rows of 32
// numbers, through two small dense layers, 64 at a time took 6 times as long as 4,096.
func (p *Predictor) FileBatchSize() (int, error) {
	if p.fixed > 0 {
		return int(p.fixed), nil
	}
	values, ok, err := sizes.RowValues(p.f.session.graph, p.f.signature)
	if err != nil || !ok {
		return DefaultBatchSize, err
	}
	const widest = 16 // bytes of a value
	most := min(manyValues, p.o.Limits.BatchBytes/widest)
	rows := int64(DefaultBatchSize)
	for rows < maxFileRows && 2*rows*values <= most {
		rows *= 2
	}
	return int(rows), nil
}
