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

// beginWarmUp multiplies two small matrices in a goroutine of its own, where [Config.WarmUp] asks
// for it and a core is free: oneDNN makes the machine code of all products of matrices then, for
// which the first batch would wait. What it returns waits for the end of that. An error is no
// matter: the model will come upon its cause, or do without.
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
	// Threads inside operations are the process's, as many as its first session asks for: this may
	// be it. Those across operations are this session's own; of the process's it would keep the
	// loading from one.
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
