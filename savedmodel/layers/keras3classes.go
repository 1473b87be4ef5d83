package layers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// classify finds the layers' classes. A custom class shows only in the default names of layers that
// were not named by the user. Other layers with the same fingerprint are taken to be of the class
// that the first such name tells.
func (k *keras3) classify() {
	own := map[string]string{}
	for _, l := range k.layers {
		if l.op {
			continue
		}
		l.class, l.sure = scopes.Classify(k.scope, l.calls[0], shownName(l.name), slices.Concat(l.vars, l.calls[0].Vars))
		k.doubtClass(l)
		k.readByModel(l)
		k.completeStates(l)
		k.orderModelOutputs(l)
		l.orderScores()
		k.readByOwn(l)
		if l.sure || !l.custom() || l.uncalled {
			continue
		}
		key := l.fingerprint()
		if own[key] == "" {
			own[key] = l.class
		}
		l.class = own[key]
	}
}

// readByOwn gives a custom layer that reads variables of another layer all variables of that layer,
// which it is likely to hold. Keras counts them in both rows.
func (k *keras3) readByOwn(l *layerCalls) {
	if isModel(l.class) || l.sure && slices.Contains(kerasnames.Classes, l.class) {
		return
	}
	has := l.holds()
	for _, c := range l.calls {
		for _, v := range c.Vars {
			other := k.owner[v]
			if other == nil || other == l || scopes.IsSeed(v) || has[v] {
				continue
			}
			for _, w := range other.vars {
				if !has[w] {
					has[w] = true
					l.vars = append(l.vars, w)
				}
			}
			l.notes = append(l.notes, guess{"params", whyHolds + strconv.Quote(shownName(other.name))})
			if !other.reads(v) {
				other.notes = append(other.notes, guess{"params", whyBears + strconv.Quote(shownName(l.name))})
			}
		}
	}
}

// holds returns the layer's variables.
func (l *layerCalls) holds() map[*savedmodel.Variable]bool {
	has := make(map[*savedmodel.Variable]bool, len(l.vars))
	for _, v := range l.vars {
		has[v] = true
	}
	return has
}

// reads reports whether an operation of the layer reads a variable.
func (l *layerCalls) reads(v *savedmodel.Variable) bool {
	return slices.ContainsFunc(l.calls, func(c *scopes.Call) bool { return slices.Contains(c.Vars, v) })
}

// readByModel gives a nested model the variables of layers that it shares with the model around it.
// Keras counts them in both rows, and in neither those that are not among the model's weights.
func (k *keras3) readByModel(l *layerCalls) {
	if !isModel(l.class) {
		return
	}
	has := l.holds()
	for _, c := range l.calls {
		for _, v := range c.Vars {
			if (v.ID < 0 || k.counted[v]) && !scopes.IsSeed(v) && !has[v] {
				has[v] = true
				l.vars = append(l.vars, v)
				l.shares = append(l.shares, k.owner[v])
			}
		}
	}
}

// orderModelOutputs sorts the results of a nested functional model. Keras runs the layers at one
// distance from the outputs in the reverse of the outputs' order, and before them the layers that
// other outputs are made from.
func (k *keras3) orderModelOutputs(l *layerCalls) {
	if l.class != "Functional" {
		return
	}
	for _, c := range l.calls {
		if len(c.Outs) < 2 {
			continue
		}
		slices.Reverse(c.Outs)
		slices.SortStableFunc(c.Outs, func(a, b graph.Ref) int {
			switch {
			case k.feeds(c, a, b):
				return -1
			case k.feeds(c, b, a):
				return 1
			}
			return 0
		})
		for i, r := range c.Outs {
			c.Shapes[i], _ = k.body.Shape(r)
		}
	}
}

// orderScores puts the result of attention before its scores, which the graph computes first.
func (l *layerCalls) orderScores() {
	if !slices.Contains(attentionClasses, l.class) {
		return
	}
	for _, c := range l.calls {
		if len(c.Outs) == 2 {
			slices.Reverse(c.Outs)
			slices.Reverse(c.Shapes)
		}
	}
}

// feeds reports whether b is computed from a within a call.
func (k *keras3) feeds(c *scopes.Call, a, b graph.Ref) bool {
	seen := map[*graph.Node]bool{b.Node: true}
	for todo := []*graph.Node{b.Node}; len(todo) > 0; todo = todo[1:] {
		for _, in := range todo[0].Inputs {
			if in == a {
				return true
			}
			if in.Node != nil && !seen[in.Node] && k.scope.Owner[in.Node] == c {
				seen[in.Node] = true
				todo = append(todo, in.Node)
			}
		}
	}
	return false
}

// attentionClasses take a query, a value and, if it is not the value, a key.
var attentionClasses = []string{"MultiHeadAttention", "GroupedQueryAttention", "Attention", "AdditiveAttention"}

// plainClasses are classes whose variables and operations a custom layer hardly has, if the
// variables belong to the layer itself.
var plainClasses = []string{
	"BatchNormalization", "Embedding", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D",
	"SeparableConv1D", "SeparableConv2D",
}

// direct reports whether a layer's variables belong to it instead of to layers inside it. They do
// if their paths have, below its name, as many parts as its class has. A path without the name says
// nothing.
func (k *keras3) direct(l *layerCalls) bool {
	below := 1
	switch {
	case slices.Contains([]string{"LSTM", "GRU", "SimpleRNN", "MultiHeadAttention"}, l.class), strings.HasPrefix(l.class, "ConvLSTM"):
		below = 2
	case l.class == "Bidirectional":
		return l.holdsDirections()
	case !slices.Contains(plainClasses, l.class) && l.class != "Dense" && l.class != "LayerNormalization":
		return true
	}
	inside := k.scope.Below(l.calls[0])
	for _, n := range l.calls[0].Nodes {
		if len(n.Parts) <= inside || below > 1 {
			continue
		}
		for _, part := range n.Parts[inside : len(n.Parts)-1] {
			if _, layer := kerasnames.ClassOf(part); layer && !scopes.QuietOps[n.Op] && !slices.Contains(strings.Split(l.calls[0].Raw, "/"), part) && !scopes.Helpers[kerasnames.WithoutNumber(part)] {
				return false // a layer inside
			}
		}
	}
	for _, v := range l.vars {
		if within := l.within(v); within != nil && len(within) != below {
			return false
		}
	}
	return true
}

// within returns the parts of a variable's path below the layer's name, nil where it has no such.
func (l *layerCalls) within(v *savedmodel.Variable) []string {
	_, rest, ok := strings.Cut("/"+v.Name, "/"+shownName(l.name)+"/")
	if !ok {
		return nil
	}
	return strings.Split(rest, "/")
}

// holdsDirections reports whether a Bidirectional's variables are all those of its two layers.
// Those of a layer of one's own that holds a Bidirectional, and perhaps more, have other paths.
func (l *layerCalls) holdsDirections() bool {
	direction := func(part string) bool {
		return strings.HasPrefix(part, "forward_") || strings.HasPrefix(part, "backward_")
	}
	for _, v := range l.vars {
		within := l.within(v)
		if !slices.ContainsFunc(strings.Split(v.Name, "/"), direction) || within != nil && !direction(within[0]) {
			return false
		}
	}
	return true
}

// doubtClass makes a class uncertain where the layer's name is no default of a class of Keras. A
// subclass of a layer of Keras leaves what that layer does, called "causal_conv1d" or otherwise.
func (k *keras3) doubtClass(l *layerCalls) {
	if !k.direct(l) && !isModel(l.class) {
		l.class, l.sure = kerasnames.CamelCase(kerasnames.WithoutNumber(shownName(l.name))), false
		return
	}
	if !kerasnames.IsDefault(shownName(l.name)) && l.class != scopes.OperationClass {
		l.sure = false
	}
}

// fingerprint describes a custom layer by the names of its variables and the types of its
// operations.
func (l *layerCalls) fingerprint() string {
	var marks []string
	for _, v := range l.vars {
		marks = append(marks, v.Name[strings.LastIndexByte(v.Name, '/')+1:])
	}
	for _, n := range l.calls[0].Nodes {
		if n.Op == "BatchMatMulV2" {
			marks = append(marks, "MatMul")
		} else if !scopes.QuietOps[n.Op] {
			marks = append(marks, n.Op)
		}
	}
	slices.Sort(marks)
	return strings.Join(slices.Compact(marks), " ")
}
