//go:build cgo && !notf

package tf

import (
	"runtime"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/tensor"
)

// beginWarmUp multiplies two small matrices in a goroutine, if [Config.WarmUp] asks for it and a
// core is free. oneDNN then makes the machine code for all products of matrices, for which the
// first batch would have to wait. The returned function waits for the end. Errors are dropped: the
// model meets the same error, or does not need the product.
func beginWarmUp(c Config) (wait func()) {
	if !c.WarmUp || runtime.GOMAXPROCS(0) < 2 || c.MayUseGPU() {
		return func() {}
	}
	done := make(chan struct{})
	crash.Go(func() error { return guard("warm up", func() error { return multiply(c) }) }, func(error) { close(done) })
	return func() { <-done }
}

// warmSide is the side of the matrices. oneDNN has other code for vectors.
const warmSide = 16

// multiply runs a graph of one product in a session of its own.
func multiply(c Config) error {
	root := tg.NewRoot()
	in := op.Placeholder(root, tf.Float)
	product := op.MatMul(root, in, in)
	graph, err := root.Finalize()
	if err != nil {
		return err
	}
	// Threads inside operations belong to the process, as many as its first session asks for, which
	// may be this one. Threads across operations are this session's own: with those of the process
	// it would keep one from loading the model.
	config, err := Config{Device: "cpu", IntraOp: c.IntraOp, InterOp: 1, OwnThreads: true}.proto()
	if err != nil {
		return err
	}
	s, err := tf.NewSession(graph, &tf.SessionOptions{Config: config})
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // its results are of no use
	zeros, err := tensor.New(tensor.Float32, warmSide, warmSide)
	if err != nil {
		return err
	}
	x, err := toC(FeedTensor(zeros))
	if err != nil {
		return err
	}
	_, err = s.Run(map[tf.Output]*tf.Tensor{in: x.t}, []tf.Output{product}, nil)
	x.release()
	return err
}
