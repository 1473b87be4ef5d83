package tf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tfrun/tfrun/tensor"
)

// spreadEngine is a model that is loaded once for each of several devices. A run goes to the device
// with the fewest runs. Until then the fed values are in the host's memory, so any device can take
// them.
type spreadEngine struct {
	engines []Engine

	mu   sync.Mutex
	runs []int // runs in progress, by device
	last int   // device of the last run
}

// Spread returns an engine that runs a model on the least busy of several devices. Each of engines
// has the same model, on one of the devices.
func Spread(engines []Engine) Engine { return newSpread(engines) }

func newSpread(engines []Engine) *spreadEngine {
	return &spreadEngine{engines: engines, runs: make([]int, len(engines)), last: len(engines) - 1}
}

// acquire picks a device for a run: among those with the fewest runs, the next one in turn.
func (e *spreadEngine) acquire() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.runs)
	best := (e.last + 1) % n
	for k := 2; k <= n; k++ {
		if i := (e.last + k) % n; e.runs[i] < e.runs[best] {
			best = i
		}
	}
	e.runs[best]++
	e.last = best
	return best
}

func (e *spreadEngine) release(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runs[i]--
}

func (e *spreadEngine) Prepare(feeds, fetches []string) (Program, error) {
	p := &spreadProgram{e: e}
	for _, each := range e.engines {
		q, err := each.Prepare(feeds, fetches)
		if err != nil {
			return nil, err
		}
		p.programs = append(p.programs, q)
	}
	return p, nil
}

// AddHead adds the head to each graph. The names are the same in all, since the graphs and the
// heads before are.
func (e *spreadEngine) AddHead(name string, h Head) ([]HeadTensor, error) {
	var added []HeadTensor
	for i, each := range e.engines {
		list, err := each.AddHead(name, h)
		if err != nil {
			return nil, err
		}
		if i > 0 && !slices.Equal(list, added) {
			return nil, fmt.Errorf("the graphs of two devices name the same operation differently: %v and %v", added, list)
		}
		added = list
	}
	return added, nil
}

// Devices returns the devices of any engine: each engine sees all, and its graph says which one it
// runs on.
func (e *spreadEngine) Devices() ([]Device, error) { return e.engines[0].Devices() }

func (e *spreadEngine) Close() error {
	var errs []error
	for _, each := range e.engines {
		errs = append(errs, each.Close())
	}
	return errors.Join(errs...)
}

// spreadProgram is a program on each device.
type spreadProgram struct {
	e        *spreadEngine
	programs []Program
}

func (p *spreadProgram) Load(feeds []Feed, r *Recycler) (Loaded, error) {
	l, err := p.programs[0].Load(feeds, r)
	if err != nil {
		return nil, err
	}
	return &spreadLoaded{p: p, held: l}, nil
}

type spreadLoaded struct {
	p    *spreadProgram
	held Loaded // values for the first device's program
}

func (l *spreadLoaded) Run(ctx context.Context, other Program) ([]tensor.Tensor, error) {
	p := l.p
	if other != nil {
		p = other.(*spreadProgram)
	}
	i := p.e.acquire()
	defer p.e.release(i)
	return l.held.Run(ctx, p.programs[i])
}

func (l *spreadLoaded) Refill(feeds []Feed) (bool, error) { return l.held.Refill(feeds) }

func (l *spreadLoaded) Release() { l.held.Release() }

func (l *spreadLoaded) Values() ([]tensor.Tensor, error) { return l.held.Values() }

// Width returns how many devices a program's runs are spread over.
func Width(p Program) int {
	if s, ok := p.(*spreadProgram); ok {
		return len(s.programs)
	}
	return 1
}
