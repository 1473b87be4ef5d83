package job

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
	"github.com/tfrun/tfrun/savedmodel"
)

// Load loads a model for the job, and makes a predictor of it. It chooses what o leaves open, see
// [Job.Options]. The caller closes the session.
func (j Job) Load(ctx context.Context, m *savedmodel.Model, o runner.Options, po runner.PredictOptions) (*runner.Session, *runner.Predictor, error) {
	o, err := j.Options(m, o, po)
	if err != nil {
		return nil, nil, err
	}
	s, err := runner.LoadModel(ctx, m, o)
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
//   - Exact: where the batching is [runner.Exact];
//   - Optimizer: [runner.OptimizerNone] for a short job, which ends before an optimizer has earned
//     its time back;
//   - WarmUp: for all but short jobs;
//   - IntraOp: of all but short jobs, each batch that runs at the same time gets its share of the
//     cores.
//
// A job is short where its files hold 16 KiB at most: the optimizer takes as long as running some
// hundred rows of the tutorial's model. Operations of two batches that each spread over all cores
// get in each other's way: on 2 cores one thread for each of two batches gave the tutorial's model
// 1.05 times the rows a second, a small dense model 1.15 times.
func (j Job) Options(m *savedmodel.Model, o runner.Options, po runner.PredictOptions) (runner.Options, error) {
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
	o.Exact = o.Exact || po.Batching == runner.Exact
	if j.Source.short() {
		if o.Optimizer == "" {
			o.Optimizer = runner.OptimizerNone
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
		if workers = runner.DefaultWorkers; state.OrderShows() {
			workers = 1
		}
	}
	if workers > 1 {
		o.IntraOp = max(runtime.GOMAXPROCS(0)/workers, 1)
	}
	return o, nil
}

// shortJobBytes is the most input, compressed or not, of a short job.
const shortJobBytes = 16 << 10

// short reports whether the source is small enough for a short job. A pipe never is, since it may
// bring many rows.
func (src Source) short() bool {
	total := int64(0)
	for _, name := range src.Files {
		size, ok := source.Size(name)
		if !ok {
			return false
		}
		total += size
	}
	return total <= shortJobBytes
}

// regular reports whether all rows come from files, and none from a pipe.
func (src Source) regular() bool {
	for _, name := range src.Files {
		if _, ok := source.Size(name); !ok {
			return false
		}
	}
	return true
}

// suited returns the predictor with the choices that suit the source, where options leave them
// open. Files get batches of the size that suits the signature. For standard input, whose writer
// may wait for answers, no more rows than usual are held back, and batches are not made larger. why
// says how the size of batches was chosen.
func (src Source) suited(p *runner.Predictor) (suited *runner.Predictor, why string, err error) {
	var failed error
	suited, err = p.With(func(given *runner.PredictOptions) {
		if given.Window == 0 && slices.Contains(src.Files, "-") {
			given.Window = dataset.DefaultWindow
		}
		var size BatchSize
		size, failed = src.batchSize(p, given)
		given.BatchSize, why = size.Rows, size.Why
	})
	return suited, why, errors.Join(failed, err)
}
