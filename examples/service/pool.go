package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tfrun/tfrun/runner"
)

var errNoModel = errors.New("there is no such model")

// pool holds models by name. A model can be replaced while it is used.
type pool struct {
	options runner.Options

	mu     sync.RWMutex
	models map[string]*model
}

// model is a loaded model, ready for rows of many goroutines.
type model struct {
	dir       string
	session   *runner.Session
	predictor *runner.Predictor
	batcher   *runner.Batcher
	users     sync.WaitGroup // who may use it: none begins after it has left the pool
}

// open loads a model.
func open(ctx context.Context, dir string, o runner.Options) (*model, error) {
	session, err := runner.Load(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	m := &model{dir: dir, session: session}
	// Exact: a row's answer does not hang on the rows that it shares a batch with.
	m.predictor, err = session.NewPredictor(runner.PredictOptions{Batching: runner.Exact})
	if err == nil {
		m.batcher, err = m.predictor.NewBatcher(runner.BatcherOptions{MaxWait: time.Millisecond})
	}
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	return m, nil
}

// close waits for whoever uses the model, and frees its memory.
func (m *model) close() {
	m.users.Wait()
	m.batcher.Close()
	_ = m.session.Close() // there is nobody to tell
}

// use returns a model, which stays open until done is called.
func (p *pool) use(name string) (m *model, done func(), err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	m, ok := p.models[name]
	if !ok {
		return nil, nil, fmt.Errorf("%q: %w", name, errNoModel)
	}
	m.users.Add(1)
	return m, m.users.Done, nil
}

// load puts a model into the pool, in the place of another one of its name: requests that have
// begun end with the old one, and no request waits.
func (p *pool) load(ctx context.Context, name, dir string) error {
	m, err := open(ctx, dir, p.options)
	if err != nil {
		return err
	}
	p.mu.Lock()
	if p.models == nil {
		p.models = map[string]*model{}
	}
	old := p.models[name]
	p.models[name] = m
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	return nil
}

// reload loads a model's files anew. Where that fails the old one stays.
func (p *pool) reload(ctx context.Context, name string) error {
	m, done, err := p.use(name)
	if err != nil {
		return err
	}
	dir := m.dir
	done()
	return p.load(ctx, name, dir)
}

// stats returns the counters of each model.
func (p *pool) stats() map[string]runner.BatcherStats {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := map[string]runner.BatcherStats{}
	for name, m := range p.models {
		all[name] = m.batcher.Stats()
	}
	return all
}

func (p *pool) close() {
	for _, m := range p.models {
		m.close()
	}
}
