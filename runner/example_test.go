//go:build cgo && !notf

package runner_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/text"
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

// Many rows in memory, of unequal length: they are padded to the longest of their batch.
func ExamplePredictor_Rows() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../testdata/models/full_seed/k3/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	p, err := s.NewPredictor(runner.PredictOptions{Batching: runner.Exact})
	if err != nil {
		log.Fatal(err)
	}

	rows := func(yield func(map[string]tensor.Tensor) bool) {
		for _, tokens := range [][]float32{{12, 7, 431}, {5}, {88, 3}} {
			if !yield(map[string]tensor.Tensor{"keras_tensor": tensor.Vector(tokens...)}) {
				return
			}
		}
	}
	for r, err := range p.Rows(ctx, rows) {
		if err != nil {
			log.Fatal(err)
		}
		scores, _ := tensor.Values[float32](r.Values[0].Tensor)
		fmt.Println(r.Row, len(scores))
	}
	// Output:
	// 0 1
	// 1 1
	// 2 1
}

// JSON in and out, as a service has it: rows of many goroutines share batches.
func ExampleBatcher() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../testdata/models/full_seed/k3/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	p, err := s.NewPredictor(runner.PredictOptions{Batching: runner.Exact})
	if err != nil {
		log.Fatal(err)
	}
	b, err := p.NewBatcher(runner.BatcherOptions{MaxWait: time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	answer := func(ctx context.Context, body []byte) ([]byte, error) {
		row, err := p.ParseRow(body)
		if err != nil {
			return nil, err
		}
		result, err := b.Run(ctx, row)
		if err != nil {
			return nil, err
		}
		return runner.AppendRow(nil, p.OutputNames(), result)
	}
	line, err := answer(ctx, []byte(`{"keras_tensor": [12, 7, 431]}`))
	fmt.Println(string(line[:15]), err)
	_, err = answer(ctx, []byte(`{"keras_tensor": [12, "7"]}`))
	fmt.Println(err)
	// Output:
	// {"output_0":[0. <nil>
	// field "keras_tensor": want a number, got a string
}

// Text in: a vocabulary makes the numbers that the model was trained on.
func ExampleSession_Run_text() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../examples/reviews/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	vocabulary, err := text.Open("../examples/reviews/vocab.subwords", text.Auto)
	if err != nil {
		log.Fatal(err)
	}

	for _, review := range []string{"A delight for young and old alike.", "An insult to young and old alike."} {
		var tokens []float32
		for _, id := range vocabulary.Encode(review) {
			tokens = append(tokens, float32(id))
		}
		x, err := tensor.FromSlice(tokens, 1, int64(len(tokens)))
		if err != nil {
			log.Fatal(err)
		}
		out, err := s.Run(ctx, "serving_default", map[string]tensor.Tensor{"keras_tensor": x})
		if err != nil {
			log.Fatal(err)
		}
		score, _ := tensor.Values[float32](out["output_0"])
		fmt.Println(score[0] > 0.5, review)
	}
	// Output:
	// true A delight for young and old alike.
	// false An insult to young and old alike.
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

// Results of many rows at a time, as columns: what a writer of files wants.
func ExamplePredictor_Batches() {
	ctx := context.Background()
	s, err := runner.Load(ctx, "../testdata/models/full_seed/k3/model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	p, err := s.NewPredictor(runner.PredictOptions{BatchSize: 2, PadTo: map[string]int64{"keras_tensor": 8}})
	if err != nil {
		log.Fatal(err)
	}
	var rows []dataset.Element
	for i, tokens := range [][]float32{{12, 7, 431}, {5}, {88, 3}} {
		row, err := p.Row(map[string]tensor.Tensor{"keras_tensor": tensor.Vector(tokens...)})
		if err != nil {
			log.Fatal(err)
		}
		row.Row = int64(i)
		rows = append(rows, row)
	}
	for b, err := range p.Batches(ctx, p.Complete(dataset.FromElements(p.RowSpec(), rows...))) {
		if err != nil {
			log.Fatal(err)
		}
		for i := range b.Len() {
			r, err := b.Result(i)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(r.Row, r.Values[0].Tensor)
		}
	}
	fmt.Printf("%+v\n", p.Counters())
	// Output:
	// 0 float32(1,)
	// 1 float32(1,)
	// 2 float32(1,)
	// {Batches:2 Rows:3 Real:24 Padded:24}
}
