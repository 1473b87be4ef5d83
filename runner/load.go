package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/admit"
	"github.com/tfrun/tfrun/internal/ops"
	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
)

// loadModel loads the model into TensorFlow, for one of several devices where a place is given.
func (s *Session) loadModel(ctx context.Context, o Options, place string) (e tf.Engine, err error) {
	err = s.withModel(o, place, func(m tf.Model, c tf.Config) (err error) {
		e, err = tf.Load(ctx, m, c)
		return err
	})
	return e, err
}

// withModel has load load the model. It is called again, with another graph, where this
// libtensorflow does not know the operation for lengths.
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

// tfModel makes what TensorFlow is given of the model: the graph, of which only what the signatures
// of the options and loading reach is left unless all is asked for, with twins for XLA where it is
// on; and the steps of loading. inTurn says that one run at a time is to use it: see
// [rewrite.Sharing]. lengths is [rewrite.Reduction]'s.
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

// leaveOut takes out of a reduction what may not run: the signatures that are refused and, of a
// whole graph, everything that was found in it.
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

// admit writes a graph for TensorFlow, each operation of which may run, for one of several devices
// where a place is given.
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

// AdmitError says that a graph is not handed to TensorFlow, although nothing was found in the
// model: the last look at it found something.
type AdmitError struct {
	Model string
	Err   error
}

// Error names the model and what is wrong.
func (e *AdmitError) Error() string { return fmt.Sprintf("model %q: not loaded: %v", e.Model, e.Err) }

// Unwrap returns what is wrong.
func (e *AdmitError) Unwrap() error { return e.Err }

// reduction says what is loaded of a graph.
func (o Options) reduction(lengths bool) rewrite.Reduction {
	mayUseGPU := o.config().MayUseGPU()
	optimizer := o.optimizer(mayUseGPU)
	return rewrite.Reduction{
		Signatures: o.Signatures, Whole: o.NoPrune, CPUOnly: !mayUseGPU, Compiled: o.XLA.enabled(), Lengths: lengths,
		Exact:   o.Exact && !o.XLA.enabled(),
		Lookups: !mayUseGPU && optimizer == OptimizerFunctions, NoOptimizer: optimizer == OptimizerNone,
	}
}
