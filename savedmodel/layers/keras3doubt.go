package layers

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// doubtRows marks cells that follow from guesses, and cells for which the files hold nothing.
func (k *keras3) doubtRows() {
	doubtful := map[string]string{} // layers with a guessed connection, and why it is guessed
	unordered := false
	for _, l := range k.layers {
		r := k.made[l]
		if r == nil {
			continue
		}
		several := len(l.calls) > 1
		merged := k.opens == 1 && len(l.calls) == 1 && (len(l.calls[0].Outs) > 1 && !isRecurrent(l.class) && !isModel(l.class) || k.readsAgain(l))
		switch {
		case l.op:
			for _, field := range []string{"class", "output_shape", "connected_to"} {
				r.guess(field, whyOps)
			}
			doubtful[l.name], unordered = whyOps, true
		case several || merged || k.opens == 1 && isModel(l.class) && len(l.calls[0].Outs) > 1:
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
		if n := l.calls[0].Nodes; !l.sure && len(r.ConnectedTo) == 1 && slices.ContainsFunc(n, func(n *graph.Node) bool { return n.Op == "BatchMatMulV2" }) {
			r.guess("connected_to", whyProduct)
		}
		own := !l.op && (!l.sure || !slices.Contains(kerasnames.Classes, r.Class)) && !isModel(l.class)
		if (own || isModel(l.class) && !l.sure) && len(l.calls[0].Outs) > 1 {
			r.guess("output_shape", whyResults)
			doubtful[l.name] = whyResults
		}
		if last := l.calls[len(l.calls)-1]; own && openSizes(r.Output.Shapes) > openSizes(r.info.in) && len(last.Ins) > 0 {
			r.guess("output_shape", whyOwnShape)
		}
		if s := r.Output.Shapes; slices.Contains(attentionClasses, l.class) && len(s) == 2 && s[1].Rank() > 2 && s[1].Dim(-1) != s[1].Dim(-2) && k.opens > 1 {
			r.guess("output_shape", whyScores)
		}
		if outs := len(l.calls[0].Outs); isRecurrent(l.class) && outs > 1 && (l.class == "LSTM" && outs != 3 || l.class == "Bidirectional") {
			r.guess("output_shape", whyPartial)
			doubtful[l.name] = whyPartial
		}
		// The states of an encoder may be more than its decoder takes.
		if strings.HasSuffix(l.class, "Cell") || l.class == "Functional" && k.traced(l) != len(l.calls[0].Outs) {
			r.guess("output_shape", whyPartial)
			doubtful[l.name] = whyPartial
		}
		if why := k.hidesResults(l); why != "" {
			r.guess("output_shape", why)
			if why == whyMore {
				doubtful[l.name] = why // what is taken may not be the first of its results
			}
		}
		// Keras prints what a nested model gives for its own inputs, which may be more open.
		if own := k.tracedShapes(l); isModel(l.class) && len(own) == len(r.Output.Shapes) && openSizes(own) > openSizes(r.Output.Shapes) {
			r.Output.Shapes = own
		}
		if k.mg.Framework == savedmodel.Keras2 && isModel(l.class) && slices.ContainsFunc(r.Output.Shapes, func(s tensor.Shape) bool { return s.Rank() > 2 }) {
			r.guess("output_shape", whyRelaxed)
		}
		for _, other := range l.shares {
			if other != nil && k.made[other] != nil {
				k.made[other].guess("connected_to", whyShared)
				doubtful[other.name], unordered = whyShared, true
			}
		}
		if k.opens == 1 && !k.holdsLayers() && !l.sure && !l.op && (holdsParts(l) || k.scope.OnlyNamed(l.calls[0])) {
			r.guess("name", whySlash)
			r.guess("params", whySlash)
		}
		if k.opens == 1 && !k.holdsLayers() && strings.Contains(l.name, "/") && (len(l.vars) == 0 || k.insideNamed(l)) {
			r.guess("name", whySlashes)
		}
		if !l.op && l.class != "InputLayer" && len(r.ConnectedTo) == 0 && k.isGraph() {
			r.guess("connected_to", whyNothing)
		}
		if n := l.calls[0].Nodes; l.class == scopes.OperationClass && len(n) > 0 && moreResults(n[len(n)-1]) > len(l.calls[0].Outs) {
			r.guess("output_shape", whyPartial)
		}
		if l.class == scopes.OperationClass && strings.HasPrefix(l.name, "tf.math.top_k") {
			r.guess("output_shape", whyBothResults)
		}
		data := l.calls[len(l.calls)-1].Ins
		if own && len(data) == 1 && k.takesMore(l) {
			r.guess("connected_to", whyArguments)
			unordered = true
		}
		if own = !l.sure && (len(l.vars) > 0 || !kerasnames.IsDefault(l.name)); (own || !slices.Contains(kerasnames.Classes, r.Class)) && !l.op && len(data) > 1 {
			r.guess("connected_to", whyArguments)
			unordered = true
		}
		if l.calls[0].Phantom && len(l.calls[0].Nodes) > 0 && (!l.sure || !slices.Contains(kerasnames.Classes, l.class)) {
			r.guess("output_shape", whyPassed)
			r.guess("connected_to", whyPassed)
			doubtful[l.name] = whyPassed
		}
	}
	if k.opens == 1 && !keras2Model.MatchString(k.table.ModelName) {
		for _, r := range k.table.Layers {
			r.guess("output_shape", whyOwnModel)
			if !k.holdsLayers() {
				r.guess("order", whyOwnModel)
			}
			if r.Class == "InputLayer" && keras2Input.MatchString(r.Name) {
				r.guess("name", whyOwnModel)
			}
		}
	}
	if k.opens == 1 && k.table.ModelName == "model" && !k.table.Connected && !k.holdsLayers() {
		for _, r := range k.inputRows {
			r.guess("name", whyStackToo)
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
	for _, l := range k.layers {
		holds := slices.ContainsFunc(l.notes, func(n guess) bool { return strings.HasPrefix(n.why, whyHolds) })
		if doubtful[l.name] == "" && (holds || slices.ContainsFunc(l.vars, l.madeWithin)) {
			doubtful[l.name] = whyCallsIn
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
	k.doubtBetween()
	k.doubtOrder(unordered)
	k.doubtInner()
	k.doubtComposite()
	k.doubtScopes()
	if k.table.Totals.TrainableGuessed {
		doubtFrozen(k.table.Layers)
	} else {
		k.doubtAround(k.table.Layers, k.table.Totals.Trainable == 0)
	}
}

// readsAgain reports whether a layer of Keras that reads each of its variables once in a call does
// so more often: then it is called on what it gave, within one scope in exports of Keras 2.
func (k *keras3) readsAgain(l *layerCalls) bool {
	if !slices.Contains(plainClasses, l.class) && l.class != "Dense" && l.class != "LayerNormalization" {
		return false
	}
	reads := map[int]bool{}
	for _, n := range l.calls[0].Nodes {
		for _, in := range n.Inputs {
			if i, ok := in.IsArg(); ok && k.body.Variables[i] != nil {
				if reads[i] {
					return true
				}
				reads[i] = true
			}
		}
	}
	return false
}

// doubtBetween marks what rests on the places of objects of hidden layers, where several layers fit
// an object: the order of layers without variables, and connections that may lead through a hidden
// layer. Between two layers with variables, an object's place shows whether one may stand.
func (k *keras3) doubtBetween() {
	if !k.savedWhole() || !k.table.Connected || !slices.ContainsFunc(k.adrift, func(d *drift) bool { return !d.direct }) {
		return
	}
	anchored := map[string]bool{}
	for _, l := range k.layers {
		anchored[l.name] = len(l.vars) > 0
	}
	objects := k.layerObjects()
	through := func(from, to string) bool {
		first, last := k.places[from]+1, k.places[to]
		return !anchored[from] || first < last && slices.ContainsFunc(objects[first:last], func(o layerObject) bool { return o.owner == nil })
	}
	for _, r := range k.table.Layers {
		if !anchored[r.Name] {
			r.guess("order", whyAdrift)
		}
		for _, c := range r.ConnectedTo {
			if from, _, _ := strings.Cut(c, "["); !anchored[r.Name] || through(from, r.Name) {
				r.guess("connected_to", whyAdrift)
			}
		}
	}
}

// doubtAround marks the counts of layers that may be frozen by a model around them alone: the file
// has one list of what training changes, that of the whole model. In Keras 2 any model freezes what
// is in it, in Keras 3 the whole one.
func (k *keras3) doubtAround(rows []*Layer, within bool) {
	for _, r := range rows {
		if within && slices.ContainsFunc(r.Weights, Weight.mayTrain) {
			r.guess("trainable_params", whyAround)
		}
		k.doubtAround(r.Layers, within || k.mg.Framework == savedmodel.Keras2)
	}
}

// mayTrain reports whether a variable is none that training changes, though it may be by its type
// and its name.
func (w Weight) mayTrain() bool {
	last := w.Name[strings.LastIndexByte(w.Name, '/')+1:]
	return !w.Trainable && w.DType.IsFloat() && !slices.Contains([]string{"moving_mean", "moving_variance", "mean", "variance"}, last)
}

// doubtFrozen marks what is counted as trainable.
func doubtFrozen(rows []*Layer) {
	for _, r := range rows {
		if r.TrainableParams > 0 {
			r.guess("trainable_params", whyFrozen)
		}
		doubtFrozen(r.Layers)
	}
}

// moreResults returns the number of parts into which an operation takes a tensor apart; 0 for
// others.
func moreResults(n *graph.Node) int {
	switch n.Op {
	case "Split", "SplitV":
		return int(n.Def.GetAttr()["num_split"].GetI())
	case "Unpack":
		return int(n.Def.GetAttr()["num"].GetI())
	}
	return 0
}

// hidesResults says why a layer may return more than the graph shows, or "": what a layer returns
// beside its first result is in no graph where nobody takes it. A stack has no such layers.
func (k *keras3) hidesResults(l *layerCalls) string {
	last := l.calls[len(l.calls)-1]
	switch {
	case l.op || len(last.Outs) != 1 || k.table.ModelClass == "Sequential" || k.traced(l) == 1:
		return ""
	case isRecurrent(l.class) || strings.HasPrefix(l.class, "ConvLSTM"):
		return whyStates
	case slices.Contains(attentionClasses, l.class):
		if (l.class == "MultiHeadAttention" || l.class == "GroupedQueryAttention") && k.fused(last) {
			return ""
		}
		return whyUnscored
	case !isModel(l.class) && (!l.sure && l.custom() || !slices.Contains(kerasnames.Classes, l.class)) && l.class != scopes.OperationClass:
		return whyMore
	case !l.sure && (k.deadEnds(last) || strings.HasSuffix(kerasnames.WithoutNumber(l.name), "_"+kerasnames.SnakeCase(l.class))):
		// the default name of a subclass ends in that of its class
		return whyMore
	}
	return ""
}

// deadEnds reports whether a call computes something that nobody takes, which may be a result.
func (k *keras3) deadEnds(c *scopes.Call) bool {
	return slices.ContainsFunc(c.Nodes, func(n *graph.Node) bool {
		return !scopes.QuietOps[n.Op] && !graph.IsLoop(n) && n.Op != "Identity" && len(k.scope.Users[n]) == 0 &&
			!slices.ContainsFunc(c.Outs, func(r graph.Ref) bool { return r.Node == n })
	})
}

// traced returns the number of results in the function that Keras 2 traced of a layer; 0 where
// there is none.
func (k *keras3) traced(l *layerCalls) int { return len(k.tracedShapes(l)) }

// tracedShapes returns the shapes of the results in the function that Keras 2 traced of a layer;
// nil where there is none.
func (k *keras3) tracedShapes(l *layerCalls) []tensor.Shape {
	at, ok := k.places[l.name]
	if !ok || k.mg.Framework != savedmodel.Keras2 {
		return nil
	}
	names := &keras2{mg: k.mg, objs: k.objs}
	name, shapes := names.trace(k.saved.ids[at])
	if name != l.name {
		return nil
	}
	return shapes
}

// fused reports whether an attention of several heads calls keras.ops.dot_product_attention, as it
// does where it gives no scores and drops none of them: else a Softmax layer within it makes them.
func (k *keras3) fused(c *scopes.Call) bool {
	return k.opens > 1 && !slices.ContainsFunc(c.Nodes, func(n *graph.Node) bool {
		return slices.ContainsFunc(n.Parts[k.scope.Below(c):len(n.Parts)-1], func(part string) bool { return slices.Contains(kerasnames.Bases(part), "softmax") })
	})
}

// doubtInner marks what a signature that does more than call its model leaves open: the inputs of
// the model are no inputs of the signature, and it may take some of the results alone.
func (k *keras3) doubtInner() {
	if !k.scope.Inner || !k.isGraph() {
		return
	}
	for _, r := range k.table.Layers {
		for _, field := range []string{"connected_to", "order", "output_shape"} {
			r.guess(field, whyInner)
		}
		if r.Class == "InputLayer" {
			r.guess("name", whyInner)
		}
	}
}

// doubtScopes marks rows of name scopes that code may have opened around layers, in a model of
// one's own class: of Keras 2, those whose name no object of a layer bears, and of Keras 3, those
// that were opened once.
func (k *keras3) doubtScopes() {
	// of releases of Keras that open every scope once, it says nothing that one was
	_, twice := kerasnames.Unique{}.Undo(k.scope.Prefix, k.opens)
	if k.isGraph() || k.table.ModelClass == "Sequential" || !twice {
		return
	}
	traced := map[string]bool{}
	if k.mg.Framework == savedmodel.Keras2 {
		if !k.holdsLayers() {
			return
		}
		for _, o := range k.layerObjects() {
			traced[o.name] = true
		}
	}
	for _, l := range k.layers {
		r := k.made[l]
		if r == nil || l.uncalled || traced[shownName(l.name)] {
			continue
		}
		if k.mg.Framework == savedmodel.Keras2 || l.once {
			r.guess("name", whyScope)
			r.guess("params", whyScope)
			r.guess("trainable_params", whyScope)
		}
	}
}

// doubtComposite marks what follows from an input that is a ragged or sparse tensor.
func (k *keras3) doubtComposite() {
	byRows, err := k.mg.ByRows(k.body.Signature)
	if err != nil || !slices.ContainsFunc(byRows.InputNames(), func(name string) bool { return byRows.Inputs[name].Encoding != savedmodel.Dense }) {
		return
	}
	for _, r := range k.table.Layers {
		for _, field := range []string{"output_shape", "connected_to", "order"} {
			r.guess(field, whyRagged)
		}
		if r.Class == "InputLayer" {
			r.guess("name", whyRagged)
		}
	}
}

// doubtCounts marks the shapes of layers of Keras 3 whose compute_output_shape says other than
// their graph, and of all rows after them: a TextVectorization that counts tokens keeps the axis of
// texts of shape (None, 1), an EinsumDense has an axis open whose size its output_shape leaves out.
func (k *keras3) doubtCounts() {
	if k.opens == 1 {
		return
	}
	whys := map[int]string{} // by row
	first := map[string]int{}
	for i, r := range k.table.Layers {
		if why := k.printsOther(r); why != "" {
			whys[i], first[r.Name] = why, i
		}
	}
	if len(whys) == 0 {
		return
	}
	if k.isGraph() {
		g, _, _ := k.mapLayers()
		g.forward(func(from, to string) {
			if i, ok := first[from]; ok {
				if old, ok := first[to]; !ok || i < old {
					first[to] = i
				}
			}
		})
		for _, r := range k.table.Layers {
			if i, ok := first[r.Name]; ok {
				r.guess("output_shape", whys[i])
			}
		}
		return
	}
	why := ""
	for i, r := range k.table.Layers {
		if why == "" {
			why = whys[i]
		}
		if why != "" {
			r.guess("output_shape", why)
		}
	}
}

// holdsParts reports whether a layer's variables are those of layers within it, by their paths.
func holdsParts(l *layerCalls) bool {
	return slices.ContainsFunc(l.vars, func(v *savedmodel.Variable) bool { return len(l.within(v)) > 1 })
}

// insideNamed reports whether a layer's name, with a slash in it, begins with another layer's.
func (k *keras3) insideNamed(l *layerCalls) bool {
	for i, r := range l.name {
		if r == '/' && k.byName[l.name[:i]] != nil {
			return true
		}
	}
	return false
}

// printsOther says why Keras may print another shape of a layer than the graph has, or "".
func (k *keras3) printsOther(r *Layer) string {
	for _, inner := range r.Layers { // what a layer within prints, the model hands on
		if why := k.printsOther(inner); why != "" {
			return why
		}
	}
	in, out := r.info.in, r.Output.Shapes
	switch {
	case len(in) != 1 || len(out) != 1:
	case r.Class == "TextVectorization" && in[0].Rank() == 2 && k.counts(r.Name):
		return whyCounts
	case r.Class == "Softmax" && !in[0].Equal(out[0]):
		return whySoftmax
	case r.Class == "Normalization" && openSizes(in) > openSizes(out):
		return whyAdapted
	case r.Class == "EinsumDense" && out[0].Rank() > 2 && openSizes(out) < out[0].Rank()-1:
		return whyEinsum
	}
	return ""
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

// takesMore reports whether another layer of the same class has more inputs than a layer.
func (k *keras3) takesMore(l *layerCalls) bool {
	return slices.ContainsFunc(k.layers, func(o *layerCalls) bool {
		return o.class == l.class && len(o.calls[0].Ins) > len(l.calls[0].Ins)
	})
}

// keras2Model matches the names that Keras 2 gives to models of its own classes, and keras2Input
// those of inputs without a name.
var (
	keras2Model = regexp.MustCompile(`^(?:model|functional|sequential)(?:_\d+)?$`)
	keras2Input = regexp.MustCompile(`^(?:input|args)_\d+$`)
)

// sameShapes reports whether all calls of a layer return the same shapes.
func sameShapes(calls []*scopes.Call) bool {
	first := OutputShape{Shapes: calls[0].Shapes}
	return !slices.ContainsFunc(calls, func(c *scopes.Call) bool { return !first.equal(OutputShape{Shapes: c.Shapes}) })
}

// doubtOrder marks the places of rows that follow from guesses. If the order of arguments is
// guessed, so is the order of rows at one distance from the outputs. If it is not known which
// operations are layers, the distances are guessed too. Where the model has objects of its layers,
// these tell the order.
func (k *keras3) doubtOrder(arguments bool) {
	named := map[string][]*Layer{} // by class: rows whose name is a guess
	distances := false
	at := map[int]int{} // by distance: number of rows
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
		differ := slices.ContainsFunc(rows, func(r *Layer) bool { return !r.Output.equal(rows[0].Output) })
		for _, r := range rows[:len(rows)*when(len(rows) > 1)] {
			r.guess("order", whyNames)
			if differ {
				r.guess("output_shape", whyNames)
			}
		}
	}
	movable := k.movable()
	for name := range k.beforeMerged() {
		movable[name] = true
	}
	for _, r := range k.table.Layers {
		_, placed := k.places[r.Name]
		placed = placed && !k.unnamed[r.Name]
		switch {
		case hidden[r], movable[r.Name]:
			r.guess("order", whyOrder)
		case r.Class == "InputLayer" && k.unnamed[r.Name] && len(k.scope.Rets) > 1 && len(k.body.Inputs) > 1:
			r.guess("order", whyOutputs)
		case placed && k.byName[r.Name] != nil && k.byName[r.Name].op:
			r.guess("order", whyOps)
		case placed || !k.table.Connected:
		case distances || arguments && at[k.depths[r.Name]] > 1:
			r.guess("order", whyOrder)
		}
	}
}

// beforeMerged returns the layers before one whose calls look like a single one of several results,
// as in exports of Keras 2, where these results are taken at several distances from the outputs:
// then it is not known at which distance its own inputs are.
func (k *keras3) beforeMerged() map[string]bool {
	all := map[string]bool{}
	if k.opens != 1 || k.holdsLayers() || !k.isGraph() {
		return all
	}
	taken := map[*scopes.Call]map[int]bool{} // at which distances results of a call are taken
	note := func(c *scopes.Call, depth int) {
		if taken[c] == nil {
			taken[c] = map[int]bool{}
		}
		taken[c][depth] = true
	}
	for _, r := range k.scope.Rets {
		note(k.scope.Owner[r.Node], -1)
	}
	for _, l := range k.layers {
		for _, c := range l.calls {
			for _, e := range c.Ins {
				note(e.From, k.depths[l.name])
			}
		}
	}
	g, _, _ := k.mapLayers()
	for _, l := range k.layers {
		if c := l.calls[0]; len(l.calls) > 1 || l.op || len(c.Outs) < 2 || len(c.Ins) < 2 || len(taken[c]) < 2 {
			continue
		}
		all[l.name] = true
	}
	g.backward(func(from, to string) {
		if all[to] {
			all[from] = true
		}
	})
	return all
}

// movable returns the layers without variables that could belong to another object, since a hidden
// object is between the same layers.
func (k *keras3) movable() map[string]bool {
	all := map[string]bool{}
	if k.places == nil || len(k.adrift) == 0 || !k.isGraph() {
		return all
	}
	g, _, _ := k.mapLayers()
	if (len(k.adrift)+len(g.sequence))*len(k.places) > maxMoves {
		for name := range k.places {
			if l := k.byName[name]; l != nil && len(l.vars) == 0 && !l.op {
				all[name] = true
			}
		}
		return all
	}
	// These are the places that leave room for all the others.
	lowest, highest := map[string]int{}, map[string]int{}
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

// maxMoves bounds what [keras3.movable] and [keras3.markAdrift] look at: hidden layers, or
// connections, times rows.
const maxMoves = 3_000_000

// counts reports whether a layer counts how often values occur.
func (k *keras3) counts(name string) bool {
	l := k.byName[name]
	return l != nil && slices.ContainsFunc(l.calls[0].Nodes, func(n *graph.Node) bool { return strings.HasSuffix(n.Op, "Bincount") })
}
