package runner

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/runner/internal/xla"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/tensor"
)

// Session is a model loaded into TensorFlow, with its variables. [Load] makes one, and the caller
// closes it.
type Session struct {
	o     Options
	model *savedmodel.Model
	graph *savedmodel.MetaGraph
	found *scan.Result // what does more than compute

	digest func() (string, error) // of the model's files, worked out once

	// A run holds mu for reading, Close for writing: it waits for the runs that are under way.
	mu     sync.RWMutex
	closed bool
	engine tf.Engine

	xla       *xla.State  // nil where it is off
	noLengths atomic.Bool // this libtensorflow compiles each length by itself

	headsMu     sync.Mutex // one goroutine at a time changes the graph
	functionsMu sync.Mutex
	functions   map[string]*Function // by signature, with all outputs
}

// Load opens the SavedModel in dir (or the highest version in a folder of numbered ones) and loads
// it into TensorFlow. Errors of the model's files are those of package savedmodel,
// *[savedmodel.TagError] among them; a libtensorflow that is missing is a *[LibraryError], a model
// that does more than compute an *[UnsafeError], what TensorFlow itself says an *[Error], and the
// death of an isolated model's process a *[ProcessError].
func Load(ctx context.Context, dir string, o Options) (*Session, error) {
	defer openAhead(o)()
	m, err := savedmodel.Open(dir)
	if err != nil {
		return nil, err
	}
	return LoadModel(ctx, m, o)
}

// LoadModel is [Load] for a model that is open already.
func LoadModel(ctx context.Context, m *savedmodel.Model, o Options) (*Session, error) {
	defer openAhead(o)()
	if err := o.loadOpLibraries(); err != nil {
		return nil, err
	}
	s, err := newSession(m, o)
	if err != nil {
		return nil, err
	}
	// A bound on memory counts from what the loaded model takes: nothing else may go on beside it
	// then.
	o.WarmUp = o.WarmUp && !o.XLA.enabled() && o.IsolateMemory == 0 && s.multiplies(o.Signatures)
	if o.Isolate {
		if s.engine, err = s.isolated(ctx, o); err != nil {
			return nil, err
		}
		return s, nil
	}
	on, err := tf.Places(o.config())
	if err != nil {
		return nil, err
	}
	if err := s.loadEngines(ctx, o, on); err != nil {
		return nil, err
	}
	return s, nil
}

// newSession checks the options and the model's files, as far as that goes without TensorFlow.
func newSession(m *savedmodel.Model, o Options) (*Session, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	graph, err := m.MetaGraph(o.Tags...)
	if err != nil {
		return nil, err
	}
	// TensorFlow loads a model without its variables and says OK; only a run fails.
	if err := graph.Verify(); err != nil {
		return nil, err
	}
	s := &Session{model: m, graph: graph, functions: map[string]*Function{}, o: o, xla: newXLA(o)}
	s.digest = sync.OnceValues(func() (string, error) { return modelSum(m, graph) })
	if s.found, err = scan.Scan(graph); err != nil {
		return nil, err
	}
	if err := s.checkOps(""); err != nil {
		return nil, err
	}
	if err := s.checkSignatures(o.Signatures); err != nil {
		return nil, err
	}
	_, err = graph.Files(o.AllowLinks)
	return s, err
}

// isolated loads the model in a process of its own.
func (s *Session) isolated(ctx context.Context, o Options) (tf.Engine, error) {
	start := func(ctx context.Context) (p *isolate.Process, err error) {
		err = s.withModel(o, "", func(m tf.Model, c tf.Config) (err error) {
			p, err = isolate.Start(ctx, m, c, o.IsolateMemory)
			return err
		})
		return p, err
	}
	return isolate.New(ctx, start, o.Timeout)
}

// multiplies reports whether one of the signatures, or of all where none is named, reaches a
// product of matrices.
func (s *Session) multiplies(signatures []string) bool {
	for name, sig := range s.graph.Signatures {
		if len(signatures) > 0 && !slices.Contains(signatures, name) {
			continue
		}
		if ops, err := s.graph.Operations(sig); err == nil && slices.Contains(ops, "MatMul") {
			return true
		}
	}
	return false
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
		s.engine, err = s.loadModel(ctx, o, "")
		return err
	}
	engines := make([]tf.Engine, len(places))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, place := range places {
		group.Go(func() (err error) {
			// a graph with a place is always a copy
			engines[i], err = s.loadModel(groupCtx, o, place)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		for _, e := range engines {
			if e != nil {
				err = errors.Join(err, e.Close())
			}
		}
		return err
	}
	s.engine = tf.Spread(engines)
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

// Model returns the files that the session was loaded from.
func (s *Session) Model() *savedmodel.Model { return s.model }

// MetaGraph returns the graph that was loaded.
func (s *Session) MetaGraph() *savedmodel.MetaGraph { return s.graph }

// Devices lists the processors that the session may use.
func (s *Session) Devices() ([]Device, error) {
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	return s.engine.Devices()
}

// enter begins a use of the engine, which leave ends; it reports false when the session is closed.
func (s *Session) enter() bool {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return false
	}
	return true
}

func (s *Session) leave() { s.mu.RUnlock() }

// Close waits for the runs that are under way and frees the model. Closing twice is no error.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.engine.Close()
}

// Run runs a signature ("" for serving_default, or the only one) on one set of whole tensors: batch
// axis included, keyed by input name. It returns all outputs, keyed by name, in Go memory. See
// [Function] for the names of composite values, and for running many times.
func (s *Session) Run(ctx context.Context, signature string, feeds map[string]tensor.Tensor) (map[string]tensor.Tensor, error) {
	f, err := s.function(signature)
	if err != nil {
		return nil, err
	}
	return f.Run(ctx, feeds)
}

// function returns the Function of a signature with all its outputs, made once.
func (s *Session) function(signature string) (*Function, error) {
	s.functionsMu.Lock()
	defer s.functionsMu.Unlock()
	if f, ok := s.functions[signature]; ok {
		return f, nil
	}
	f, err := s.Function(signature)
	if err == nil {
		s.functions[signature] = f
	}
	return f, err
}
