// Package ahead reads jobs in one goroutine, works on them in several, and gives them back in the
// order they were read.
package ahead

import (
	"context"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
)

// Pipe is such a run of jobs. Its methods are for one goroutine.
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

// Workers is the number of goroutines that work unless told otherwise.
func Workers() int { return min(runtime.GOMAXPROCS(0), 4) }

// Start begins to read. read fills a job, new or released, and returns io.EOF after the last one;
// work finishes it; stop is called when the reading has ended. A panic in read or work is an error
// of the job.
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
	}, func(error) { close(p.read) }) // of stop alone: nothing more is to be read
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

// reading is the goroutine that reads: it fills jobs, and gives each to those who wait for it in
// order and to those who work.
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

// Next returns the next job, worked on. After an error, io.EOF for the end, there is no further
// job.
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
		p.end = io.EOF // the job is lost
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

// patience is how long Close waits for a read that has begun. One that hangs, on a pipe that nobody
// writes to, ends by itself later.
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
