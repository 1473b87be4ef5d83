package layers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// What an export does not hold is marked, with the reason that is true of it: a cell is right,
// marked, or not given.

const (
	whyArguments  = "in which order a layer of one's own class takes its arguments does not show, nor whether it takes more than it uses"
	whyShared     = "the layer is called more than once, and which call came first does not show"
	whyOps        = "operations that are no layers stand here: one of keras.ops may leave several in the graph, which ones belong together does not show"
	whyNamed      = "it names a layer whose own name is a guess"
	whyNames      = "which of these names is whose is a guess"
	whyOrder      = "the order follows from connections that are guesses"
	whyPassed     = "nobody takes what the layer computes: it may give on what it takes, or compute nothing but a loss"
	whyOwnModel   = "of a model with a name of its own it does not show whether its class is, too: then Keras prints \"multiple\", or the shape of the first call, and no input"
	whyTwice      = "one tensor is taken twice: a layer that leaves nothing may stand between"
	whyPartial    = "results that nobody takes do not show, so which of them these are is a guess"
	whyTwoResults = "whether these are several results or those of several calls does not show"
)

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
	for _, n := range l.calls[0].nodes {
		if len(n.Parts) < 3 || below > 1 {
			continue
		}
		for _, part := range n.Parts[1 : len(n.Parts)-1] {
			if _, layer := ClassOfName(part); layer && !quietOps[n.Op] && part != l.calls[0].raw && !helperScopes[defaultBase(part)] {
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
		l.class, l.sure = camelCase(defaultBase(l.name)), false
		return
	}
	certain := slices.Contains(plainClasses, l.class) || isRecurrent(l.class) || l.class == "Bidirectional" || l.class == "MultiHeadAttention"
	if !isDefaultName(l.name) && (len(l.vars) == 0 || !certain) && l.class != kerasOperation {
		l.sure = false
	}
}

// kerasOperation is the class of a layer that Keras 2 makes of an operation in a functional model.
const kerasOperation = "TFOpLambda"

// doubtRows marks what follows from other guesses, and from what never shows.
func (k *keras3) doubtRows() {
	doubtful := map[string]string{} // layers to which a connection is a guess, and why
	unordered := false
	for _, l := range k.layers {
		r := k.made[l]
		if r == nil {
			continue
		}
		several := len(l.calls) > 1
		merged := k.opens == 1 && len(l.calls) == 1 && len(l.calls[0].outs) > 1 && !isRecurrent(l.class) && !isModel(l.class)
		switch {
		case l.op:
			for _, field := range []string{"class", "output_shape", "connected_to"} {
				r.guess(field, whyOps)
			}
			doubtful[l.name], unordered = whyOps, true
		case several || merged || k.opens == 1 && isModel(l.class) && len(l.calls[0].outs) > 1:
			why := whyShared
			if !several {
				why = whyTwoResults
			}
			r.guess("connected_to", why)
			if !several || !sameShapes(l.calls) {
				r.guess("output_shape", why)
			}
			doubtful[l.name], unordered = why, true
		}
		if len(r.ConnectedTo) > len(slices.Compact(slices.Sorted(slices.Values(r.ConnectedTo)))) && !slices.Contains(attentionClasses, l.class) {
			r.guess("connected_to", whyTwice)
		}
		if outs := len(l.calls[0].outs); isRecurrent(l.class) && outs > 1 && (l.class == "LSTM" && outs != 3 || l.class == "Bidirectional") {
			r.guess("output_shape", whyPartial)
			doubtful[l.name] = whyPartial
		}
		if strings.HasSuffix(l.class, "Cell") {
			r.guess("output_shape", whyPartial)
			doubtful[l.name] = whyPartial
		}
		for _, other := range l.shares {
			if other != nil && k.made[other] != nil {
				k.made[other].guess("connected_to", whyShared)
				doubtful[other.name], unordered = whyShared, true
			}
		}
		data := l.calls[len(l.calls)-1].ins
		if own := !l.sure && (len(l.vars) > 0 || !isDefaultName(l.name)); (own || !slices.Contains(kerasClasses, r.Class)) && !l.op && len(data) > 1 {
			r.guess("connected_to", whyArguments)
			unordered = true
		}
		if l.calls[0].phantom && len(l.calls[0].nodes) > 0 && (!l.sure || !slices.Contains(kerasClasses, l.class)) {
			r.guess("output_shape", whyPassed)
			r.guess("connected_to", whyPassed)
			doubtful[l.name] = whyPassed
		}
	}
	if k.opens == 1 && !keras2Model.MatchString(k.table.ModelName) {
		for _, r := range k.table.Layers {
			r.guess("output_shape", whyOwnModel)
			if r.Class == "InputLayer" && keras2Input.MatchString(r.Name) {
				r.guess("name", whyOwnModel)
			}
		}
	}
	if len(k.adrift) > 1 {
		for _, d := range k.adrift {
			if r := k.made[d.layer]; r != nil {
				r.guess("output_shape", whyAdrift)
			}
		}
	}
	for _, r := range k.table.Layers {
		if slices.Contains(r.Guessed, "name") {
			doubtful[r.Name] = whyNamed
		}
	}
	for _, r := range k.table.Layers {
		for _, c := range r.ConnectedTo {
			name, _, _ := strings.Cut(c, "[")
			if why := doubtful[name]; why != "" {
				r.guess("connected_to", why)
			}
		}
	}
	k.doubtOrder(unordered)
}

// keras2Model matches the names that Keras 2 gives to models of its own classes, and keras2Input
// those of inputs without a name.
var (
	keras2Model = regexp.MustCompile(`^(?:model|functional|sequential)(?:_\d+)?$`)
	keras2Input = regexp.MustCompile(`^(?:input|args)_\d+$`)
)

// sameShapes reports whether all calls of a layer give the same shapes.
func sameShapes(calls []*call) bool {
	first := calls[0].shape()
	return !slices.ContainsFunc(calls, func(c *call) bool { return !c.shape().equal(first) })
}

// doubtOrder marks the places of rows that follow from guesses. Where the order of arguments is
// one, so is that of rows at one distance from the outputs; where it is not known which operations
// are layers, the distances are. The objects of the layers, where a model has them, hold the order.
func (k *keras3) doubtOrder(arguments bool) {
	named := map[string][]*Layer{} // by class, those whose name is a guess
	distances := false
	at := map[int]int{} // how many rows are at one distance
	hidden := map[*Layer]bool{}
	for _, d := range k.adrift {
		hidden[k.made[d.layer]] = true
		distances = distances || !d.direct
	}
	for _, l := range k.layers {
		distances = distances || l.op
	}
	for _, r := range k.table.Layers {
		at[k.depths[r.Name]]++
		if slices.Contains(r.Guessed, "name") {
			named[r.Class] = append(named[r.Class], r)
		}
	}
	for _, rows := range named {
		for _, r := range rows[:len(rows)*when(len(rows) > 1)] {
			r.guess("order", whyNames)
		}
	}
	for _, r := range k.table.Layers {
		_, placed := k.places[r.Name]
		switch {
		case hidden[r]:
			r.guess("order", whyOrder)
		case placed || !k.table.Connected:
		case distances || arguments && at[k.depths[r.Name]] > 1:
			r.guess("order", whyOrder)
		}
	}
}

// adoptVariables gives variables that no operation reads to the layers that they must be of.
func (k *keras3) adoptVariables() {
	var loose []*savedmodel.Variable
	for _, v := range k.weights {
		if k.owner[v] == nil {
			loose = append(loose, v)
		}
	}
	// A Normalization that was adapted computes with constants: mean, variance and count are kept,
	// and not read.
	for _, l := range k.layers {
		if l.class != "Normalization" || len(l.vars) > 0 || len(loose) < 3 || !strings.HasSuffix(loose[0].Name, "mean") {
			continue
		}
		for _, v := range loose[:3] {
			l.vars = append(l.vars, v)
			k.owner[v] = l
		}
		loose = loose[3:]
	}
}
