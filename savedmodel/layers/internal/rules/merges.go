package rules

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// openWhereOpen leaves a size open that any of the inputs leaves open, as the layers of Keras 3 do.
func openWhereOpen(c Config, out, in []tensor.Shape) []tensor.Shape {
	if !c.v3() || len(out) != 1 {
		return out
	}
	dims := out[0].Dims()
	for _, s := range in {
		for i := range max(s.Rank(), 0) {
			at := len(dims) - s.Rank() + i
			// the first axis is the batch
			if s.Dim(i) == tensor.Unknown && at >= 0 && (i > 0 || at == 0) {
				dims[at] = tensor.Unknown
			}
		}
	}
	return []tensor.Shape{tensor.MakeShape(dims...)}
}

// openWhereFirstOpen leaves a size open that the first input leaves open, as Keras 3's Concatenate
// does.
func openWhereFirstOpen(c Config, out, in []tensor.Shape) []tensor.Shape {
	if !c.v3() || len(out) != 1 {
		return out
	}
	dims := out[0].Dims()
	for i := range dims {
		if in[0].Dim(i) == tensor.Unknown {
			dims[i] = tensor.Unknown
		}
	}
	return []tensor.Shape{tensor.MakeShape(dims...)}
}

// dotShapes is the shape of Dot: the axes that are multiplied go, the batch stays in front.
func dotShapes(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || in[0].Rank() < 1 {
		return nil, false
	}
	axes := c.Nums("axes")
	if len(axes) == 1 {
		axes = []int64{axes[0], axes[0]}
	}
	if len(axes) != 2 {
		return nil, false
	}
	all := tensor.MakeShape(in[0].Dim(0))
	for k, s := range in {
		axis, ok := shape.Place(axes[k], s.Rank())
		if !ok || axis < 1 {
			return nil, false
		}
		if first, ok := shape.Place(axes[0], in[0].Rank()); !ok || !shape.Agree(in[0].Dim(first), s.Dim(axis)) || !shape.Agree(in[0].Dim(0), s.Dim(0)) {
			return nil, false
		}
		all = shape.Join(all, shape.Reduce(s, []int64{0, int64(axis)}, false))
	}
	if all.Rank() == 1 {
		all = shape.Insert(all, -1, 1)
	}
	return single(all)
}

// withStates returns what a recurrent layer takes, with the batch of its states where Keras 3
// stretches that to theirs; it is unknown where their batches differ.
func withStates(c Config, in []tensor.Shape) tensor.Shape {
	x := in[0]
	for _, state := range in[1:] {
		switch batch := state.Dim(0); {
		case x.Rank() < 1 || shape.Agree(batch, x.Dim(0)) || c.v3() && batch == 1:
		case c.v3() && x.Dim(0) == 1:
			x = shape.With(x, 0, batch)
		default:
			return tensor.UnknownShape()
		}
	}
	return x
}

// rnnShapes is the rule of recurrent layers: the sequence or its last step, then the states.
func rnnShapes(class string, c Config, x tensor.Shape) ([]tensor.Shape, bool) {
	if x.Rank() != 3 {
		return nil, false
	}
	units, states := c.Num("units", 0), 1
	if class == "LSTM" {
		states = 2
	}
	if class == "RNN" {
		cell, inner := c.Layer("cell")
		if cells, ok := Plain(inner["cells"]).([]any); ok && cell == "StackedRNNCells" {
			return stackedShapes(c, x, cells)
		}
		if units = inner.Num("units", 0); units == 0 || !strings.HasSuffix(cell, "Cell") {
			return nil, false
		}
		if cell == "LSTMCell" {
			states = 2
		}
	}
	if units == 0 {
		return nil, false
	}
	state := tensor.MakeShape(x.Dim(0), units)
	out := []tensor.Shape{state}
	if c.flag("return_sequences") {
		out[0] = tensor.MakeShape(x.Dim(0), x.Dim(1), units)
	}
	if c.flag("time_major") && c.flag("return_sequences") {
		return nil, false
	}
	if c.flag("return_state") {
		out = append(out, slices.Repeat([]tensor.Shape{state}, states)...)
	}
	return out, true
}

// stackedShapes is the rule of cells upon each other: the last one's output, then the states of
// all.
func stackedShapes(c Config, x tensor.Shape, cells []any) ([]tensor.Shape, bool) {
	var out, states []tensor.Shape
	for _, cell := range cells {
		one := Config{"cell": cell, "return_sequences": c["return_sequences"], "return_state": true}
		shapes, ok := rnnShapes("RNN", one, x)
		if !ok {
			return nil, false
		}
		out, states = shapes[:1], append(states, shapes[1:]...)
	}
	if c.flag("return_state") {
		out = append(out[:1:1], states...)
	}
	return out, len(out) > 0
}

// headShapes is the rule of attention with heads: as wide as the query, or as output_shape says.
// With return_attention_scores a score for each head, place of the query and place of the keys
// follows.
func headShapes(class string, c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	in = c.queryFirst(in)
	query, key := in[0], in[min(1, len(in)-1)]
	// Keras 3 prints its scores as long as the query both ways
	if class == "MultiHeadAttention" && c.misprinted() {
		key = query
	}
	if len(in) > 2 && key.Equal(in[1]) && !c.call().before("key", "value") {
		key = in[2]
	}
	if query.Rank() < 2 {
		return nil, false
	}
	for _, s := range in[1:min(3, len(in))] { // the keys and the values
		if s.Rank() == 3 && query.Rank() == 3 && (!shape.Agree(s.Dim(0), query.Dim(0)) || !shape.Agree(s.Dim(1), in[1].Dim(1))) {
			return nil, false
		}
	}
	out := query.Dims()
	if c.Has("output_shape") {
		wide := c.Nums("output_shape")
		if wide == nil {
			return nil, false
		}
		out = append(out[:len(out)-1:len(out)-1], wide...)
	}
	shapes := []tensor.Shape{tensor.MakeShape(out...)}
	if !c.argFlag("return_attention_scores") {
		return shapes, true
	}
	heads := c.Num("num_heads", c.Num("num_query_heads", tensor.Unknown))
	if query.Rank() != 3 || key.Rank() != 3 {
		return nil, false
	}
	return append(shapes, tensor.MakeShape(query.Dim(0), heads, query.Dim(1), key.Dim(1))), true
}

// queryFirst puts the query of a call of Keras 3 before the other tensors. Keras sorts arguments by
// their names, so that in attention(query=q, value=v, key=k) the key stands first.
func (c Config) queryFirst(in []tensor.Shape) []tensor.Shape {
	call := c.call()
	if call == nil || !c.v3() || call.named["query"] == nil || len(call.args) > 0 {
		return in
	}
	at := 0
	for _, name := range []string{"attention_mask", "key", "key_mask"} {
		if _, isTensor := call.named[name].(map[string]any); isTensor {
			at++
		}
	}
	if at >= len(in) {
		return in
	}
	return append([]tensor.Shape{in[at]}, slices.Delete(slices.Clone(in), at, at+1)...)
}

// attentionShapes is the rule of Attention: as long as the query, as wide as the values.
func attentionShapes(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) < 2 || in[0].Rank() != 3 || in[1].Rank() != 3 {
		return nil, false
	}
	q, v := in[0], in[1]
	batch := shape.Broadcast(tensor.MakeShape(q.Dim(0)), tensor.MakeShape(v.Dim(0)))
	if k := in[min(2, len(in)-1)]; !batch.Ranked() || k.Rank() == 3 && (!shape.Agree(k.Dim(1), v.Dim(1)) || !shape.Agree(k.Dim(2), q.Dim(2))) {
		return nil, false
	}
	out := []tensor.Shape{tensor.MakeShape(batch.Dim(0), q.Dim(1), v.Dim(2))}
	if c.argFlag("return_attention_scores") {
		out = append(out, tensor.MakeShape(batch.Dim(0), q.Dim(1), v.Dim(1)))
	}
	return out, true
}
