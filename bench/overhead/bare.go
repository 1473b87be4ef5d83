//go:build cgo

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/dataset"
)

// bare is a model of its own, loaded by the binding alone, and the batches as tensors.
type bare struct {
	model   *tf.SavedModel
	feed    tf.Output
	fetches []tf.Output
	batches []*tf.Tensor
}

func newBare(ctx context.Context, model string, tags []string, rows *dataset.Dataset) (*bare, error) {
	m, err := tf.LoadSavedModel(model, tags, nil)
	if err != nil {
		return nil, err
	}
	signature, ok := m.Signatures["serving_default"]
	if !ok || len(signature.Inputs) != 1 || len(signature.Outputs) != 1 {
		return nil, errors.New("want a signature serving_default with one input and one output")
	}
	b := &bare{model: m}
	for _, in := range signature.Inputs {
		b.feed = output(m.Graph, in.Name)
	}
	for _, out := range signature.Outputs {
		b.fetches = append(b.fetches, output(m.Graph, out.Name))
	}
	for e, err := range rows.PaddedBatch(batchSize).All(ctx) {
		if err != nil {
			return nil, err
		}
		padded := e.Tensors[0]
		t, err := tf.ReadTensor(tf.Float, padded.Dims(), bytes.NewReader(padded.Bytes()))
		if err != nil {
			return nil, err
		}
		b.batches = append(b.batches, t)
	}
	return b, nil
}

// output finds a tensor of a signature, "operation:index".
func output(g *tf.Graph, name string) tf.Output {
	op, index, _ := strings.Cut(name, ":")
	i, _ := strconv.Atoi(index)
	return g.Operation(op).Output(i)
}

func (b *bare) run() (sum float64, err error) {
	for _, t := range b.batches {
		out, err := b.model.Session.Run(map[tf.Output]*tf.Tensor{b.feed: t}, b.fetches, nil)
		if err != nil {
			return 0, err
		}
		values, ok := out[0].Value().([][]float32)
		if !ok {
			return 0, fmt.Errorf("want an output of shape [?, 1], got %v", out[0].Shape())
		}
		for _, v := range values {
			sum += float64(v[0])
		}
	}
	return sum, nil
}

const batchSize = 64
