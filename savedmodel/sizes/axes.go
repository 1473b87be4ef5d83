package sizes

import (
	"fmt"
	"maps"
	"sync"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// Axis is a dimension of an input whose size the signature leaves open.
type Axis struct {
	Input string // the signature's name for the input
	Dim   int    // which of its dimensions
	// Name is "batch", "time", "height", "width", "depth" or "channels", or "axis2" where nothing
	// tells more.
	Name string
}

// Sizes gives sizes to open axes: to all axes with a name, or to the dimensions of one input, which
// overrides the former.
type Sizes struct {
	Axes   map[string]int64   // "batch": 64
	Inputs map[string][]int64 // "x": {64, 120}; Unknown leaves a dimension open
}

// SizeError says that sizes do not fit a model's inputs.
type SizeError struct {
	Signature string // "" for one of Keras' own files, which have no signatures
	Msg       string
	Have      []Axis // the open axes
}

// Error says what does not fit.
func (e *SizeError) Error() string {
	if e.Signature == "" {
		return words.OneLine(e.Msg)
	}
	return words.OneLine(fmt.Sprintf("signature %q: %s", e.Signature, e.Msg))
}

// Signature finds the sizes of a signature's tensors. It may be used from several goroutines.
type Signature struct {
	mg    *savedmodel.MetaGraph
	sig   *savedmodel.Signature
	table *layers.Table // nil if the model has no layers
	body  func() (*body.Body, error)
}

// Of returns what there is to say about the sizes of a signature. table is the graph's table of
// layers, see [layers.Of], or nil.
func Of(mg *savedmodel.MetaGraph, sig *savedmodel.Signature, table *layers.Table) *Signature {
	return &Signature{mg, sig, table, sync.OnceValues(func() (*body.Body, error) { return body.OfAny(mg, sig) })}
}

// Operations returns the number of operations that sizes are traced through: those of the function
// that does the signature's work, or of the main graph.
func (s *Signature) Operations() (int, error) {
	b, err := s.body()
	if b == nil || b.Function == nil || err != nil {
		return 0, err
	}
	return len(b.Nodes), nil
}

// Axes lists the open dimensions of the inputs with names, in the order of the inputs' names. A
// name follows from the rank, and from the layer that takes the input; where that is not known,
// from which of the dimensions are open.
func (s *Signature) Axes() []Axis {
	var takers map[string]layers.Taker
	if s.table != nil && s.table.Signature == s.sig.Name {
		takers = s.table.Takers()
	}
	var axes []Axis
	for _, name := range s.sig.InputNames() {
		axes = append(axes, openAxes(name, s.sig.Inputs[name].Shape, takers)...)
	}
	return axes
}

// TableAxes lists the open dimensions of the inputs of a model in one of Keras' own files, as
// [Signature.Axes] does for a signature.
func TableAxes(t *layers.Table) []Axis {
	takers := t.Takers()
	var axes []Axis
	for _, p := range t.Takes {
		axes = append(axes, openAxes(p.Name, p.Shape, takers)...)
	}
	return axes
}

// openAxes names the open dimensions of one input.
func openAxes(input string, shape tensor.Shape, takers map[string]layers.Taker) []Axis {
	rank := shape.Rank()
	taker, known := takers[input]
	if !known && rank > 2 { // the channels are what is fixed
		taker.ChannelsFirst = shape.Dim(1) != tensor.Unknown && shape.Dim(-1) == tensor.Unknown
	}
	var axes []Axis
	for i, d := range shape.Dims() {
		if d == tensor.Unknown {
			axes = append(axes, Axis{input, i, taker.Axis(rank, i)})
		}
	}
	return axes
}

// Put returns the shapes of the inputs with the given sizes. A name or an input that does not
// exist, or another size for a fixed dimension, is a *[SizeError].
func (s *Signature) Put(sizes Sizes) (map[string]tensor.Shape, error) {
	shapes := map[string]tensor.Shape{}
	for name, info := range s.sig.Inputs {
		shapes[name] = info.Shape
	}
	return put(s.sig.Name, shapes, s.Axes(), sizes)
}

// PutTable is [Signature.Put] for a model in one of Keras' own files.
func PutTable(t *layers.Table, sizes Sizes) (map[string]tensor.Shape, error) {
	shapes := map[string]tensor.Shape{}
	for _, p := range t.Takes {
		shapes[p.Name] = p.Shape
	}
	return put("", shapes, TableAxes(t), sizes)
}

// put puts sizes into the shapes of inputs.
func put(signature string, declared map[string]tensor.Shape, axes []Axis, sizes Sizes) (map[string]tensor.Shape, error) {
	bad := func(format string, args ...any) error {
		return &SizeError{Signature: signature, Msg: fmt.Sprintf(format, args...), Have: axes}
	}
	shapes := maps.Clone(declared)
	for name, size := range sizes.Axes {
		if size < 0 {
			return nil, bad("axis %q cannot have size %d", name, size)
		}
		found := false
		for _, a := range axes {
			if a.Name == name {
				shapes[a.Input] = shape.With(shapes[a.Input], a.Dim, size)
				found = true
			}
		}
		if !found {
			return nil, bad("no open axis is called %q", name)
		}
	}
	for name, dims := range sizes.Inputs {
		admitted, ok := declared[name]
		if !ok {
			return nil, bad("no input is called %q", name)
		}
		if !admitted.Admits(dims) {
			return nil, bad("input %q has shape %v, which %v does not fit", name, admitted, tensor.MakeShape(dims...))
		}
		fed := tensor.MakeShape(dims...)
		for i, d := range dims {
			if d == tensor.Unknown && shapes[name].Ranked() {
				fed = shape.With(fed, i, shapes[name].Dim(i))
			}
		}
		shapes[name] = fed
	}
	return shapes, nil
}
