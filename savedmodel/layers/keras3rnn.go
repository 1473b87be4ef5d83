package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// firstLoopState is the index of the first state among the inputs and outputs of the While op of a
// recurrent layer without a mask. The ones before are a counter, its limit, the time, and the list
// of outputs. With a mask, zeros to put in place of masked outputs come before the states (rnn of
// keras/src/backend/tensorflow/rnn.py).
const firstLoopState = 4

// completeStates gives a recurrent layer whose states are used all its results, in their order: the
// output, then the states. Keras lists all of them, and the graph shows only those that are used.
func (k *keras3) completeStates(l *layerCalls) {
	if !isRecurrent(l.class) {
		return
	}
	for _, c := range l.calls {
		if !slices.ContainsFunc(c.Outs, isLoopState) {
			continue
		}
		var outs []graph.Ref
		var shapes []tensor.Shape
		add := func(r graph.Ref) {
			s, _ := k.body.Shape(r)
			outs, shapes = append(outs, r), append(shapes, s)
		}
		if y, ok := k.loopOutput(c); ok {
			add(y)
		}
		for _, n := range c.Nodes {
			if graph.IsLoop(n) {
				for i := range stateCount(n) {
					add(graph.Ref{Node: n, Out: firstState(n) + i})
				}
			}
		}
		if len(outs) > len(c.Outs) && !slices.ContainsFunc(c.Outs, func(r graph.Ref) bool { return !slices.Contains(outs, r) }) {
			c.Outs, c.Shapes = outs, shapes
		}
	}
}

// isRecurrent reports whether a class runs over time steps and can return its states.
func isRecurrent(class string) bool {
	return slices.Contains([]string{"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"}, class)
}

func isLoopState(r graph.Ref) bool {
	return r.Node != nil && graph.IsLoop(r.Node) && r.Out >= firstLoopState
}

// firstState returns the index of the first state among the loop's outputs.
func firstState(loop *graph.Node) int {
	if n := loop.In(firstLoopState); n != nil && n.Op == "ZerosLike" {
		return firstLoopState + 1
	}
	return firstLoopState
}

// stateCount returns the number of states that the loop carries: two for an LSTM, otherwise one.
func stateCount(loop *graph.Node) int {
	if strings.Contains(strings.ToLower(loop.Def.GetAttr()["body"].GetFunc().GetName()), "lstm") || sharesLSTMCell(loop) {
		return 2
	}
	return 1
}

// sharesLSTMCell reports whether the loop begins with two states of one shape: zeros made one after
// the other, or two given tensors.
func sharesLSTMCell(loop *graph.Node) bool {
	first := firstState(loop)
	shapes := loop.Def.GetAttr()["_output_shapes"].GetList().GetShape()
	if first+1 >= len(shapes) {
		return false
	}
	a, b := graph.Shape(shapes[first]), graph.Shape(shapes[first+1])
	return a.Rank() == 2 && a.Equal(b)
}

// loopOutput returns the layer's output without its states. If nothing uses it, it is the last
// unused node: the whole sequence if the loop keeps all steps, the last step if it keeps one.
func (k *keras3) loopOutput(c *scopes.Call) (graph.Ref, bool) {
	for _, r := range c.Outs {
		if !isLoopState(r) {
			return r, true
		}
	}
	keepsAll := true
	for _, n := range c.Nodes {
		if n.Op == "TensorListReserve" && strings.HasSuffix(n.Name, "TensorArrayV2_1") {
			size := n.In(1)
			keepsAll = !slices.Equal(graph.Ints(size), []int64{1})
		}
	}
	for _, n := range slices.Backward(c.Nodes) {
		if len(n.Parts) != k.scope.Below(c)+1 || len(k.scope.Users[n]) > 0 {
			continue
		}
		if n.Op == "Transpose" && keepsAll || n.Op == "StridedSlice" && !keepsAll || n.Op == "ConcatV2" {
			return graph.Ref{Node: n}, true
		}
	}
	return graph.Ref{}, false
}
