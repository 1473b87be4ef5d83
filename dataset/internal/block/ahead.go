package block

import (
	"context"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
)

// Ahead is a [Source] that reads runs of rows in one goroutine, makes blocks of them in others, and gives these in the order of the rows. A job J is such a
// run, then its block.
type Ahead[J any] struct {
	// Workers is the number of goroutines that make blocks.
	Workers int
	// Read fills a job, new or used before, with the next rows. It returns io.EOF after the last.
	Read func(j *J) error
	// Work makes the block of a job that was read.
	Work func(j *J)
	// Stop is called when the reading has ended.
	Stop func()
	// Block returns what Work has made, or the error that it came upon. A block without rows is passed over.
	Block func(j *J) (*Block, error)
	// Spare, if not nil, returns a job with the memory of a used one that may be read into again. nil: all of it may.
	Spare func(j *J) *J

	pipe *ahead.Pipe[J]
	last *J // its block was given out
}

// Next returns the next block.
func (a *Ahead[J]) Next(ctx context.Context) (*Block, error) {
	if a.pipe == nil {
		a.pipe = ahead.Start(a.Workers, a.Read, a.Work, a.Stop)
	}
	for {
		a.release()
		j, err := a.pipe.Next(ctx)
		if err != nil {
			return nil, err
		}
		b, err := a.Block(j)
		if err != nil {
			return nil, err
		}
		a.last = j
		if b.Rows > 0 {
			return b, nil
		}
	}
}

// release hands back the memory of the block that was given out last.
func (a *Ahead[J]) release() {
	if a.last == nil {
		return
	}
	if a.Spare != nil {
		a.last = a.Spare(a.last)
	}
	a.pipe.Release(a.last)
	a.last = nil
}

// Close ends the reading.
func (a *Ahead[J]) Close() {
	if a.pipe != nil {
		a.pipe.Close()
	}
}

// Dataset returns a dataset of the rows of a source, which open makes anew for each iteration. keep says that its blocks must stay valid.
func Dataset(spec dataset.Spec, cardinality int64, open func(keep bool) Source) *dataset.Dataset {
	return dataset.FromReader(spec, cardinality, func(o dataset.ReadOptions) (dataset.RowReader, error) {
		return NewReader(open(o.Keep), spec, o.Keep), nil
	})
}
