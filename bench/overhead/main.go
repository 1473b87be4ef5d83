//go:build cgo

// Command overhead runs the same padded batches of token rows through the binding's bare
// Session.Run and through runner's Predictor, once on each request. bench/tfbench starts it; by
// hand:
//
//	printf '%s\n' '{"job":"bare"}' '{"job":"predict"}' |
//		go run ./bench/overhead -model testdata/models/full_seed/k3/model -rows rows.jsonl
//
// The jobs "bare-calls" and "calls" run one row a call, by the binding's Session.Run and by
// runner's.
//
// The bare loop is given tensors that lie ready in TensorFlow's memory and looks at no answer but
// to add them up. The Predictor is given rows in Go's memory: it groups, pads and feeds them, and
// deals the answers to the rows.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/bench/internal/peer"
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

const batchSize = 64

func main() {
	model := flag.String("model", "", "SavedModel")
	rows := flag.String("rows", "", "JSONL file of token rows")
	flag.Parse()
	if err := run(context.Background(), *model, *rows); err != nil {
		fmt.Fprintln(os.Stderr, "bench/overhead:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, model, file string) error {
	// The graph as it is, which is what the bare loop runs: cut down, the same work is less.
	s, err := runner.Load(ctx, model, runner.Options{NoPrune: true})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // nothing is lost
	p, err := s.NewPredictor(runner.PredictOptions{BatchSize: batchSize, Workers: 1})
	if err != nil {
		return err
	}
	elements, err := dataset.JSONLFiles(p.RowSpec(), dataset.JSONLOptions{}, file).Collect(ctx)
	if err != nil {
		return err
	}
	rows := dataset.FromElements(p.RowSpec(), elements...)
	b, err := newBare(ctx, model, s.MetaGraph().Tags, rows)
	if err != nil {
		return err
	}
	jobs := map[string]peer.Job{
		"bare":    timed(b.run),
		"predict": timed(func() (float64, error) { return predict(ctx, p, rows) }),

		"bare-calls": timed(func() (float64, error) { return b.calls(elements) }),
		"calls":      timed(func() (float64, error) { return calls(ctx, s, p, elements) }),
	}
	return peer.Serve(os.Stdin, os.Stdout, jobs)
}

// answer is how long a pass took, and what the answers add up to.
type answer struct {
	Seconds float64 `json:"seconds"`
	Sum     float64 `json:"sum"`
}

func timed(pass func() (float64, error)) peer.Job {
	return func(json.RawMessage) (any, error) {
		runtime.GC() // neither pays for the other's garbage
		start := time.Now()
		sum, err := pass()
		return answer{time.Since(start).Seconds(), sum}, err
	}
}

func predict(ctx context.Context, p *runner.Predictor, rows *dataset.Dataset) (sum float64, err error) {
	for r, err := range p.Predict(ctx, rows) {
		if err != nil {
			return 0, err
		}
		v, _ := tensor.Values[float32](r.Values[0].Tensor)
		sum += float64(v[0])
	}
	return sum, nil
}

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
