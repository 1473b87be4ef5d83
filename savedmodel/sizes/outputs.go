package sizes

import (
	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// Refused returns a *[SizeError] that names the operation that TensorFlow refuses to run, and what
// it would take, where the inputs have the given shapes, see [Signature.Put]; nil where none is
// known.
func (s *Signature) Refused(inputs map[string]tensor.Shape) error {
	b, err := s.body()
	if err != nil || b == nil || b.Function == nil {
		return err
	}
	if r := b.Frame(inputs).Refused(); r != nil {
		return &SizeError{Signature: s.sig.Name, Msg: "these sizes do not fit each other: " + r.Node.Name + ", " + r.Why, Have: s.Axes()}
	}
	return nil
}

// RefusedTable is [Signature.Refused] for a model in one of Keras' own files.
func RefusedTable(t *layers.Table, inputs map[string]tensor.Shape) error {
	if why := t.RefusedAt(inputs); why != "" {
		return &SizeError{Msg: "these sizes do not fit each other: " + why, Have: TableAxes(t)}
	}
	return nil
}

// Outputs returns the shapes of the outputs for inputs of the given shapes, see [Signature.Put]. A
// size that is open in the signature is that of the layer that makes the output, or follows from
// the operations in the graph; otherwise it stays open. An output that consists of several tensors
// is left out.
func (s *Signature) Outputs(inputs map[string]tensor.Shape) (map[string]tensor.Shape, error) {
	b, err := s.body()
	if err != nil {
		return nil, err
	}
	layers := s.table.Outputs(s.mg, b)
	var at map[string]tensor.Shape
	if len(layers) > 0 {
		at = s.table.OutputsAt(layers, inputs)
	}
	frame := b.Frame(inputs)
	all := map[string]tensor.Shape{}
	for name, info := range s.sig.Outputs {
		if info.Encoding != "" || !info.Shape.Ranked() {
			continue
		}
		all[name] = info.Shape
		if r, ok := b.Result(info); ok {
			all[name] = shape.Merge(all[name], frame.Shape(r))
		}
		all[name] = shape.Merge(all[name], at[name])
	}
	return all, nil
}
