//go:build cgo && !notf

package tf

import (
	"fmt"

	tf "github.com/galeone/tensorflow/tensorflow/go"
	"github.com/galeone/tensorflow/tensorflow/go/op"
	tg "github.com/galeone/tfgo"

	"github.com/tfrun/tfrun/tensor"
)

// AddHead adds a head's operations to the model's graph. The session uses them from its next run
// on.
func (e *tfEngine) AddHead(name string, h Head) (added []HeadTensor, err error) {
	x, err := e.output(name)
	if err != nil {
		return nil, err
	}
	e.heads++
	scope := op.NewScopeWithGraph(e.graph).SubScope(fmt.Sprintf("tfrun_head_%d", e.heads))
	if e.place != "" {
		scope = scope.WithDevice(e.place)
	}
	err = guard("head", func() error {
		switch h.Activation {
		case "softmax":
			x = op.Softmax(scope, x)
		case "sigmoid":
			x = op.Sigmoid(scope, x)
		}
		add := func(suffix string, out tf.Output, label bool) {
			if scope.Err() == nil {
				added = append(added, HeadTensor{
					Suffix: suffix, Tensor: fmt.Sprintf("%s:%d", out.Op.Name(), out.Index), DType: tensor.DType(out.DataType()), Label: label,
				})
			}
		}
		switch {
		case h.ArgMax:
			add("", op.ArgMax(scope, x, tg.Const(scope, int32(-1))), true)
		case h.TopK > 0:
			values, indices := op.TopKV2(scope, x, tg.Const(scope, int32(h.TopK)))
			add("_scores", values, false)
			add("_indices", indices, true)
		case h.Activation == "":
			add("", op.Identity(scope, x), false)
		default:
			add("", x, false)
		}
		if err := scope.Err(); err != nil {
			return &Error{Op: "head", Msg: cleanMessage(err.Error())}
		}
		return nil
	})
	return added, err
}
