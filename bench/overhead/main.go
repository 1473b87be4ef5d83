//go:build cgo

// Command overhead runs the same padded batches of token rows through the binding's bare
// Session.Run and through runner's Predictor, once on each request. bench/tfbench starts it; by
// hand:
//
//	printf '%s\n' '{"job":"bare"}' '{"job":"predict"}' |
//		go run ./bench/overhead -whole -model testdata/models/full_seed/k3/model -rows rows.jsonl
//
// The job "calls" runs one row a call, by runner's Session.Run and by the binding's, by turns.
//
// The bare loop is given tensors that lie ready in TensorFlow's memory and looks at no answer but
// to add them up. The Predictor is given rows in Go's memory: it groups, pads and feeds them, and
// deals the answers to the rows.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/tfrun/tfrun/bench/internal/peer"
	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

func main() {
	model := flag.String("model", "", "SavedModel")
	rows := flag.String("rows", "", "JSONL file of rows")
	whole := flag.Bool("whole", false, "the graph as it is, which is what the binding runs: cut down, the same work may be less")
	flag.Parse()
	if err := run(context.Background(), *model, *rows, *whole); err != nil {
		fmt.Fprintln(os.Stderr, "bench/overhead:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, model, file string, whole bool) error {
	s, err := runner.Load(ctx, model, runner.Options{NoPrune: whole})
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
		"calls": func(json.RawMessage) (any, error) {
			collect()
			return byTurns(ctx, s, p, b, elements)
		},
	}
	return peer.Serve(os.Stdin, os.Stdout, jobs)
}

func timed(pass func() (float64, error)) peer.Job {
	return func(json.RawMessage) (any, error) {
		collect()
		start := time.Now()
		sum, err := pass()
		return answer{time.Since(start).Seconds(), sum}, err
	}
}

// collect frees what an earlier pass has left, so that no pass pays for another's garbage: the
// binding's tensors are freed by finalizers, which run beside the program once they are found.
func collect() {
	type last struct{ _ *int }
	done := make(chan struct{})
	runtime.SetFinalizer(&last{}, func(*last) { close(done) })
	runtime.GC()
	<-done
	runtime.GC()
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
