package layers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// classify finds the layers' classes. A class of one's own has its default name only for the layers
// that were given none: others of the same make are taken to be of the class that the first such
// name tells.
func (k *keras3) classify() {
	own := map[string]string{}
	for _, l := range k.layers {
		if l.op {
			continue
		}
		l.class, l.sure = scopes.Classify(k.scope, l.calls[0], l.name, slices.Concat(l.vars, l.calls[0].Vars))
		k.doubtClass(l)
		k.readByModel(l)
		k.completeStates(l)
		k.orderModelOutputs(l)
		l.orderScores()
		k.readByOwn(l)
		if l.sure || !l.custom() {
			continue
		}
		make := l.fingerprint()
		if own[make] == "" {
			own[make] = l.class
		}
		l.class = own[make]
	}
}

// readByOwn gives a layer of one's own that reads variables of another layer all of that layer's,
// which it is likely to hold. Keras counts what a layer holds in both rows.
func (k *keras3) readByOwn(l *layerCalls) {
	if isModel(l.class) || l.sure && slices.Contains(kerasnames.Classes, l.class) {
		return
	}
	for _, c := range l.calls {
		for _, v := range c.Vars {
			other := k.owner[v]
			if other == nil || other == l || scopes.IsSeed(v) || slices.Contains(l.vars, v) {
				continue
			}
			for _, w := range other.vars {
				if !slices.Contains(l.vars, w) {
					l.vars = append(l.vars, w)
				}
			}
			l.notes = append(l.notes, guess{"params", whyHolds + strconv.Quote(other.name)})
		}
	}
}

// readByModel gives a nested model the variables of layers that it shares with the model around it,
// too: both have them in their rows.
func (k *keras3) readByModel(l *layerCalls) {
	if !isModel(l.class) {
		return
	}
	for _, c := range l.calls {
		for _, v := range c.Vars {
			if !scopes.IsSeed(v) && !slices.Contains(l.vars, v) {
				l.vars = append(l.vars, v)
				l.shares = append(l.shares, k.owner[v])
			}
		}
	}
}

// orderModelOutputs sorts the results of a nested functional model. Keras runs the layers at one
// distance from the outputs in the reverse of the outputs' order, and what others of the outputs
// are made from before these.
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

// orderScores puts what attention gives before its scores, which the graph makes first.
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

// feeds reports whether a is among what b is made from, within a call.
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
var attentionClasses = []string{"MultiHeadAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"}

// plainClasses are classes whose variables and operations hardly any layer of one's own has, where
// the variables hang on the layer itself.
var plainClasses = []string{
	"BatchNormalization", "Embedding", "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv1D", "DepthwiseConv2D",
	"SeparableConv1D", "SeparableConv2D",
}

// direct reports whether a layer's variables hang on it, and not on layers within it: below its
// name, as many parts of their paths as its class has. A path that does not have the name says
// nothing.
func (l *layerCalls) direct() bool {
	below := 1
	switch {
	case slices.Contains([]string{"LSTM", "GRU", "SimpleRNN", "MultiHeadAttention"}, l.class), strings.HasPrefix(l.class, "ConvLSTM"):
		below = 2
	case !slices.Contains(plainClasses, l.class) && l.class != "Dense" && l.class != "LayerNormalization":
		return true
	}
	for _, n := range l.calls[0].Nodes {
		if len(n.Parts) < 3 || below > 1 {
			continue
		}
		for _, part := range n.Parts[1 : len(n.Parts)-1] {
			if _, layer := kerasnames.ClassOf(part); layer && !scopes.QuietOps[n.Op] && part != l.calls[0].Raw && !scopes.Helpers[kerasnames.WithoutNumber(part)] {
				return false // a layer within
			}
		}
	}
	for _, v := range l.vars {
		path := strings.Split(v.Name, "/")
		if i := slices.Index(path, l.name); i >= 0 && len(path)-1-i != below {
			return false
		}
	}
	return true
}

// doubtClass takes back the certainty of a class that a name of the user's own does not confirm.
func (k *keras3) doubtClass(l *layerCalls) {
	if !l.direct() && !isModel(l.class) {
		l.class, l.sure = kerasnames.CamelCase(kerasnames.WithoutNumber(l.name)), false
		return
	}
	certain := slices.Contains(plainClasses, l.class) || isRecurrent(l.class) || l.class == "Bidirectional" || l.class == "MultiHeadAttention"
	if !kerasnames.IsDefault(l.name) && (len(l.vars) == 0 || !certain) && l.class != scopes.OperationClass {
		l.sure = false
	}
}

// fingerprint tells layers of one's own apart by the names of their variables and the types of
// their operations.
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
