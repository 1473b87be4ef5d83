//go:build cgo

package main

import (
	"bytes"
	"context"
	"fmt"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// calls runs each row in a call of its own: the first input's values are brought into TensorFlow's
// memory, run, and the first output's read.
func calls(ctx context.Context, s *runner.Session, p *runner.Predictor, rows []dataset.Element) (sum float64, err error) {
	input, output := p.Function().Inputs()[0].Name, p.Function().Outputs()[0].Name
	for _, row := range rows {
		x, err := tensor.FromBytes(tensor.Float32, row.Tensors[0].Bytes(), append([]int64{1}, row.Tensors[0].Dims()...)...)
		if err != nil {
			return 0, err
		}
		out, err := s.Run(ctx, "", map[string]tensor.Tensor{input: x})
		if err != nil {
			return 0, err
		}
		values, ok := tensor.Values[float32](out[output])
		if !ok {
			return 0, fmt.Errorf("want float32, got %v", out[output])
		}
		for _, v := range values {
			sum += float64(v) * float64(v) // the values of a softmax add up to 1, whatever they are
		}
	}
	return sum, nil
}

// calls does the same with the binding alone.
func (b *bare) calls(rows []dataset.Element) (sum float64, err error) {
	for _, row := range rows {
		dims := append([]int64{1}, row.Tensors[0].Dims()...)
		x, err := tf.ReadTensor(tf.Float, dims, bytes.NewReader(row.Tensors[0].Bytes()))
		if err != nil {
			return 0, err
		}
		out, err := b.model.Session.Run(map[tf.Output]*tf.Tensor{b.feed: x}, b.fetches, nil)
		if err != nil {
			return 0, err
		}
		values, ok := out[0].Value().([][]float32)
		if !ok {
			return 0, fmt.Errorf("want an output of two axes, got %v", out[0].Shape())
		}
		for _, v := range values[0] {
			sum += float64(v) * float64(v)
		}
	}
	return sum, nil
}
