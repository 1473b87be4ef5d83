//go:build cgo && !notf

package tf

import (
	"sync"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"

	"github.com/tfrun/tfrun/tensor"
)

// helper is a graph of one operation, built with tfgo, which does something to a tensor that the
// binding cannot do.
type helper struct {
	session        *tf.Session
	in, shape, out tf.Output // shape only for Reshape
}

type helperKey struct {
	op       string // "Bitcast" or "Reshape"
	from, to tensor.DType
}

// helpers holds each helper from its first use to the end of the process.
var helpers struct {
	sync.Mutex
	m map[helperKey]*helper
}

// helperFor returns the helper for key. It may panic, as tfgo does, so callers are inside guard.
func helperFor(key helperKey) (*helper, error) {
	helpers.Lock()
	defer helpers.Unlock()
	if h, ok := helpers.m[key]; ok {
		return h, nil
	}
	root := tg.NewRoot()
	h := &helper{in: op.Placeholder(root.SubScope("in"), tf.DataType(key.from))}
	if key.op == "Reshape" {
		h.shape = op.Placeholder(root.SubScope("shape"), tf.Int64)
		h.out = op.Reshape(root, h.in, h.shape)
	} else {
		h.out = op.Bitcast(root, h.in, tf.DataType(key.to))
	}
	graph, err := root.Finalize()
	if err != nil {
		return nil, err
	}
	config, err := Config{Device: "cpu", IntraOp: 1, InterOp: 1}.proto()
	if err != nil {
		return nil, err
	}
	if h.session, err = tf.NewSession(graph, &tf.SessionOptions{Config: config}); err != nil {
		return nil, err
	}
	if helpers.m == nil {
		helpers.m = map[helperKey]*helper{}
	}
	helpers.m[key] = h
	return h, nil
}

func (h *helper) run(feeds map[tf.Output]*tf.Tensor) (*tf.Tensor, error) {
	out, err := h.session.Run(feeds, []tf.Output{h.out}, nil)
	if err != nil {
		return nil, runError(err)
	}
	return out[0], nil
}
