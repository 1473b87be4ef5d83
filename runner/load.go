package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tfrun/tfrun/internal/admit"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// loadModel loads the model into TensorFlow, for one of several devices where a place is given.
func (s *Session) loadModel(ctx context.Context, o Options, place string) (e tf.Engine, err error) {
	err = s.withModel(o, place, func(m tf.Model, c tf.Config) (err error) {
		e, err = tf.Load(ctx, m, c)
		return err
	})
	return e, err
}

// withModel calls load with the model. Where this libtensorflow does not know the operation that
// lets XLA's programs serve many lengths, it calls load again, with a graph without it.
func (s *Session) withModel(o Options, place string, load func(tf.Model, tf.Config) error) error {
	lengths := s.xla != nil && !s.noLengths.Load()
	err := s.loadWith(o, place, lengths, load)
	if lengths && err != nil && strings.Contains(err.Error(), rewrite.LengthsOp) {
		s.noLengths.Store(true)
		err = s.loadWith(o, place, false, load)
	}
	return err
}

func (s *Session) loadWith(o Options, place string, lengths bool, load func(tf.Model, tf.Config) error) error {
	m, inTurn, err := s.tfModel(o, place, lengths)
	if err != nil {
		return err
	}
	c := o.config()
	c.Place, c.InTurn = place, o.InTurn || inTurn
	if o.Optimizer == "" && !o.XLA.enabled() {
		c.Optimize = c.Optimize || smallGraph(m.Graph)
	}
	if err = load(m, c); err == nil {
		return nil
	}
	if exhausted(err) {
		err = &MemoryError{Err: err}
	}
	var tfErr *Error
	var died *ProcessError
	if errors.As(err, &tfErr) || errors.As(err, &died) {
		err = fmt.Errorf("model %q: %w", s.model.Dir, err)
	}
	return err
}

// tfModel makes what TensorFlow is given of the model: a graph and the steps of loading it. Unless
// the options ask for all, the graph holds only what their signatures and loading reach. Where XLA
// is on, the graph has twins for it; lengths is that of [rewrite.Reduction]. inTurn says that one
// run at a time may use the model, see [rewrite.Sharing].
func (s *Session) tfModel(o Options, place string, lengths bool) (m tf.Model, inTurn bool, err error) {
	r := o.reduction(lengths)
	s.leaveOut(&r)
	data, sharing, err := rewrite.GraphDef(s.graph, r)
	if err != nil {
		return m, false, err
	}
	files, err := s.graph.Files(o.AllowLinks)
	if err != nil {
		return m, false, err
	}
	if m.Graph, err = s.admit(data, place, files); err != nil {
		return m, false, err
	}
	steps, err := s.graph.Loading(files)
	for _, step := range steps {
		m.Steps = append(m.Steps, tf.Step(step))
	}
	return m, len(sharing.Kernels) > 0, err
}

// leaveOut takes what may not run out of a reduction: signatures that are refused and, where the
// whole graph is loaded, every operation that does more than compute.
func (s *Session) leaveOut(r *rewrite.Reduction) {
	names := s.graph.SignatureNames()
	refused := func(name string) bool { return s.checkOps(name) != nil }
	if r.Signatures == nil && slices.ContainsFunc(names, refused) {
		r.Signatures = slices.DeleteFunc(names, refused)
	}
	if !r.Whole {
		return
	}
	pinned := map[[2]string]bool{}
	for _, p := range s.found.Pins {
		pinned[[2]string{p.Function, p.Node}] = true
	}
	for _, f := range s.found.Findings {
		switch {
		case pinned[[2]string{f.Function, f.Node}] || s.allowed(f):
		case f.Function != "":
			r.Without.Functions = append(r.Without.Functions, f.Function)
		case f.Node != "":
			r.Without.Nodes = append(r.Without.Nodes, f.Node)
		}
	}
}

// admit writes a graph for TensorFlow, in which every operation may run. place, if not "", is the
// one of several devices that the graph is for.
func (s *Session) admit(graphDef []byte, place string, files savedmodel.Files) ([]byte, error) {
	g, err := admit.Decode(graphDef)
	if err != nil {
		return nil, &AdmitError{Model: s.model.Dir, Err: err}
	}
	if place != "" {
		tf.PlaceGraph(g, place)
	}
	policy := admit.Policy{Allow: slices.Concat(s.o.AllowOps, s.o.custom), Files: map[string]ops.Own{files.Checkpoint: ops.Checkpoint}}
	var paths []admit.Path
	if fills, err := s.graph.Fills(); err != nil {
		return nil, err
	} else if len(fills) > 0 {
		paths = append(paths, admit.Path{Node: savedmodel.FillRead, Path: files.Checkpoint})
	}
	for _, p := range s.found.Pins {
		path := admit.Path{Function: p.Function, Node: p.Node, Input: p.Input, Path: p.Path}
		switch p.Own {
		case ops.Checkpoint:
			path.Path = files.Checkpoint
		case ops.Asset:
			path.Path = files.Assets[p.Path]
			policy.Files[path.Path] = ops.Asset
		}
		paths = append(paths, path)
	}
	admit.WritePaths(g, paths)
	data, err := admit.Encode(g, policy)
	if err != nil {
		return nil, &AdmitError{Model: s.model.Dir, Err: err}
	}
	return data, nil
}

// AdmitError says that the last look at a graph, right before TensorFlow would get it, found an
// operation that may not run, although [scan.Scan] had found none in the model.
type AdmitError struct {
	Model string
	Err   error
}

// Error names the model and what is wrong.
func (e *AdmitError) Error() string { return fmt.Sprintf("model %q: not loaded: %v", e.Model, e.Err) }

// Unwrap returns what is wrong.
func (e *AdmitError) Unwrap() error { return e.Err }

// Load opens the SavedModel in dir (or the highest version in a folder of numbered ones) and loads
// it into TensorFlow. Errors of the model's files are those of package savedmodel, such as
// *[savedmodel.TagError]. *[LibraryError] says that libtensorflow is missing, *[UnsafeError] that
// the model does more than compute, *[Error] what TensorFlow itself says, and *[ProcessError] that
// the process of an isolated model died. When the context is done, Load returns its error at once;
// what TensorFlow has begun goes on to its end, and is closed then.
func Load(ctx context.Context, dir string, o Options) (*Session, error) {
	return untilDone(ctx, func() (*Session, error) {
		defer OpenAhead(o)()
		m, err := savedmodel.Open(dir)
		if err != nil {
			return nil, err
		}
		m.AllowLinks = o.AllowLinks
		return loadOpened(ctx, m, o)
	})
}

// LoadModel is [Load] for a model that is open already.
func LoadModel(ctx context.Context, m *savedmodel.Model, o Options) (*Session, error) {
	return untilDone(ctx, func() (*Session, error) { return loadOpened(ctx, m, o) })
}

// untilDone returns what load does, or, when the context is done before that, the context's error,
// and closes what load makes later.
func untilDone(ctx context.Context, load func() (*Session, error)) (*Session, error) {
	if ctx.Done() == nil {
		return load()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		s   *Session
		err error
	}
	over := make(chan result, 1)
	var s *Session
	crash.Go(func() (err error) {
		s, err = load()
		return err
	}, func(err error) { over <- result{s, err} })
	select {
	case r := <-over:
		return r.s, r.err
	case <-ctx.Done():
		crash.Go(func() error {
			if r := <-over; r.err == nil {
				return r.s.Close()
			}
			return nil
		}, func(error) {}) // there is nobody to tell
		return nil, ctx.Err()
	}
}

// loadOpened loads a model that is open.
func loadOpened(ctx context.Context, m *savedmodel.Model, o Options) (*Session, error) {
	defer OpenAhead(o)()
	if err := o.loadOpLibraries(); err != nil {
		return nil, err
	}
	s, err := newSession(m, o)
	if err != nil {
		return nil, err
	}
	// A bound on memory counts from what the process takes once the model is loaded: so nothing
	// else may go on beside loading.
	o.WarmUp = o.WarmUp && !o.XLA.enabled() && o.IsolateMemory == 0 && s.multiplies(o.Signatures)
	if o.Isolate {
		if s.engine, err = s.isolated(ctx, o); err != nil {
			return nil, s.blame(ctx, err)
		}
		return s, nil
	}
	on, err := tf.Places(o.config())
	if err != nil {
		return nil, err
	}
	if err := s.loadEngines(ctx, o, on); err != nil {
		return nil, s.blame(ctx, err)
	}
	return s, nil
}

// blame returns what is wrong with the values of the variables, if that is why TensorFlow did not
// load the model, else err: TensorFlow names neither the variable nor the file.
func (s *Session) blame(ctx context.Context, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Code != DataLoss && e.Code != OutOfRange {
		return err
	}
	keys, keysErr := s.graph.RestoredKeys()
	c, openErr := s.model.Checkpoint()
	if keysErr != nil || openErr != nil {
		return err
	}
	return cmp.Or(c.CheckValues(ctx, keys), err)
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
	var link *savedmodel.LinkError
	if _, err := graph.Files(o.AllowLinks); errors.As(err, &link) {
		return nil, err // before any such file is read
	}
	// TensorFlow loads a model without its variables and says OK; only a run fails.
	if err := graph.Verify(); err != nil {
		return nil, err
	}
	s := &Session{model: m, graph: graph, functions: map[string]*Function{}, knownFor: map[string]*known{}, o: o, xla: newXLA(o)}
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

// multiplies reports whether one of the named signatures reaches a product of matrices. Without
// names it looks at all signatures.
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

// loadEngines loads the model, once for each place if there are any. Where one load fails, all of
// them are undone.
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
	group, groupCtx := crash.WithContext(ctx)
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

// changesState reports whether a signature that may be run changes what a later run reads. Such a
// model is loaded on one device alone, since each device has variables of its own.
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

// OpenAhead begins to open libtensorflow, in a goroutine, for models that will be loaded with o. A
// program that calls it first hides the 0.2 s that opening takes behind its other work. Where
// opening fails, [Load] returns the error.
//
// A program must call wait before it ends. Until the library is open, descriptor 2 may lead
// nowhere, and messages would be lost.
func OpenAhead(o Options) (wait func()) {
	if o.Isolate {
		return func() {}
	}
	tf.LogTo(o.Logger)
	done := make(chan struct{})
	crash.Go(func() error {
		_, err := OpenLibrary(o.Library)
		return err
	}, func(error) { close(done) })
	return func() { <-done }
}
