package layers

import (
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// At is a row of the layer table with sizes put in.
type At struct {
	Layer  *Layer
	Output OutputShape // as far as it follows from the sizes
	Bytes  int64       // of the layer's outputs, over all its calls
	Exact  bool        // false: some size is still open, and Bytes leaves that output out
}

// At returns the table's rows with sizes put in for the open dimensions of the inputs. inputs are
// shapes as sizes.Put returns them. Where the rule of a layer is not known, its open dimensions are
// those of its inputs, as far as these can be told.
func (t *Table) At(inputs map[string]tensor.Shape) []At {
	byLayer, _ := t.run(inputs)
	rows := make([]At, 0, len(t.Layers))
	for _, l := range t.Layers {
		if at := byLayer[l]; at != nil {
			rows = append(rows, *at)
		} else {
			rows = append(rows, At{Layer: l, Output: l.Output})
		}
	}
	return rows
}

// GivesAt returns the shapes of the outputs of a model in one of Keras' own files, in the order of
// Gives, for inputs of the given shapes.
func (t *Table) GivesAt(inputs map[string]tensor.Shape) []tensor.Shape {
	_, env := t.run(inputs)
	var shapes []tensor.Shape
	for _, p := range t.Gives {
		s, ok := env[p.key]
		if !ok {
			s = p.Shape
		}
		shapes = append(shapes, s)
	}
	return shapes
}

// RefusedAt names the first layer of a model in one of Keras' own files that does not take what it
// would get from inputs of the given shapes, and what that is: "add: Add of (3, 5, 4) and (3, 7,
// 4)"; "" where none is known.
func (t *Table) RefusedAt(inputs map[string]tensor.Shape) string {
	k := &keras2{}
	t.runFor(k, inputs)
	return k.refused
}

// run computes the rows with sizes put in, and the shapes of all tensors between layers.
func (t *Table) run(inputs map[string]tensor.Shape) (map[*Layer]*At, map[tensorKey]tensor.Shape) {
	return t.runFor(&keras2{}, inputs)
}

// runFor is [Table.run] for the counts of k, which notes what is refused.
func (t *Table) runFor(k *keras2, inputs map[string]tensor.Shape) (map[*Layer]*At, map[tensorKey]tensor.Shape) {
	var frame *shape.Frame
	if t.body != nil {
		frame = t.body.Frame(inputs)
	}
	env := map[tensorKey]tensor.Shape{}
	byLayer := map[*Layer]*At{}
	for _, st := range t.steps {
		now := st.run(inputs, env, k, func(i int) tensor.Shape {
			if frame == nil || i >= len(st.tensors) {
				return tensor.UnknownShape()
			}
			return frame.Shape(frame.F.MainRef(st.tensors[i]))
		})
		at := byLayer[st.layer]
		if st.layer == nil {
			continue
		}
		if at == nil {
			at = &At{Layer: st.layer, Exact: true}
			byLayer[st.layer] = at
		}
		at.Output = OutputShape{Shapes: now}
		for i, s := range now {
			n, ok := s.NumElements()
			size := int64(st.dtype(i).Size())
			if ok = ok && n <= (math.MaxInt64-at.Bytes)/max(size, 1); ok {
				at.Bytes += n * size
			}
			at.Exact = at.Exact && ok
		}
	}
	return byLayer, env
}

// run computes the shapes of the outputs from those of the inputs in env, and puts them there. A
// size that is open in the table is that of fromGraph, which has the shape of output i in the
// graph, or else that of the class's rule.
func (s *step) run(inputs map[string]tensor.Shape, env map[tensorKey]tensor.Shape, k *keras2, fromGraph func(i int) tensor.Shape) []tensor.Shape {
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
		s.compute(now, env, k, fromGraph)
	}
	for i, key := range s.out {
		if i < len(s.shapes) {
			env[key] = now[i]
		}
	}
	return now
}

// compute fills in the open sizes of now.
func (s *step) compute(now []tensor.Shape, env map[tensorKey]tensor.Shape, k *keras2, fromGraph func(i int) tensor.Shape) {
	known := true
	for i := range now {
		now[i] = shape.Merge(now[i], fromGraph(i))
		known = known && now[i].FullyKnown()
	}
	in := make([]tensor.Shape, len(s.in))
	for i, key := range s.in {
		in[i] = env[key]
	}
	guessed := s.layer != nil && s.layer.Class == s.class && slices.Contains(s.layer.Guessed, "class")
	if known || guessed { // the rule of a guessed class would be a guess, too
		if s.layer != nil && !guessed {
			k.refuse(s.layer.Name, s.class, s.config.Real(), in)
		}
		return
	}
	out, ok := rules.Shapes(s.class, s.config.Real(), in)
	if !ok && s.layer != nil {
		k.refuse(s.layer.Name, s.class, s.config.Real(), in)
	}
	printed, _ := rules.Shapes(s.class, s.config, in)
	if !ok && s.eval != nil {
		out, ok = s.eval(in, k)
	}
	if s.class == "TimeDistributed" && !ok && len(now) == 1 && now[0].Rank() > 1 && len(in) > 0 && in[0].Rank() > 1 {
		// what is applied to each step may be a model: it keeps the batch and the steps
		now[0] = shape.Merge(now[0], shape.With(shape.With(now[0], 0, in[0].Dim(0)), 1, in[0].Dim(1)))
	}
	for i := range now {
		if ok && len(out) == len(now) {
			misprinted := i < len(printed) && !printed[i].Equal(out[i])
			if len(s.tensors) == 0 && (misprinted || !alike(now[i], out[i])) {
				now[i] = out[i] // Keras prints another shape than the layer gives
			}
			now[i] = shape.Merge(now[i], out[i])
		}
	}
}

// refuse notes the first layer whose rule has a shape for tensors of these ranks, and none for
// these sizes.
func (k *keras2) refuse(name, class string, c rules.Config, in []tensor.Shape) {
	if k.refused == "" && rules.Refused(class, c, in) {
		given := make([]string, len(in))
		for i, s := range in {
			given[i] = s.String()
		}
		k.refused = shownName(name) + ": " + class + " of " + strings.Join(given, " and ")
	}
}

// Taker is the layer that takes an input, as far as it is known.
type Taker struct {
	Class         string
	ChannelsFirst bool // it takes the channels before the axes of space
}

// Axis returns what dimension i of an input of the given rank means to the layer: "batch", "time",
// "height", "width", "depth" or "channels", or "axis2" where nothing tells more.
func (t Taker) Axis(rank, i int) string {
	return kerasnames.Axis(rank, i, t.Class, t.ChannelsFirst)
}

// Takers returns the layer that takes each input of the table's signature, as far as it is known.
func (t *Table) Takers() map[string]Taker {
	takers := map[string]Taker{}
	inputs := map[tensorKey]string{}
	for _, st := range t.steps {
		if len(st.out) == 0 {
			continue // a layer that damaged metadata leaves without outputs
		}
		if st.input != "" {
			inputs[st.out[0]] = st.input
			continue
		}
		for _, key := range st.in {
			input, ok := inputs[key]
			switch {
			case !ok:
			case takers[input].Class != "":
				taker := takers[input]
				taker.ChannelsFirst = taker.ChannelsFirst || channelsFirst(st.config)
				takers[input] = taker
			case slices.Contains(rules.Elementwise, st.class):
				inputs[st.out[0]] = input // look through to the next
			default:
				takers[input] = Taker{st.class, channelsFirst(st.config)}
			}
		}
	}
	return takers
}

// alike reports whether two shapes do not contradict each other.
func alike(a, b tensor.Shape) bool {
	if !a.Ranked() || !b.Ranked() {
		return true
	}
	if a.Rank() != b.Rank() {
		return false
	}
	for i := range a.Rank() {
		if x, y := a.Dim(i), b.Dim(i); x != tensor.Unknown && y != tensor.Unknown && x != y {
			return false
		}
	}
	return true
}
