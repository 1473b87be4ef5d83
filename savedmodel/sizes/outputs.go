package sizes

import (
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// OutputsAt returns the shapes of a signature's outputs when its inputs have the given ones, as
// [Put] returns them. A size that is open in the signature is that of the layer which
// gives the output or else follows from the operations in the graph; where neither tells, it stays
// open. A value of several tensors is left out.
func OutputsAt(mg *savedmodel.MetaGraph, s *savedmodel.Signature, inputs map[string]tensor.Shape) (map[string]tensor.Shape, error) {
	b, err := body.OfAny(mg, s)
	if err != nil {
		return nil, err
	}
	table, err := layers.Of(mg)
	if err != nil {
		return nil, err
	}
	layers := table.Outputs(mg, b)
	var at map[string]tensor.Shape
	if len(layers) > 0 {
		at = table.OutputsAt(layers, inputs)
	}
	z := &sizer{g: mg.Graph(), inputs: inputs, budget: maxSizerSteps, known: map[dimKey]int64{}}
	all := map[string]tensor.Shape{}
	for name, info := range s.Outputs {
		if info.Encoding != "" || !info.Shape.Ranked() {
			continue
		}
		dims := info.Shape.Dims()
		now := at[name]
		for i, d := range dims {
			if d == tensor.Unknown && now.Rank() == len(dims) {
				dims[i] = now.Dim(i)
			}
			if r, ok := b.Result(info); ok && dims[i] == tensor.Unknown {
				dims[i] = z.dim(frameOf(b), r, i)
			}
		}
		all[name] = tensor.MakeShape(dims...)
	}
	return all, nil
}
