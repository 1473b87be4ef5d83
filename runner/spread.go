package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tfrun/tfrun/tensor"
)

// spreadEngine is a model that is loaded once for each of several devices. A run goes to the device
// with the fewest runs under way; what is fed lies in the host's memory until then, so any device
// can take it.
type spreadEngine struct {
	engines []engine

	mu   sync.Mutex
	runs []int // under way, by device
	last int   // the device that the last run went to
}

func newSpreadEngine(engines []engine) *spreadEngine {
	return &spreadEngine{engines: engines, runs: make([]int, len(engines)), last: len(engines) - 1}
}

// take picks a device: of those with the least to do, the next one in turn.
func (e *spreadEngine) take() int {
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

func (e *spreadEngine) put(i int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runs[i]--
}

func (e *spreadEngine) prepare(feeds, fetches []string) (program, error) {
	p := &spreadProgram{e: e}
	for _, each := range e.engines {
		q, err := each.prepare(feeds, fetches)
		if err != nil {
			return nil, err
		}
		p.programs = append(p.programs, q)
	}
	return p, nil
}

// addHead adds the head to each graph, where it gets the same names: the graphs and the heads
// before it are the same.
func (e *spreadEngine) addHead(name string, h Head) ([]headTensor, error) {
	var added []headTensor
	for i, each := range e.engines {
		list, err := each.addHead(name, h)
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

// devices are the same for every engine: each sees all, and its graph says which one it runs on.
func (e *spreadEngine) devices() ([]Device, error) { return e.engines[0].devices() }

func (e *spreadEngine) close() error {
	var errs []error
	for _, each := range e.engines {
		errs = append(errs, each.close())
	}
	return errors.Join(errs...)
}

// spreadProgram is a program on each device.
type spreadProgram struct {
	e        *spreadEngine
	programs []program
}

func (p *spreadProgram) load(feeds []Feed, r *recycler) (loaded, error) {
	l, err := p.programs[0].load(feeds, r)
	if err != nil {
		return nil, err
	}
	return &spreadLoaded{p: p, held: l}, nil
}

type spreadLoaded struct {
	p    *spreadProgram
	held loaded // by the first device's program
}

func (l *spreadLoaded) run(ctx context.Context, other program) ([]tensor.Tensor, error) {
	p := l.p
	if other != nil {
		p = other.(*spreadProgram)
	}
	i := p.e.take()
	defer p.e.put(i)
	return l.held.run(ctx, p.programs[i])
}

func (l *spreadLoaded) refill(feeds []Feed) (bool, error) { return l.held.refill(feeds) }

func (l *spreadLoaded) release() { l.held.release() }

func (l *spreadLoaded) values() ([]tensor.Tensor, error) { return l.held.values() }

// width is how many devices a program's runs are spread over.
func width(p program) int {
	if s, ok := p.(*spreadProgram); ok {
		return len(s.programs)
	}
	return 1
}

// places lists the devices that a model is to be loaded for, as a graph names them; nil leaves the
// device to TensorFlow. Devices are numbered as TensorFlow does after [Options.Device] has picked
// some.
func places(o Options) ([]string, error) {
	d, err := parseDevice(o.Device)
	if err != nil {
		return nil, err
	}
	kind, count := "CPU", int(o.cpus)
	if d.kind == "gpu" {
		gpus, err := findGPUs(o)
		if err != nil {
			return nil, err
		}
		kind, count = "GPU", len(gpus)
	}
	if count < 2 {
		return nil, nil
	}
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("/device:%s:%d", kind, i)
	}
	return list, nil
}

// loadEngines loads the model, for each of the places where there are any. Where one cannot be
// loaded, none is.
func (s *Session) loadEngines(ctx context.Context, o Options, places []string) (err error) {
	if len(places) > 0 {
		one, err := s.changesState(o)
		if err != nil {
			return err
		}
		if one {
			places = nil
		}
	}
	if len(places) == 0 {
		s.engine, s.noTwins, err = s.loadFiles(ctx, o)
		return err
	}
	engines := make([]engine, len(places))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, place := range places {
		group.Go(func() (err error) {
			own := o
			own.place = place
			engines[i], _, err = s.loadFiles(groupCtx, own) // a graph with a place is always a copy
			return err
		})
	}
	if err := group.Wait(); err != nil {
		for _, e := range engines {
			if e != nil {
				err = errors.Join(err, e.close())
			}
		}
		return err
	}
	s.engine = newSpreadEngine(engines)
	return nil
}

// changesState reports whether one of the signatures that may be run changes what a later run
// reads: each device has variables of its own, so such a model goes on one.
func (s *Session) changesState(o Options) (bool, error) {
	for name, sig := range s.graph.Signatures {
		if sig.InitOp || len(o.Signatures) > 0 && !slices.Contains(o.Signatures, name) {
			continue
		}
		state, err := s.graph.State(sig)
		if err != nil || state.Stateful() {
			return true, err
		}
	}
	return false, nil
}
