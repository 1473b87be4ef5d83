//go:build cgo

package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// answer is how long a pass, or a call, took, and what the answers add up to.
type answer struct {
	Seconds float64 `json:"seconds"`
	Sum     float64 `json:"sum"`
}

// turns are the median times of a call, runner's and the binding's, and what the answers of each
// add up to.
type turns struct {
	Ours answer `json:"ours"`
	Bare answer `json:"bare"`
}

// byTurns runs each row in a call of its own, by runner and by the binding alone, one call after
// the other. Medians of calls that lie between each other hold on a machine that does other work as
// well, which passes over all rows do not.
func byTurns(ctx context.Context, s *runner.Session, p *runner.Predictor, b *bare, rows []dataset.Element) (turns, error) {
	input, output := p.Function().Inputs()[0].Name, p.Function().Outputs()[0].Name
	ways := [2]func(tensor.Tensor) (float64, error){
		func(row tensor.Tensor) (float64, error) { return call(ctx, s, input, output, row) },
		b.call,
	}
	var took [2][]time.Duration
	var sums [2]float64
	for i, row := range rows {
		for k := range ways {
			way := (i + k) % 2 // each is first every other time
			start := time.Now()
			sum, err := ways[way](row.Tensors[0])
			if err != nil {
				return turns{}, err
			}
			took[way] = append(took[way], time.Since(start))
			sums[way] += sum
		}
	}
	return turns{answer{median(took[0]), sums[0]}, answer{median(took[1]), sums[1]}}, nil
}

// median returns the middle one of times, in seconds.
func median(times []time.Duration) float64 {
	slices.Sort(times)
	return times[len(times)/2].Seconds()
}

// call brings a row's values into TensorFlow's memory, runs them, and reads the output.
func call(ctx context.Context, s *runner.Session, input, output string, row tensor.Tensor) (sum float64, err error) {
	x, err := tensor.FromBytes(tensor.Float32, row.Bytes(), append([]int64{1}, row.Dims()...)...)
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
	return squares(values), nil
}

// call does the same with the binding alone.
func (b *bare) call(row tensor.Tensor) (sum float64, err error) {
	x, err := tf.ReadTensor(tf.Float, append([]int64{1}, row.Dims()...), bytes.NewReader(row.Bytes()))
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
	return squares(values[0]), nil
}

// squares adds up the squares of values: those of a softmax add up to 1, whatever they are.
func squares(values []float32) (sum float64) {
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	return sum
}
