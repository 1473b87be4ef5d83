package savedmodel

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// keras3 rebuilds the table of a model that Keras 3 exported. The files hold no layers: they show in the name scopes of the serving function,
// in the variables' paths, and in the order of the lists of variables.
type keras3 struct {
	mg    *MetaGraph
	objs  *objectGraph
	body  *body
	scope *scope
	table *LayerTable

	listed    []*variable // all variables of the model in its own order, seed generators among them
	weights   []*variable // those that count
	trainable map[*variable]bool
	prefix    string // what the variables' paths begin with: the model's name, "" for a functional model

	layers []*layerCalls // in the order of their first calls
	byName map[string]*layerCalls
	// inputRows are the rows of the inputs of a functional model, by the argument's place.
	inputRows map[int]*Layer
	phantoms  map[*node]tensor.Shape // what passes through layers that leave nothing
	numbers   map[string]int         // how far default names have been handed out
	made      map[*layerCalls]*Layer // the rows
	owner     map[*variable]*layerCalls
}

// Limits on what is rebuilt as a table: some of the work grows with the product of its parts. Models that people read have a hundredth of it.
const (
	maxCalls     = 10_000
	maxVariables = 200_000
)

// layerCalls is a layer, and its calls in the order in which the graph made them.
type layerCalls struct {
	name  string
	class string
	sure  bool // of the class
	op    bool
	calls []*call
	vars  []*variable
	notes []guess
}

// guess is a field that is likely but not held by the files, with the reason.
type guess struct{ field, why string }

func (mg *MetaGraph) keras3Layers() (*LayerTable, error) {
	objs, err := mg.objs()
	if err != nil {
		return nil, err
	}
	sig, err := mg.tableSignature()
	if err != nil {
		return nil, nil //nolint:nilerr // without a signature nothing shows the layers
	}
	b, err := mg.body(sig)
	if b == nil || err != nil {
		return nil, err
	}
	k := &keras3{
		mg: mg, objs: objs, body: b, scope: b.modelScope(), table: &LayerTable{Signature: sig.Name},
		trainable: map[*variable]bool{}, byName: map[string]*layerCalls{}, owner: map[*variable]*layerCalls{},
		inputRows: map[int]*Layer{}, made: map[*layerCalls]*Layer{}, phantoms: map[*node]tensor.Shape{}, numbers: map[string]int{},
	}
	if len(k.scope.calls) == 0 || len(k.scope.calls) > maxCalls || len(objs.vars) > maxVariables {
		return nil, nil
	}
	k.listVariables()
	k.nameModel()
	k.collect()
	k.assignVariables()
	k.classify()
	k.findHidden()
	k.rows()
	k.table.steps = k.addSteps(k.made)
	return k.table, nil
}

// listVariables reads the lists of the exported archive. A model saved with tf.saved_model.save has none: there each variable
// stands once in the object graph.
func (k *keras3) listVariables() {
	var trainable []int
	ids := k.objs.items(k.objs.child(0, "variables"))
	if len(ids) > 0 {
		trainable = k.objs.items(k.objs.child(0, "trainable_variables"))
	} else {
		for id := range k.objs.nodes {
			if v := k.objs.vars[id]; v != nil {
				ids = append(ids, id)
				if v.trainable {
					trainable = append(trainable, id)
				}
			}
		}
	}
	for _, id := range trainable {
		if v := k.objs.vars[id]; v != nil {
			k.trainable[v] = true
		}
	}
	seen := map[*variable]bool{}
	for _, id := range ids {
		v := k.objs.vars[id]
		if v == nil || seen[v] {
			continue
		}
		seen[v] = true
		k.listed = append(k.listed, v)
		if !isSeed(v) {
			k.weights = append(k.weights, v)
			k.table.Totals.add(v, k.trainable[v])
		}
	}
}

// nameModel finds the model's name, and whether the variables' paths begin with it.
func (k *keras3) nameModel() {
	if k.scope.prefix != "" {
		name, ok := scopeNames{}.undo(k.scope.prefix, 2)
		if !ok {
			name = defaultBase(k.scope.prefix)
		}
		k.table.ModelName = name
	}
	votes := map[string]int{}
	for _, c := range k.scope.calls {
		names := bases(c.raw)
		for _, v := range c.vars {
			path := strings.Split(v.name, "/")
			if len(path) > 2 && slices.Contains(names, path[1]) && !slices.Contains(names, path[0]) {
				votes[path[0]]++
			}
		}
	}
	most := 0
	for name, n := range votes {
		if n > most || n == most && name < k.prefix {
			k.prefix, most = name, n
		}
	}
	if k.prefix == "" && k.table.ModelName != "" {
		n := 0
		for _, v := range k.weights {
			if strings.HasPrefix(v.name, k.table.ModelName+"/") {
				n++
			}
		}
		if 2*n > len(k.weights) {
			k.prefix = k.table.ModelName // a model of a class of one's own: "tower/kernel"
		}
	}
}

// layerOf returns the component of a variable's path that is its layer's name, or "".
func (k *keras3) layerOf(v *variable) string {
	path := strings.Split(v.name, "/")
	if len(path) > 2 && path[0] == k.prefix {
		path = path[1:]
	}
	if len(path) < 2 {
		return ""
	}
	return path[0]
}

// collect names the calls and gathers them by layer.
func (k *keras3) collect() {
	used := scopeNames{}
	var ops []*layerCalls
	for _, c := range k.scope.calls {
		if c.op {
			used.mark(c.raw)
			l := &layerCalls{op: true, sure: true, calls: []*call{c}}
			ops = append(ops, l)
			k.layers = append(k.layers, l)
			continue
		}
		c.name = k.callName(c, used)
		l := k.byName[c.name]
		if l == nil {
			l = &layerCalls{name: c.name}
			k.byName[c.name] = l
			k.layers = append(k.layers, l)
		}
		l.calls = append(l.calls, c)
	}
	for _, l := range ops {
		k.nameOperation(l)
	}
}

// callName returns the name of the layer that c is a call of. Keras 3 opens a layer's scope twice, so the name has to be found from how the
// names of scopes are made unique; where a variable's path has it, that settles it.
func (k *keras3) callName(c *call, used scopeNames) string {
	names := bases(c.raw)
	owners := map[string]bool{}
	for _, v := range c.vars {
		if name := k.layerOf(v); name != "" && slices.Contains(names, name) {
			owners[name] = true
		}
	}
	if len(owners) == 1 {
		for name := range owners {
			used.takeAll(name, 2)
			return name
		}
	}
	for _, opens := range []int{2, 1} {
		if name, ok := used.undo(c.raw, opens); ok {
			return name
		}
	}
	used.mark(c.raw)
	return defaultBase(c.raw)
}

// nameOperation gives an operation the class of keras.ops that its TensorFlow op comes from, and the first default name of it that
// is still free: Keras numbers operations and layers together.
func (k *keras3) nameOperation(l *layerCalls) {
	c := l.calls[0]
	op := c.nodes[len(c.nodes)-1].op
	class, ok := operationClasses[op]
	if !ok {
		class = op
	}
	l.class = class
	base := snakeCase(class)
	l.name = k.freeName(base)
	c.name = l.name
	k.byName[l.name] = l
}

// assignVariables gives each layer the variables that it reads, and those that only their paths tie to it.
func (k *keras3) assignVariables() {
	counts := map[*variable]bool{}
	named := map[string][]*variable{}
	for _, v := range k.weights {
		counts[v] = true
		named[k.layerOf(v)] = append(named[k.layerOf(v)], v)
	}
	for _, l := range k.layers {
		has := map[*variable]bool{}
		add := func(v *variable) {
			if !has[v] {
				has[v] = true
				l.vars = append(l.vars, v)
				if k.owner[v] == nil {
					k.owner[v] = l
				}
			}
		}
		if !l.op {
			for _, v := range named[l.name] {
				add(v)
			}
		}
		for _, c := range l.calls {
			for _, v := range c.vars {
				name := k.layerOf(v)
				if (counts[v] || v.id < 0 && !isSeed(v)) && (name == "" || name == l.name || k.byName[name] == nil) {
					add(v)
				}
			}
		}
	}
}

// classify finds the layers' classes. A class of one's own has its default name only for the layers that were given none: others of the same
// make are taken to be of the class that the first such name tells.
func (k *keras3) classify() {
	own := map[string]string{}
	for _, l := range k.layers {
		if l.op {
			continue
		}
		l.class, l.sure = classify(k.scope, l.calls[0], l.name, slices.Concat(l.vars, l.calls[0].vars))
		k.completeStates(l)
		k.orderModelOutputs(l)
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

// orderModelOutputs sorts the results of a nested functional model. Keras runs the layers at one distance from the outputs in the reverse of the
// outputs' order, and what others of the outputs are made from before these.
func (k *keras3) orderModelOutputs(l *layerCalls) {
	if l.class != "Functional" {
		return
	}
	for _, c := range l.calls {
		if len(c.outs) < 2 {
			continue
		}
		slices.Reverse(c.outs)
		slices.SortStableFunc(c.outs, func(a, b ref) int {
			switch {
			case k.feeds(c, a, b):
				return -1
			case k.feeds(c, b, a):
				return 1
			}
			return 0
		})
		for i, r := range c.outs {
			c.shapes[i], _ = k.body.shape(r)
		}
	}
}

// feeds reports whether a is among what b is made from, within a call.
func (k *keras3) feeds(c *call, a, b ref) bool {
	seen := map[*node]bool{b.node: true}
	for todo := []*node{b.node}; len(todo) > 0; todo = todo[1:] {
		for _, in := range todo[0].inputs {
			if in == a {
				return true
			}
			if in.node != nil && !seen[in.node] && k.scope.owner[in.node] == c {
				seen[in.node] = true
				todo = append(todo, in.node)
			}
		}
	}
	return false
}

// custom reports whether the class is a guess from the layer's name.
func (l *layerCalls) custom() bool {
	return l.class == camelCase(defaultBase(l.name)) && !slices.Contains(kerasClasses, l.class)
}

// fingerprint tells layers of one's own apart by the names of their variables and the types of their operations.
func (l *layerCalls) fingerprint() string {
	var marks []string
	for _, v := range l.vars {
		marks = append(marks, v.name[strings.LastIndexByte(v.name, '/')+1:])
	}
	for _, n := range l.calls[0].nodes {
		if n.op == "BatchMatMulV2" {
			marks = append(marks, "MatMul")
		} else if !quietOps[n.op] {
			marks = append(marks, n.op)
		}
	}
	slices.Sort(marks)
	return strings.Join(slices.Compact(marks), " ")
}

// row makes the row of a layer.
func (k *keras3) row(l *layerCalls) *Layer {
	last := l.calls[len(l.calls)-1]
	r := &Layer{Name: l.name, Class: l.class, Output: last.shape()}
	r.setWeights(l.vars, func(v *variable) bool { return k.trainable[v] })
	for _, e := range last.ins {
		r.info.in = append(r.info.in, k.shapeOf(e.ref))
	}
	if !l.op && !last.phantom {
		r.info.config = graphConfig(k.scope, l.class, last, l.vars)
	}
	if k.made != nil {
		k.made[l] = r
	}
	k.addNested(r, l)
	for _, g := range l.notes {
		r.guess(g.field, g.why)
	}
	if !l.sure {
		r.guess("class", "an export of Keras 3 holds no classes; "+l.class+" is what the layer's name and operations suggest")
	}
	return r
}

// rows fills in the table.
func (k *keras3) rows() {
	if k.prefix != "" || strings.HasPrefix(k.table.ModelName, "sequential") || k.scope.prefix == "" {
		k.stackRows()
		return
	}
	k.table.ModelClass = "Functional"
	k.graphRows()
}

// stackRows makes the rows of a Sequential model in the order of the calls, and those of a model of a class of one's own in the order of its variables,
// which is that of its attributes.
func (k *keras3) stackRows() {
	k.table.ModelClass = "Sequential"
	own := k.scope.prefix != "" && !strings.HasPrefix(k.table.ModelName, "sequential") && (k.positional() || !k.isChain())
	if own {
		k.table.ModelClass = camelCase(defaultBase(k.table.ModelName))
		k.sortByVariables()
	} else {
		k.fillGaps()
	}
	prev := tensor.UnknownShape()
	if shapes := k.body.inputShapes(); len(shapes) > 0 {
		prev = shapes[0]
	}
	for _, l := range k.layers {
		if l.op {
			continue // no layer of the model's own
		}
		r := k.row(l)
		if !r.Output.known() {
			r.Output = oneShape(prev)
		}
		if len(r.Output.Shapes) > 0 {
			prev = r.Output.Shapes[0]
		}
		if own {
			k.ownModelShape(r)
		}
		k.table.Layers = append(k.table.Layers, r)
	}
}

// positional reports whether the function's arguments were given no names: the inputs of a Sequential or Functional model have some.
func (k *keras3) positional() bool {
	for i := range k.body.args {
		if _, fed := k.body.inputs[i]; fed && positionalArg.MatchString(k.body.argName(i)) {
			return true
		}
	}
	return false
}

// positionalArg matches what tf.function calls an argument without a name.
var positionalArg = regexp.MustCompile(`^args_\d+$`)

// ownModelShape turns a shape into what Keras prints of a layer in a model of one's own: "?" for layers that have nothing to build, since they
// remember no shapes; else the shape of the model's first call, whose batch size the files do not hold.
func (k *keras3) ownModelShape(r *Layer) {
	if len(r.Weights) == 0 && forgetsShapes(k.mg.TensorFlowVersion) {
		r.info.shape, r.Output = r.Output, OutputShape{Word: "?"}
		r.guess("output_shape", "in a model of one's own class, Keras prints no shape for a layer that has nothing to build; here it is "+r.info.shape.String())
		return
	}
	r.guess("output_shape", "in a model of one's own class, Keras prints the batch size of the first call, which the files do not hold")
}

// forgetsShapes reports whether a model was written by releases whose layers remember no shapes when they have nothing to build: Keras since 3.10,
// which came with TensorFlow 2.20.
func forgetsShapes(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err := strconv.Atoi(minor)
	return err == nil && (major == "2" && m >= 20 || major > "2")
}

// isChain reports whether each layer takes what the one before gives, and nothing else happens.
func (k *keras3) isChain() bool {
	var prev *call
	for _, l := range k.layers {
		if l.op {
			if n := l.calls[0].nodes[len(l.calls[0].nodes)-1]; !isBool(n) {
				return false
			}
			continue
		}
		if len(l.calls) != 1 || len(l.calls[0].ins) != 1 || l.calls[0].ins[0].from != prev {
			return false
		}
		prev = l.calls[0]
	}
	return true
}

// sortByVariables sorts the layers by their first variable; one without comes behind the layer before it.
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

// fillGaps adds the Activation layers of a stack that must be there because a default name is missing in their sequence: a linear one
// leaves nothing in the graph. It is taken to follow the layer with weights after the one before it.
func (k *keras3) fillGaps() {
	next := 0
	for i := 0; i < len(k.layers); i++ {
		base, n, ok := cutNumber(k.layers[i].name)
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
	for j := i - 1; j > 0 && defaultBase(k.layers[j].name) != "activation"; j-- {
		if len(k.layers[j].vars) > 0 {
			at = j + 1
		}
	}
	l := &layerCalls{name: numbered("activation", number), class: "Activation", sure: true, calls: []*call{{phantom: true}}}
	l.notes = []guess{
		{"class", "the layer leaves nothing in the files but the gap in the numbers of the default names, which a linear Activation would leave"},
		{"output_shape", "where in the model the layer stands does not show for sure"},
	}
	k.layers = slices.Insert(k.layers, at, l)
}
