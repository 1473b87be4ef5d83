package layers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/tensor"
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
	whyHolds      = "parameters are counted as if the layer held another layer whose variables it reads, not the variables alone: "
	whyLists      = "attributes that are lists or dictionaries stand behind all others in the files: the rows are in the order of the calls"
	whyAttribute  = "rows stand in the order in which layers became attributes, which of a layer without variables does not show"
	whyResults    = "in which order a layer of one's own gives its results does not show"
	whyOwnShape   = "a layer of one's own may say more of its output's shape than the graph does"
	whyScores     = "Keras prints the length of the query for both axes of the scores"
	whyCounts     = "where tokens are counted, Keras prints the axis of the texts too, and hands it on to the layers behind: (None, 1, …)"
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
			if _, layer := kerasnames.ClassOf(part); layer && !quietOps[n.Op] && part != l.calls[0].raw && !helperScopes[kerasnames.WithoutNumber(part)] {
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
	if !kerasnames.IsDefault(l.name) && (len(l.vars) == 0 || !certain) && l.class != kerasOperation {
		l.sure = false
	}
}

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
		own := !l.op && (!l.sure || !slices.Contains(kerasnames.Classes, r.Class)) && !isModel(l.class)
		if own && len(l.calls[0].outs) > 1 {
			r.guess("output_shape", whyResults)
			doubtful[l.name] = whyResults
		}
		if last := l.calls[len(l.calls)-1]; own && openSizes(r.Output.Shapes) > openSizes(r.info.in) && len(last.ins) > 0 {
			r.guess("output_shape", whyOwnShape)
		}
		if s := r.Output.Shapes; slices.Contains(attentionClasses, l.class) && len(s) == 2 && s[1].Rank() > 2 && s[1].Dim(-1) != s[1].Dim(-2) && k.opens > 1 {
			r.guess("output_shape", whyScores)
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
		if own && len(data) == 1 && k.takesMore(l) {
			r.guess("connected_to", whyArguments)
			unordered = true
		}
		if own = !l.sure && (len(l.vars) > 0 || !kerasnames.IsDefault(l.name)); (own || !slices.Contains(kerasnames.Classes, r.Class)) && !l.op && len(data) > 1 {
			r.guess("connected_to", whyArguments)
			unordered = true
		}
		if l.calls[0].phantom && len(l.calls[0].nodes) > 0 && (!l.sure || !slices.Contains(kerasnames.Classes, l.class)) {
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
	k.doubtCounts()
	k.doubtOrder(unordered)
}

// doubtCounts marks the shapes of a TextVectorization of Keras 3 that counts tokens, and of all
// rows behind it: its compute_output_shape keeps the axis of texts of shape (None, 1).
func (k *keras3) doubtCounts() {
	if k.opens == 1 {
		return
	}
	for i, r := range k.table.Layers {
		in, out := r.info.in, r.Output.Shapes
		if r.Class != "TextVectorization" || len(in) != 1 || len(out) != 1 || in[0].Rank() != 2 || !k.counts(r.Name) {
			continue
		}
		behind := map[string]bool{}
		if k.isGraph() {
			g, _, _ := k.mapLayers()
			behind = g.behind(r.Name)
		}
		for j, other := range k.table.Layers {
			if behind[other.Name] || !k.isGraph() && j >= i {
				other.guess("output_shape", whyCounts)
			}
		}
	}
}

// counts reports whether a layer counts how often it meets each value.
func (k *keras3) counts(name string) bool {
	l := k.byName[name]
	return l != nil && slices.ContainsFunc(l.calls[0].nodes, func(n *graph.Node) bool { return strings.HasSuffix(n.Op, "Bincount") })
}

// openSizes counts the sizes that are not known.
func openSizes(shapes []tensor.Shape) int {
	n := 0
	for _, s := range shapes {
		for _, d := range s.Dims() {
			n += when(d == tensor.Unknown)
		}
	}
	return n
}

// takesMore reports whether another layer of the same class takes more than a layer does.
func (k *keras3) takesMore(l *layerCalls) bool {
	return slices.ContainsFunc(k.layers, func(o *layerCalls) bool {
		return o.class == l.class && len(o.calls[0].ins) > len(l.calls[0].ins)
	})
}

// keras2Model matches the names that Keras 2 gives to models of its own classes, and keras2Input
// those of inputs without a name.
var (
	keras2Model = regexp.MustCompile(`^(?:model|functional|sequential)(?:_\d+)?$`)
	keras2Input = regexp.MustCompile(`^(?:input|args)_\d+$`)
)

// sameShapes reports whether all calls of a layer give the same shapes.
func sameShapes(calls []*call) bool {
	first := OutputShape{Shapes: calls[0].shapes}
	return !slices.ContainsFunc(calls, func(c *call) bool { return !first.equal(OutputShape{Shapes: c.shapes}) })
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
	movable := k.movable()
	for _, r := range k.table.Layers {
		_, placed := k.places[r.Name]
		switch {
		case hidden[r], movable[r.Name]:
			r.guess("order", whyOrder)
		case placed && k.byName[r.Name] != nil && k.byName[r.Name].op:
			r.guess("order", whyOps)
		case placed || !k.table.Connected:
		case distances || arguments && at[k.depths[r.Name]] > 1:
			r.guess("order", whyOrder)
		}
	}
}

// movable names the layers without variables that could as well be another object: one that shows
// in nothing else stands between the same layers.
func (k *keras3) movable() map[string]bool {
	all := map[string]bool{}
	if k.places == nil || len(k.adrift) == 0 || !k.isGraph() {
		return all
	}
	g, _, _ := k.mapLayers()
	lowest, highest := map[string]int{}, map[string]int{} // the places that leave each room
	for name := range k.places {
		lowest[name], highest[name] = -1, maxCalls
	}
	for name, place := range k.places {
		for other := range g.behind(name) {
			if at, ok := k.places[other]; ok && other != name {
				highest[name], lowest[other] = min(highest[name], at), max(lowest[other], place)
			}
		}
	}
	for _, d := range k.adrift {
		at, ok := k.places[d.layer.name]
		for name := range k.places {
			l := k.byName[name]
			if ok && l != nil && len(l.vars) == 0 && !l.op && at > lowest[name] && at < highest[name] {
				all[name] = true
			}
		}
	}
	return all
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
