package job

import (
	"sync"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// batchSize chooses how many rows of the source share a batch; 0 if there is nothing to choose.
func (src Source) batchSize(p *runner.Predictor, given *runner.PredictOptions) (BatchSize, error) {
	switch {
	case given.NoBatch:
		return BatchSize{}, nil
	case p.FixedBatchSize() > 0:
		return BatchSize{given.BatchSize, fixedByModel}, nil
	case given.BatchSize > 0:
		return BatchSize{given.BatchSize, "as asked for"}, nil
	case given.MaxTokens > 0:
		return BatchSize{0, "the usual number: a batch is bounded by its tokens"}, nil
	case src.short():
		return BatchSize{0, "the usual number: the files are short"}, nil
	case src.size != nil:
		return src.size()
	case !src.regular():
		return BatchSize{0, "the usual number: whoever writes to a pipe may wait for answers"}, nil
	}
	return FileBatchSize(p)
}

// Unwaited returns the source for writers to Stdin who send all rows without waiting for results:
// rows may wait until a batch is as large as one of files. [FileBatchSize] of p, which takes a walk
// through the model, is called once for all jobs with this source.
func (src Source) Unwaited(p *runner.Predictor) Source {
	src.size = sync.OnceValues(func() (BatchSize, error) { return FileBatchSize(p) })
	return src
}

// A batch of files has so many rows, a power of two, that the values computed for it are at most
// manyValues: about as many as fit the caches of a core.
const (
	manyValues  = 1 << 21
	maxFileRows = 1 << 13
)

// BatchSize is the number of rows in a batch, and why.
type BatchSize struct {
	Rows int
	Why  string // "each is some 128 values of work, from that row alone"
}

const fixedByModel = "the model fixes it"

// FileBatchSize returns the number of rows of files that [Job.Run] puts into a batch if the options
// do not say, and if there are enough rows. It is the size that the signature fixes, or
// [runner.DefaultBatchSize], or more for a signature that computes little for a row, from that row
// alone ([sizes.RowValues]). Each run has a cost of its own: for a million rows of 32 numbers,
// through two small dense layers, batches of 64 took 6 times as long as batches of 4,096.
func FileBatchSize(p *runner.Predictor) (BatchSize, error) {
	if n := p.FixedBatchSize(); n > 0 {
		return BatchSize{int(n), fixedByModel}, nil
	}
	f := p.Function()
	work, err := sizes.RowValues(f.Session().MetaGraph(), f.Signature())
	if err != nil || !work.Known() {
		return BatchSize{runner.DefaultBatchSize, "the usual number: " + work.Why}, err
	}
	const widest = 16 // bytes of the widest value
	most := min(manyValues, p.Options().Limits.BatchBytes/widest)
	rows := int64(runner.DefaultBatchSize)
	for rows < maxFileRows && 2*rows*work.Values <= most {
		rows *= 2
	}
	return BatchSize{int(rows), "each is some " + words.Thousands(work.Values) + " values of work, from that row alone"}, nil
}
