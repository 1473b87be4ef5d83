//go:build cgo && !notf

package tf

import (
	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/tensor"
)

// feedsOf returns the fed values by the tensors of a program, which may be that of another graph:
// the same model on another device.
func (l *tfLoaded) feedsOf(p *tfProgram) map[tf.Output]*tf.Tensor {
	if p.session == l.p.session {
		return l.feeds
	}
	feeds := make(map[tf.Output]*tf.Tensor, len(l.held))
	for i, c := range l.held {
		feeds[p.feeds[i]] = c.t
	}
	return feeds
}

func (l *tfLoaded) Values() ([]tensor.Tensor, error) {
	list := make([]tensor.Tensor, len(l.held))
	for i, c := range l.held {
		var err error
		if list[i], err = fromC(c, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}
