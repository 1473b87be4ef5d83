package runner

import (
	"context"
	"errors"

	"github.com/tfrun/tfrun/dataset"
)

// read groups the rows, loads each group into TensorFlow's memory and sends it on as a job. It
// returns the context's error alone: other errors are sent as jobs, in the place of rows.
func (p *Predictor) read(ctx context.Context, rows *dataset.Dataset, jobs chan<- *job, flight *inFlight) error {
	seq := int64(0)
	put := func(j *job) error {
		j.seq = seq
		seq++
		if err := flight.enter(ctx, j); err != nil {
			return err
		}
		return send(ctx, jobs, j)
	}
	if err := p.f.checkRowSpec(rows.ElementSpec(), p.spec); err != nil && rows.Err() == nil {
		return put(&job{err: err})
	}
	if !p.o.NoBatch {
		p, rows = p.inferRanks(ctx, rows)
		rows = p.padded(rows)
	}
	if p.o.Shards > 1 {
		n := p.o.Shards
		rows = rows.Shard(n, p.o.Shard).Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) {
			e.Row /= n // without gaps
			return e, nil
		})
	}
	if p.o.NoBatch {
		for row, err := range rows.All(ctx) {
			if p.rowOfOtherShard(err) {
				continue
			}
			j, fatal := p.jobOf(err, func() (*job, error) { return p.feedRow(row) })
			j.inOrder = true
			if err := put(j); err != nil || fatal {
				return err
			}
		}
		return ctx.Err()
	}
	if blocks, err := p.blocks(rows); err != nil {
		return put(&job{err: err})
	} else if blocks != nil {
		p.tellProven()
		return blocks.read(ctx, put)
	}
	p, o, rows, err := p.chooseGrouping(ctx, rows)
	if err != nil {
		return put(&job{err: err})
	}
	if o.Grouping == dataset.Similar && p.f.compiler != nil && !p.f.compiler.Sizes.Lengths {
		// the answers do not depend on padding, and each length has to be compiled
		o.RoundUp = func(longest int64) int64 { return fewLengths(max(longest, 1)) }
	}
	for b, err := range rows.Batches(ctx, o) {
		if p.rowOfOtherShard(err) {
			continue
		}
		j, fatal := p.jobOf(err, func() (*job, error) { return p.feedBatch(b) })
		j.inOrder = err == nil && o.Grouping == dataset.Arrival
		if err := put(j); err != nil || fatal {
			return err
		}
	}
	return ctx.Err()
}

// jobOf returns the job that feed makes, or the job of an error of reading. fatal says that the
// error ends the iteration.
func (p *Predictor) jobOf(err error, feed func() (*job, error)) (j *job, fatal bool) {
	if err != nil {
		return p.badRow(err)
	}
	if j, err = feed(); err != nil {
		return &job{err: err}, true
	}
	return j, false
}

// rowOfOtherShard reports whether an error is that of a row of another shard.
func (p *Predictor) rowOfOtherShard(err error) bool {
	var syntax *dataset.SyntaxError
	return p.o.Shards > 1 && errors.As(err, &syntax) && syntax.Row%p.o.Shards != p.o.Shard
}

// badRow makes a job of an error of reading. fatal says that the error ends the iteration.
func (p *Predictor) badRow(err error) (j *job, fatal bool) {
	var syntax *dataset.SyntaxError
	if errors.As(err, &syntax) {
		named := *syntax // without the names of the operations that handed it on
		if named.File == "-" {
			named.File = "stdin"
		}
		err = &named
		if nesting, ok := errors.AsType[*dataset.NestingError](err); ok && !p.o.NoBatch {
			named.Err = &wholeRowError{nesting}
		}
		if p.o.SkipBadRows && syntax.Row >= 0 {
			return &job{ResultBatch: ResultBatch{rows: []Result{{Row: syntax.Row / max(p.o.Shards, 1), Err: err, Extra: syntax.Extra}}}}, false
		}
	}
	return &job{err: err}, true
}

// wholeRowError is the cause of the error of a row that holds a value with one axis too many, which
// may be the axis of a batch.
type wholeRowError struct{ error }

// Hints says what to type instead.
func (e *wholeRowError) Hints() []string {
	return []string{"if each row holds a whole tensor, as the signature takes it: --no-batch"}
}

// Unwrap returns the error itself.
func (e *wholeRowError) Unwrap() error { return e.error }

// resultOf begins the result of a row: the number and the extra fields, in memory of their own.
func resultOf(row dataset.Element) Result {
	r := Result{Row: row.Row}
	for _, x := range row.Extra {
		r.Extra = append(r.Extra, x.Clone())
	}
	return r
}
