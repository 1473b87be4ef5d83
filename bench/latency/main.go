// Command latency calls a warm model again and again with one batch of tokens, as long as it is
// told, and answers with the median time of a call. bench/tfbench starts it; by hand:
//
//	echo '{"job":"run","seconds":1}' |
//		go run ./bench/latency -model testdata/models/full_seed/k3/model -rows 1 -tokens 256
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tfrun/tfrun/bench/internal/peer"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

func main() {
	var o runner.Options
	model := flag.String("model", "", "SavedModel")
	rows := flag.Int64("rows", 1, "rows of the batch")
	tokens := flag.Int64("tokens", 256, "tokens of a row")
	flag.IntVar(&o.IntraOp, "intra-op", 0, "threads inside an operation; 0: TensorFlow decides")
	flag.IntVar(&o.InterOp, "inter-op", 0, "threads across operations; 0: TensorFlow decides")
	xla := flag.String("xla", "off", "compile with XLA: on or off")
	flag.Parse()
	o.XLA = runner.XLA(*xla)
	if err := run(*model, o, *rows, *tokens); err != nil {
		fmt.Fprintln(os.Stderr, "bench/latency:", err)
		os.Exit(1)
	}
}

func run(model string, o runner.Options, rows, tokens int64) error {
	ctx := context.Background()
	var uncompiled atomic.Pointer[error]
	o.XLAFallback = func(reason error) { uncompiled.Store(&reason) }
	s, err := runner.Load(ctx, model, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // nothing is lost
	f, err := s.Function("")
	if err != nil {
		return err
	}
	x, err := batch(rows, tokens)
	if err != nil {
		return err
	}
	call := func() ([]tensor.Tensor, error) { return f.Call(ctx, []runner.Feed{runner.FeedTensor(x)}) }
	if _, err := call(); err != nil {
		return err
	}
	if reason := uncompiled.Load(); reason != nil {
		return *reason
	}
	return peer.Serve(os.Stdin, os.Stdout, map[string]peer.Job{"run": func(arguments json.RawMessage) (any, error) {
		var a struct{ Seconds float64 }
		if err := json.Unmarshal(arguments, &a); err != nil {
			return nil, err
		}
		return measure(call, time.Duration(a.Seconds*float64(time.Second)))
	}})
}

// batch is the same numbers as tfbench/peers/latency.py feeds.
func batch(rows, tokens int64) (tensor.Tensor, error) {
	x := make([]float32, rows*tokens)
	for i := range x {
		x[i] = float32(i*7919%8184 + 1)
	}
	return tensor.FromSlice(x, rows, tokens)
}

// answer is the median time of a call, and what the last one answered.
type answer struct {
	Seconds float64   `json:"seconds"`
	Calls   int       `json:"calls"`
	Answer  []float32 `json:"answer"`
}

func measure(call func() ([]tensor.Tensor, error), length time.Duration) (answer, error) {
	var times []float64
	var values []float32
	for end := time.Now().Add(length); len(times) == 0 || time.Now().Before(end); {
		start := time.Now()
		out, err := call()
		times = append(times, time.Since(start).Seconds())
		if err != nil {
			return answer{}, err
		}
		values, _ = tensor.Values[float32](out[0])
	}
	slices.Sort(times)
	return answer{Seconds: times[len(times)/2], Calls: len(times), Answer: values}, nil
}
