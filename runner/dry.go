package runner

import (
	"errors"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// errDry is the error of a run of a dry predictor.
var errDry = errors.New("this predictor is dry: its model is not loaded")

// dryEngine stands in the place of TensorFlow in a dry predictor.
type dryEngine struct{}

func (dryEngine) Prepare(_, _ []string) (tf.Program, error) { return dryProgram{}, nil }
func (dryEngine) Devices() ([]Device, error)                { return nil, errDry }
func (dryEngine) Close() error                              { return nil }

func (dryEngine) AddHead(name string, h tf.Head) ([]tf.HeadTensor, error) {
	switch {
	case h.ArgMax:
		return []tf.HeadTensor{{Tensor: name, DType: tensor.Int64, Label: true}}, nil
	case h.TopK > 0:
		return []tf.HeadTensor{{Suffix: "_scores", Tensor: name, DType: tensor.Float32}, {Suffix: "_indices", Tensor: name, DType: tensor.Int32, Label: true}}, nil
	}
	return []tf.HeadTensor{{Tensor: name, DType: tensor.Float32}}, nil
}

type dryProgram struct{}

func (dryProgram) Load([]tf.Feed, *tf.Recycler) (tf.Loaded, error) { return nil, errDry }

// DryPredictor checks options against a model's files as [LoadModel] and [Session.NewPredictor] do,
// without TensorFlow. The predictor that it returns says what rows and results look like, reads
// rows and pads them, but does not run.
func DryPredictor(m *savedmodel.Model, o Options, po PredictOptions) (*Predictor, error) {
	s, err := newSession(m, o)
	if err != nil {
		return nil, err
	}
	s.engine, s.xla = dryEngine{}, nil
	return s.NewPredictor(po)
}
