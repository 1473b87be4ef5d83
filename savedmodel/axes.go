package savedmodel

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/tensor"
)

// Axis is a dimension of an input whose size the signature leaves open.
type Axis struct {
	Input string // the signature's name for the input
	Dim   int    // which of its dimensions
	// "batch", "time", "height", "width", "depth", "channels", or "axis2" where nothing tells
	Name string
}

// Sizes puts numbers in for axes: for all that bear a name, or for all dimensions of one input,
// which goes first.
type Sizes struct {
	Axes   map[string]int64   // "batch": 64
	Inputs map[string][]int64 // "x": {64, 120}; Unknown leaves a dimension open
}

// SizeError says that sizes do not fit a signature.
type SizeError struct {
	Signature string
	Msg       string
	Have      []Axis // the axes that are open
}

// Error says what does not fit.
func (e *SizeError) Error() string {
	return words.OneLine(fmt.Sprintf("signature %q: %s", e.Signature, e.Msg))
}

// Axes names the open dimensions of a signature's inputs, in the order of the inputs' names. What
// an axis is follows from the rank and from the layer that takes the input.
func (mg *MetaGraph) Axes(s *Signature) []Axis {
	takers := mg.inputTakers(s)
	var axes []Axis
	for _, name := range s.InputNames() {
		shape := s.Inputs[name].Shape
		for i, d := range shape.Dims() {
			if d == tensor.Unknown {
				axes = append(axes, Axis{name, i, axisName(shape.Rank(), i, takers[name])})
			}
		}
	}
	return axes
}

// inputTakers returns the class of the layer that takes each input, as far as the layer table
// knows.
func (mg *MetaGraph) inputTakers(s *Signature) map[string]string {
	takers := map[string]string{}
	table, err := mg.Layers()
	if err != nil || table == nil || table.Signature != s.Name {
		return takers
	}
	inputs := map[tensorKey]string{}
	for _, st := range table.steps {
		if len(st.out) == 0 {
			continue // a layer that damaged metadata leaves without outputs
		}
		if st.input != "" {
			inputs[st.out[0]] = st.input
			continue
		}
		for _, key := range st.in {
			if input, ok := inputs[key]; ok && takers[input] == "" {
				if slices.Contains(elementwise, st.class) {
					inputs[st.out[0]] = input // look through to the next
				} else {
					takers[input] = st.class
				}
			}
		}
	}
	return takers
}

// axisName tells what dimension i of an input of the given rank is for the layers of a class.
func axisName(rank, i int, class string) string {
	if i == 0 {
		return "batch"
	}
	sequence := class == "ConvLSTM2D" || class == "TimeDistributed" || class == "ConvLSTM1D" || class == "ConvLSTM3D"
	if sequence && i == 1 {
		return "time"
	}
	names := map[int][]string{
		2: {"", "time"}, 3: {"", "time", "channels"}, 4: {"", "height", "width", "channels"}, 5: {"", "depth", "height", "width", "channels"},
	}[rank]
	if sequence && rank == 5 {
		names = []string{"", "time", "height", "width", "channels"}
	}
	if i < len(names) {
		return names[i]
	}
	return "axis" + strconv.Itoa(i)
}

// Put returns the shapes of the signature's inputs with sizes put in. A *[SizeError] says that a
// name or an input does not exist, or that a fixed dimension is to become another.
func (mg *MetaGraph) Put(s *Signature, sizes Sizes) (map[string]tensor.Shape, error) {
	axes := mg.Axes(s)
	bad := func(format string, args ...any) error {
		return &SizeError{Signature: s.Name, Msg: fmt.Sprintf(format, args...), Have: axes}
	}
	shapes := map[string]tensor.Shape{}
	for name, info := range s.Inputs {
		shapes[name] = info.Shape
	}
	for name, size := range sizes.Axes {
		if size < 0 {
			return nil, bad("axis %q cannot have size %d", name, size)
		}
		found := false
		for _, a := range axes {
			if a.Name == name {
				shapes[a.Input] = withDim(shapes[a.Input], a.Dim, size)
				found = true
			}
		}
		if !found {
			return nil, bad("no open axis is called %q", name)
		}
	}
	for name, dims := range sizes.Inputs {
		info, ok := s.Inputs[name]
		if !ok {
			return nil, bad("no input is called %q", name)
		}
		if !info.Shape.Admits(dims) {
			return nil, bad("input %q has shape %v, which %v does not fit", name, info.Shape, tensor.MakeShape(dims...))
		}
		shape := tensor.MakeShape(dims...)
		for i, d := range dims {
			if d == tensor.Unknown && shapes[name].Ranked() {
				shape = withDim(shape, i, shapes[name].Dim(i))
			}
		}
		shapes[name] = shape
	}
	return shapes, nil
}

// withDim returns the shape with one size replaced.
func withDim(s tensor.Shape, i int, d int64) tensor.Shape {
	dims := s.Dims()
	dims[i] = d
	return tensor.MakeShape(dims...)
}

// LayerAt is a row of the layer table with sizes put in.
type LayerAt struct {
	Layer  *Layer
	Output OutputShape // as far as it follows from the sizes
	Bytes  int64       // of what the layer gives, over all its calls
	Exact  bool        // false: some size is still open, and Bytes counts the rest
}

// At returns the table's rows with sizes put in for the open dimensions of the inputs: shapes as
// [MetaGraph.Put] returns them. The shapes of layers whose rule is not known follow their inputs'
// open dimensions where these can be told.
func (t *LayerTable) At(inputs map[string]tensor.Shape) []LayerAt {
	byLayer, _ := t.run(inputs)
	rows := make([]LayerAt, 0, len(t.Layers))
	for _, l := range t.Layers {
		if at := byLayer[l]; at != nil {
			rows = append(rows, *at)
		} else {
			rows = append(rows, LayerAt{Layer: l, Output: l.Output})
		}
	}
	return rows
}

// run computes what each layer gives, and the shapes of all tensors between layers.
func (t *LayerTable) run(inputs map[string]tensor.Shape) (map[*Layer]*LayerAt, map[tensorKey]tensor.Shape) {
	env := map[tensorKey]tensor.Shape{}
	static := map[tensorKey]tensor.Shape{}
	byLayer := map[*Layer]*LayerAt{}
	for _, st := range t.steps {
		now := st.run(inputs, env, static)
		at := byLayer[st.layer]
		if st.layer == nil {
			continue
		}
		if at == nil {
			at = &LayerAt{Layer: st.layer, Exact: true}
			byLayer[st.layer] = at
		}
		at.Output = OutputShape{Shapes: now}
		for i, s := range now {
			n, ok := s.NumElements()
			at.Exact = at.Exact && ok
			at.Bytes += n * int64(st.dtype(i).Size())
		}
	}
	return byLayer, env
}

// tensorKey identifies a tensor between layers: a [ref] of the function, or an [inbound] of a
// config.
type tensorKey any

// step is one call of a layer in the order in which a model can be computed.
type step struct {
	layer  *Layer // nil for the inside of a nested model
	class  string
	config config
	input  string // the signature's name, when the step is an input
	in     []tensorKey
	out    []tensorKey
	shapes []tensor.Shape // of out, with open dimensions
	// tensors are the names that out has in the function, where they are known.
	tensors []string
	dtypes  []tensor.DType // of out
	// eval computes the outputs where neither the class's rule nor the steps of a nested model do.
	eval func(in []tensor.Shape) ([]tensor.Shape, bool)
	// byRows says that the second axis is as long as the first: see [keras3.stepsByRows].
	byRows bool
	// inner says that the steps before have computed the outputs.
	inner bool
}

// dtype returns the type of output i; float32 where it is not known.
func (s *step) dtype(i int) tensor.DType {
	if i < len(s.dtypes) && s.dtypes[i] != tensor.Invalid {
		return s.dtypes[i].Base()
	}
	return tensor.Float32
}

// run computes the outputs' shapes from those of the inputs in env, and puts them there. static has
// the shapes with open dimensions.
func (s *step) run(inputs map[string]tensor.Shape, env, static map[tensorKey]tensor.Shape) []tensor.Shape {
	now := slices.Clone(s.shapes)
	switch {
	case s.input != "":
		if shape, ok := inputs[s.input]; ok && len(now) > 0 {
			now[0] = shape
		}
	case s.inner:
		for i, key := range s.out {
			if shape, ok := env[key]; ok {
				now[i] = shape
			}
		}
	default:
		var before, after []tensor.Shape
		for _, key := range s.in {
			before, after = append(before, static[key]), append(after, env[key])
		}
		now = s.compute(before, after)
	}
	if s.byRows {
		for i := range now {
			now[i] = withDim(now[i], 1, now[i].Dim(0))
		}
	}
	for i, key := range s.out {
		if i < len(s.shapes) {
			static[key], env[key] = s.shapes[i], now[i]
		}
	}
	return now
}

// compute returns the outputs' shapes: known sizes stand, open ones follow by the class's rule or
// else from the inputs' open ones.
func (s *step) compute(before, after []tensor.Shape) []tensor.Shape {
	out, ok := inferShape(s.class, s.config, after, 0)
	if !ok && s.eval != nil {
		out, ok = s.eval(after)
	}
	if ok && len(out) == len(s.shapes) {
		merged := mergeKnown(OutputShape{Shapes: s.shapes}, OutputShape{Shapes: out})
		return merged.Shapes
	}
	now := slices.Clone(s.shapes)
	for i, shape := range now {
		now[i] = carry(shape, before, after)
	}
	return now
}

// carry fills the open sizes of a shape from the inputs: the first axis from a first axis, others
// from an open axis in the same place of an input of the same rank, or from the only other open
// axis there is.
func carry(shape tensor.Shape, before, after []tensor.Shape) tensor.Shape {
	if !shape.Ranked() || shape.FullyKnown() {
		return shape
	}
	dims := shape.Dims()
	others := map[int64]bool{}
	for k, b := range before {
		for i, d := range b.Dims() {
			if i > 0 && d == tensor.Unknown && after[k].Rank() > i {
				others[after[k].Dim(i)] = true
			}
		}
	}
	for i, d := range dims {
		if d != tensor.Unknown {
			continue
		}
		for k, b := range before {
			same := b.Rank() == shape.Rank() && b.Dim(i) == tensor.Unknown && after[k].Rank() == b.Rank()
			first := i == 0 && b.Rank() > 0 && b.Dim(0) == tensor.Unknown && after[k].Rank() > 0
			if same || first {
				dims[i] = after[k].Dim(i)
				break
			}
		}
		if dims[i] == tensor.Unknown && i > 0 && len(others) == 1 {
			for d := range others {
				dims[i] = d
			}
		}
	}
	return tensor.MakeShape(dims...)
}
