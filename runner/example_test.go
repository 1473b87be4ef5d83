//go:build cgo && !notf

package runner_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// One row: a whole tensor in, a whole tensor out.
func ExampleLoad() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../testdata/models/full_seed/k3/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	x, err := tensor.FromSlice([]float32{12, 7, 431}, 1, 3) // a batch of one row of three tokens
	if err != nil {
		log.Fatal(err)
	}
	out, err := s.Run(ctx, "serving_default", map[string]tensor.Tensor{"keras_tensor": x})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["output_0"])
	// Output: float32(1, 1)
}

// A stream of rows of unequal length, in padded batches, one result a row.
func ExamplePredictor_Predict() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../testdata/models/full_seed/k3/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	p, err := s.NewPredictor(runner.PredictOptions{BatchSize: 2})
	if err != nil {
		log.Fatal(err)
	}
	rows := dataset.JSONL(strings.NewReader("[12, 7, 431]\n[5]\n[88, 3]\n"), p.RowSpec())
	for r, err := range p.Predict(ctx, rows) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Row, p.OutputNames()[0], r.Values[0].Tensor)
	}
	// Output:
	// 0 output_0 float32(1,)
	// 1 output_0 float32(1,)
	// 2 output_0 float32(1,)
}

// A handler of requests: one Function for all goroutines, one call a request.
func ExampleFunction_Run() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../testdata/models/full_seed/k3/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	f, err := s.Function("serving_default")
	if err != nil {
		log.Fatal(err)
	}

	score := func(ctx context.Context, tokens []float32) (float32, error) {
		x, err := tensor.FromSlice(tokens, 1, int64(len(tokens)))
		if err != nil {
			return 0, err
		}
		out, err := f.Run(ctx, map[string]tensor.Tensor{"keras_tensor": x})
		if err != nil {
			return 0, err
		}
		values, _ := tensor.Values[float32](out["output_0"])
		return values[0], nil
	}
	y, err := score(ctx, []float32{12, 7, 431})
	fmt.Println(y > 0 && y < 1, err)
	// Output: true <nil>
}
