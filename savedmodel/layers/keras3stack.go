package layers

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// stackRows makes the rows of a Sequential model in the order of its calls, and those of a custom
// model in the order of its variables, which is the order of its attributes.
func (k *keras3) stackRows() {
	k.table.ModelClass = "Sequential"
	own := k.scope.Prefix != "" && !strings.HasPrefix(k.table.ModelName, "sequential") && (k.positional() || !k.isChain())
	switch {
	case k.mg.Framework == savedmodel.Keras2 && k.holdsLayers():
		own = k.rootKind() == modelObject
	case k.savedWhole():
		own = k.objs.Child(0, "_layers") < 0
	}
	mixed := own && k.mixesLists()
	holders := map[*savedmodel.Variable]int{} // how many layers have a variable
	for _, l := range k.layers {
		for v := range l.holds() {
			holders[v]++
		}
	}
	switch {
	case own:
		k.table.ModelClass = kerasnames.CamelCase(kerasnames.WithoutNumber(k.table.ModelName))
		if !mixed {
			k.sortByVariables()
		}
	default:
		k.fillGaps()
	}
	if !mixed {
		k.stackByPlace()
	}
	prev := tensor.UnknownShape()
	if shapes := k.body.InputShapes(); len(shapes) > 0 {
		prev = shapes[0]
	}
	for _, l := range k.layers {
		if l.op {
			continue // not a layer of the model itself
		}
		r := k.row(l)
		if !r.Output.known() && !l.uncalled {
			r.Output = oneShape(prev)
		}
		if len(r.Output.Shapes) > 0 {
			prev = r.Output.Shapes[0]
		}
		switch {
		case mixed:
			r.guess("order", whyLists)
		case own && !k.savedWhole() && len(l.vars) == 0:
			r.guess("order", whyAttribute)
		case own && slices.ContainsFunc(l.vars, func(v *savedmodel.Variable) bool { return holders[v] > 1 }):
			r.guess("order", whySharing)
		}
		if own {
			k.customModelShape(r)
		}
		k.table.Layers = append(k.table.Layers, r)
	}
}

// mixesLists reports whether some layers of a model that tf.saved_model.save wrote are attributes
// of it, and others are in attributes that are lists or dictionaries.
func (k *keras3) mixesLists() bool {
	if !k.savedWhole() {
		return false
	}
	direct := 0
	for _, c := range k.objs.Nodes[0].GetChildren() {
		if !notLayers[c.GetLocalName()] && k.objs.Child(int(c.GetNodeId()), "_inbound_nodes") >= 0 {
			direct++
		}
	}
	return direct > 0 && direct < len(k.attributeLayers(0, 0, map[int]bool{0: true}))
}

// stackByPlace sorts the layers by their objects, if the files hold these.
func (k *keras3) stackByPlace() {
	if k.places == nil {
		return
	}
	var names []string
	for _, l := range k.layers {
		names = append(names, l.name)
	}
	for i, name := range k.byPlace(names) {
		k.layers[i] = k.byName[name]
	}
}

// positional reports whether the function's arguments have no names. The inputs of a Sequential or
// Functional model have names.
func (k *keras3) positional() bool {
	for i := range k.body.Args {
		if _, fed := k.body.Inputs[i]; fed && positionalArg.MatchString(k.body.ArgName(i)) {
			return true
		}
	}
	return false
}

// positionalArg matches the name that tf.function gives an argument without a name.
var positionalArg = regexp.MustCompile(`^args_\d+$`)

// customModelShape turns a shape into the one that Keras prints for a layer of a custom model: "?"
// for layers without anything to build, which remember no shapes; otherwise the shape of the
// model's first call. The batch size of that call is not in the files.
func (k *keras3) customModelShape(r *Layer) {
	if len(r.Weights) == 0 && forgetsShapes(k.mg.TensorFlowVersion) {
		r.info.shape, r.Output = r.Output, OutputShape{Word: "?"}
		r.guess("output_shape", "in a model of one's own class, Keras prints no shape for a layer that has nothing to build; here it is "+r.info.shape.String())
		return
	}
	doubtFirstBatch(r)
}

// doubtFirstBatch marks the shape of a layer, and those of layers within, which Keras may print for
// inputs of their own.
func doubtFirstBatch(r *Layer) {
	r.guess("output_shape", "in a model of one's own class, Keras prints the batch size of the first call, which the files do not hold")
	for _, inner := range r.Layers {
		doubtFirstBatch(inner)
	}
}

// forgetsShapes reports whether a model was written by a release of Keras whose layers remember no
// shapes if they have nothing to build: 3.10 or later, which came with TensorFlow 2.20.
func forgetsShapes(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(minor)
	return err == nil && (major == "2" && m >= 20 || major > "2")
}

// isChain reports whether each layer uses only the output of the layer before.
func (k *keras3) isChain() bool {
	var prev *scopes.Call
	for _, l := range k.layers {
		if l.op {
			if n := l.calls[0].Nodes[len(l.calls[0].Nodes)-1]; !scopes.IsBool(n) {
				return false
			}
			continue
		}
		if len(l.calls) != 1 || len(l.calls[0].Ins) != 1 || l.calls[0].Ins[0].From != prev {
			return false
		}
		prev = l.calls[0]
	}
	return true
}

// sortByVariables sorts the layers by their first variables. A layer without variables stays after
// the layer before it.
func (k *keras3) sortByVariables() {
	first := map[*layerCalls]int{}
	for i, v := range slices.Backward(k.listed) {
		if o := k.owner[v]; o != nil {
			first[o] = i
		}
	}
	place := map[*layerCalls]int{}
	last := -1
	for _, l := range k.layers {
		if i, ok := first[l]; ok {
			last = i
		}
		place[l] = last
	}
	slices.SortStableFunc(k.layers, func(a, b *layerCalls) int { return place[a] - place[b] })
}

// fillGaps adds the Activation layers of a stack whose default names are missing in their sequence:
// a linear Activation leaves nothing in the graph. Such a layer is taken to follow the layer with
// weights after the Activation before it.
func (k *keras3) fillGaps() {
	next := 0
	for i := 0; i < len(k.layers); i++ {
		base, n, ok := kerasnames.CutNumber(k.layers[i].name)
		if k.layers[i].name == "activation" {
			base, n, ok = "activation", 0, true
		}
		if !ok || base != "activation" || n < next {
			continue
		}
		if n == next+1 && next > 0 {
			k.insertActivation(next, i)
		}
		next = n + 1
	}
}

// insertActivation adds the Activation of the given number before layer i.
func (k *keras3) insertActivation(number, i int) {
	at := i
	for j := i - 1; j > 0 && kerasnames.WithoutNumber(k.layers[j].name) != "activation"; j-- {
		if len(k.layers[j].vars) > 0 {
			at = j + 1
		}
	}
	l := &layerCalls{name: numbered("activation", number), class: "Activation", sure: true, calls: []*scopes.Call{{Phantom: true}}}
	l.notes = []guess{
		{"class", "the layer leaves nothing in the files but the gap in the numbers of the default names, which a linear Activation would leave"},
		{"output_shape", "where in the model the layer stands does not show for sure"},
	}
	k.layers = slices.Insert(k.layers, at, l)
}
