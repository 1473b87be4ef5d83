package tfrunbeam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tfrun/tfrun/runner"
)

// keptModels is how many models of one [Predict] a process keeps: while an update goes through,
// bundles of the old version and of the new one run side by side.
const keptModels = 2

// models are those that DoFns of this process use.
var models = pool{uses: map[string][]*model{}}

// pool holds, for each use of models that differ in nothing but their folder, those of the process,
// with the one that was asked for last in front.
type pool struct {
	mu   sync.Mutex
	uses map[string][]*model
}

// model is a model of a process.
type model struct {
	folder, use string
	once        sync.Once // loads it
	session     *runner.Session
	predictor   *runner.Predictor
	err         error

	users int  // bundles that run rows
	old   bool // nobody else will use it
}

// use returns the model in a folder, and loads it where that was not done yet. The caller releases
// it.
func (p *pool) use(ctx context.Context, folder, options string) (*model, error) {
	m := p.find(folder, options)
	m.once.Do(func() { m.load(ctx) })
	if m.err != nil {
		p.remove(m)
		return nil, fmt.Errorf("model %s: %w", folder, m.err)
	}
	return m, nil
}

// find puts a model in front of those of its use, and closes those that are too many.
func (p *pool) find(folder, use string) *model {
	p.mu.Lock()
	list := p.uses[use]
	i := slices.IndexFunc(list, func(m *model) bool { return m.folder == folder })
	m := &model{folder: folder, use: use}
	if i >= 0 {
		m = list[i]
		list = slices.Delete(list, i, i+1)
	}
	m.users++
	list = slices.Insert(list, 0, m)
	var idle []*model
	for _, old := range list[min(keptModels, len(list)):] {
		if old.old = true; old.users == 0 {
			idle = append(idle, old)
		}
	}
	p.uses[use] = slices.Clip(list[:min(keptModels, len(list))])
	p.mu.Unlock()
	for _, m := range idle {
		m.close()
	}
	return m
}

// release says that a bundle does not use a model any more.
func (p *pool) release(m *model) {
	p.mu.Lock()
	m.users--
	last := m.old && m.users == 0
	p.mu.Unlock()
	if last {
		m.close()
	}
}

// remove takes out a model that cannot be loaded, so that the next bundle tries again.
func (p *pool) remove(m *model) {
	p.mu.Lock()
	p.uses[m.use] = slices.DeleteFunc(p.uses[m.use], func(other *model) bool { return other == m })
	p.mu.Unlock()
}

func (m *model) close() {
	if m.session != nil {
		_ = m.session.Close() // which has nothing left to say
	}
}

// load makes the model ready. It goes on when the bundle that asked first is given up: others wait.
func (m *model) load(ctx context.Context) {
	var o Options
	if m.err = json.Unmarshal([]byte(m.use), &o); m.err != nil {
		return
	}
	if o.Batching == "" {
		o.Batching = runner.Exact
	}
	o.Load.Exact = o.Load.Exact || o.Batching == runner.Exact
	if m.session, m.err = runner.Load(context.WithoutCancel(ctx), m.folder, o.Load); m.err != nil {
		return
	}
	m.predictor, m.err = m.session.NewPredictor(runner.PredictOptions{
		Signature: o.Signature, Outputs: o.Outputs, Heads: o.Heads, BatchSize: o.BatchSize, MaxTokens: o.MaxTokens, PadTo: o.PadTo,
		Limits: o.Limits, Workers: o.Workers, Batching: o.Batching, SkipBadRows: true,
	})
	switch {
	case m.err != nil:
	case m.predictor.State().Stateful():
		m.err = errors.New("it keeps state between calls, and a pipeline's rows have no order")
	case m.predictor.Options().NoBatch:
		m.err = errors.New("its signature has no inputs, so it gives nothing for a row")
	default:
		return
	}
	m.close()
}
