package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
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
	data, sharing, err := rewrite.ReducedApart(s.graph, o.reduction(lengths))
	if err != nil {
		return m, false, err
	}
	model := &pb.SavedModel{}
	if err := proto.Unmarshal(data, model); err != nil {
		return m, false, err
	}
	meta := model.GetMetaGraphs()[0]
	if place != "" {
		tf.PlaceGraph(meta.GetGraphDef(), place)
	}
	if m.Graph, err = proto.Marshal(meta.GetGraphDef()); err != nil {
		return m, false, err
	}
	steps, err := s.graph.Loading()
	for _, step := range steps {
		m.Steps = append(m.Steps, tf.Step(step))
	}
	return m, len(sharing.Kernels) > 0, err
}

// reduction says what is loaded of a graph.
func (o Options) reduction(lengths bool) rewrite.Reduction {
	mayUseGPU := o.config().MayUseGPU()
	optimizer := o.optimizer(mayUseGPU)
	return rewrite.Reduction{
		Signatures: o.Signatures, Whole: o.NoPrune, CPUOnly: !mayUseGPU, Compiled: o.XLA.enabled(), Lengths: lengths,
		Lookups: !mayUseGPU && optimizer == OptimizerFunctions, NoOptimizer: optimizer == OptimizerNone,
	}
}
