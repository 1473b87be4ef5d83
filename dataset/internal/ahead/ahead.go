// Package ahead reads jobs in one goroutine, works on them in several others, and returns them in
// the order in which they were read.
package ahead

import (
	"context"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// Pipe is a run of jobs from reading to result. Its methods are for one goroutine.
type Pipe[J any] struct {
	free  chan *J
	order chan *item[J]
	quit  chan struct{}
	read  chan struct{} // closed when the reading has ended
	work  sync.WaitGroup
	end   error
}

type item[J any] struct {
	job  *J
	err  error // of the reading, or a panic of the work
	done chan struct{}
}

// Workers returns the number of working goroutines for a caller who has no other wish.
func Workers() int { return min(runtime.GOMAXPROCS(0), 4) }

// Start begins to read. read fills a job, new or released, and returns io.EOF after the last one;
// work finishes it; stop is called when the reading has ended. A panic in read or work becomes the
// job's error.
func Start[J any](workers int, read func(*J) error, work func(*J), stop func()) *Pipe[J] {
	p := &Pipe[J]{
		free:  make(chan *J, 2*workers+2),
		order: make(chan *item[J], workers),
		quit:  make(chan struct{}),
		read:  make(chan struct{}),
	}
	todo := make(chan *item[J], workers)
	crash.Go(func() error {
		defer stop()
		p.reading(read, todo)
		return nil
		// A panic of stop has nowhere to go: nothing more is to be read.
	}, func(error) { close(p.read) })
	for range workers {
		p.work.Add(1)
		crash.Go(func() error {
			for it := range todo {
				it.err = crash.Guard(func() error { work(it.job); return nil })
				close(it.done)
			}
			return nil
		}, func(error) { p.work.Done() })
	}
	return p
}

// reading is the goroutine that reads. It fills jobs and sends each one twice: to Next, which waits
// for them in order, and to the workers.
func (p *Pipe[J]) reading(read func(*J) error, todo chan<- *item[J]) {
	defer close(todo)
	for {
		it := &item[J]{done: make(chan struct{})}
		select {
		case it.job = <-p.free:
		default:
			it.job = new(J)
		}
		err := crash.Guard(func() error { return read(it.job) })
		if err != nil {
			it.err = err
			close(it.done)
		}
		select {
		case p.order <- it:
		case <-p.quit:
			return
		}
		if err != nil {
			return
		}
		select {
		case todo <- it:
		case <-p.quit:
			return
		}
	}
}

// Next returns the next job with its work done. After an error, or io.EOF at the end, there is no
// further job.
func (p *Pipe[J]) Next(ctx context.Context) (*J, error) {
	if p.end != nil {
		return nil, p.end
	}
	var it *item[J]
	select {
	case it = <-p.order:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-it.done:
	case <-ctx.Done():
		p.end = io.EOF // the job that would have been next is lost
		return nil, ctx.Err()
	}
	if it.err != nil {
		p.end = io.EOF
		return nil, it.err
	}
	return it.job, nil
}

// Release hands a job back, to be filled again.
func (p *Pipe[J]) Release(j *J) {
	select {
	case p.free <- j:
	default:
	}
}

// patience is how long Close waits for a read that has begun. A read that hangs, on a pipe without
// a writer, ends later by itself.
const patience = 100 * time.Millisecond

// Close ends the goroutines and waits for them.
func (p *Pipe[J]) Close() {
	close(p.quit)
	select {
	case <-p.read:
		p.work.Wait()
	case <-time.After(patience):
	}
}
