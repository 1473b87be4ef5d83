package layers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/tensor"
)

// keras3 rebuilds the table of a model that Keras 3 exported. The files hold no layers: they show
// in the name scopes of the serving function, in the variables' paths, and in the order of the
// lists of variables.
type keras3 struct {
	mg    *savedmodel.MetaGraph
	objs  *savedmodel.ObjectGraph
	body  *body.Body
	scope *scope
	table *Table
	// opens is how often a layer's scope is opened: Keras 3 does it to build and to call the layer.
	opens int

	// all variables of the model in its own order, seed generators among them
	listed    []*savedmodel.Variable
	weights   []*savedmodel.Variable // those that count
	trainable map[*savedmodel.Variable]bool
	// what the variables' paths begin with: the model's name, "" for a functional model
	prefix string

	layers []*layerCalls // in the order of their first calls
	byName map[string]*layerCalls
	// inputRows are the rows of the inputs of a functional model, by the argument's place.
	inputRows map[int]*Layer
	phantoms  map[*graph.Node]tensor.Shape // what passes through layers that leave nothing
	numbers   map[string]int               // how far default names have been handed out
	adrift    []*drift                     // the hidden layers whose place is a guess
	made      map[*layerCalls]*Layer       // the rows
	depths    map[string]int               // of the rows of a functional model, from the outputs
	places    map[string]int               // of the layers' objects by name, nil without these
	owner     map[*savedmodel.Variable]*layerCalls
}

// Limits on what is rebuilt as a table: some of the work grows with the product of its parts.
// Models that people read have a hundredth of it.
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
	vars  []*savedmodel.Variable
	// shares are the layers around a nested model whose variables it reads.
	shares []*layerCalls
	notes  []guess
}

// guess is a field that is likely but not held by the files, with the reason.
type guess struct{ field, why string }

// exportedLayers rebuilds the layer table of an export from the name scopes of its serving function
// and the variables. nil: there is nothing to go by.
func exportedLayers(mg *savedmodel.MetaGraph) (*Table, error) {
	objs, err := mg.Objects()
	if err != nil {
		return nil, err
	}
	sig, err := tableSignature(mg)
	if err != nil {
		return nil, nil //nolint:nilerr // without a signature nothing shows the layers
	}
	b, err := body.Of(mg, sig)
	if b == nil || err != nil {
		return nil, err
	}
	k := &keras3{
		mg: mg, objs: objs, body: b, scope: modelScope(b), table: &Table{Signature: sig.Name, body: b}, opens: 2,
		trainable: map[*savedmodel.Variable]bool{}, byName: map[string]*layerCalls{}, owner: map[*savedmodel.Variable]*layerCalls{},
		inputRows: map[int]*Layer{}, made: map[*layerCalls]*Layer{}, phantoms: map[*graph.Node]tensor.Shape{}, numbers: map[string]int{},
	}
	if mg.Framework == savedmodel.Keras2 {
		k.opens = 1
	}
	if len(k.scope.calls) == 0 || len(k.scope.calls) > maxCalls || len(objs.Variables) > maxVariables {
		return nil, nil
	}
	k.listVariables()
	k.nameModel()
	k.collect()
	k.assignVariables()
	k.classify()
	k.adoptVariables()
	k.findHidden()
	k.rows()
	k.doubtRows()
	k.noteExport()
	k.table.steps = k.addSteps(k.made)
	return k.table, nil
}

// listVariables reads the lists of the exported archive. A model saved with tf.saved_model.save has
// none: there each variable stands once in the object graph.
func (k *keras3) listVariables() {
	var trainable []int
	ids := k.objs.Items(k.objs.Child(0, "variables"))
	if len(ids) > 0 {
		trainable = k.objs.Items(k.objs.Child(0, "trainable_variables"))
	} else {
		for _, id := range k.modelObjects() {
			if v := k.objs.Variables[id]; v != nil && v.Name != tensorFlowName {
				ids = append(ids, id)
				if v.Trainable {
					trainable = append(trainable, id)
				}
			}
		}
	}
	for _, id := range trainable {
		if v := k.objs.Variables[id]; v != nil {
			k.trainable[v] = true
		}
	}
	// whether a layer was frozen, its object does not say
	k.table.Totals.TrainableGuessed = k.savedWhole() && len(trainable) > 0
	seen := map[*savedmodel.Variable]bool{}
	for _, id := range ids {
		v := k.objs.Variables[id]
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

// tensorFlowName is what TensorFlow calls a variable without a name. Keras 3 counts its own alone.
const tensorFlowName = "Variable"

// notLayers are the children of a model, saved with tf.saved_model.save, that are none of its
// layers.
var notLayers = map[string]bool{
	"optimizer": true, "_optimizer": true, "_metrics": true, "_loss_tracker": true, "_compile_metrics": true, "_compile_loss": true, "_loss": true,
	"signatures": true, "_default_save_signature": true,
}

// modelObjects lists the objects of a model that tf.saved_model.save wrote, without what training
// keeps, in the order in which they are found from the root: that of the layers.
func (k *keras3) modelObjects() []int {
	var order []int
	seen := map[int]bool{0: true}
	var visit func(id, depth int)
	visit = func(id, depth int) {
		order = append(order, id)
		if depth > maxObjectDepth {
			return
		}
		recurrent := k.objs.Child(id, "cell") >= 0
		for _, c := range k.objs.Nodes[id].GetChildren() {
			if recurrent && c.GetLocalName() == "states" {
				continue // a stateful layer's states, which are no weights
			}
			if next := int(c.GetNodeId()); !seen[next] && !notLayers[c.GetLocalName()] {
				seen[next] = true
				visit(next, depth+1)
			}
		}
	}
	if len(k.objs.Nodes) > 0 {
		visit(0, 0)
	}
	return order
}

// maxObjectDepth bounds how deep layers are looked for within others.
const maxObjectDepth = 200

// nameModel finds the model's name, and whether the variables' paths begin with it.
func (k *keras3) nameModel() {
	if k.scope.prefix != "" {
		name, ok := kerasnames.Unique{}.Undo(k.scope.prefix, k.opens)
		if !ok {
			name = kerasnames.WithoutNumber(k.scope.prefix)
		}
		k.table.ModelName = name
	}
	votes := map[string]int{}
	for _, c := range k.scope.calls {
		names := kerasnames.Bases(c.raw)
		for _, v := range c.vars {
			path := strings.Split(v.Name, "/")
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
	if k.scope.depth == 1 && k.prefix != k.table.ModelName {
		k.prefix = "" // a name scope of the user's own
	}
	if k.prefix == "" && k.table.ModelName != "" {
		n := 0
		for _, v := range k.weights {
			if strings.HasPrefix(v.Name, k.table.ModelName+"/") {
				n++
			}
		}
		if 2*n > len(k.weights) {
			k.prefix = k.table.ModelName // a model of a class of one's own: "tower/kernel"
		}
	}
}

// layerOf returns the component of a variable's path that is its layer's name, or "".
func (k *keras3) layerOf(v *savedmodel.Variable) string {
	path := strings.Split(v.Name, "/")
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
	used := kerasnames.Unique{}
	var ops []*layerCalls
	for _, c := range k.scope.calls {
		if c.op {
			used.Mark(c.raw)
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

// callName returns the name of the layer that c is a call of. Keras 3 opens a layer's scope twice,
// so the name has to be found from how the names of scopes are made unique; where a variable's path
// has it, that settles it.
func (k *keras3) callName(c *call, used kerasnames.Unique) string {
	names := kerasnames.Bases(c.raw)
	owners := map[string]bool{}
	for _, v := range c.vars {
		if name := k.layerOf(v); name != "" && slices.Contains(names, name) {
			owners[name] = true
		}
	}
	if len(owners) == 1 {
		for name := range owners {
			used.TakeAll(name, k.opens)
			return name
		}
	}
	if k.opens == 1 {
		used.Mark(c.raw)
		return c.raw // Keras 2 gives a scope the layer's name, unless it is called again
	}
	for opens := k.opens; opens > 0; opens-- {
		if name, ok := used.Undo(c.raw, opens); ok {
			return name
		}
	}
	used.Mark(c.raw)
	return kerasnames.WithoutNumber(c.raw)
}

// nameOperation gives an operation the class of keras.ops that its TensorFlow op comes from, and
// the first default name of it that is still free: Keras numbers operations and layers together.
func (k *keras3) nameOperation(l *layerCalls) {
	c := l.calls[0]
	op := c.nodes[len(c.nodes)-1].Op
	class, ok := kerasnames.Operations[op]
	if !ok {
		class = op
	}
	switch base := kerasnames.WithoutNumber(c.raw); {
	case operationScopes[base] != "":
		class = operationScopes[base]
	case functionScopes[base]:
		class = kerasnames.CamelCase(base)
	}
	l.class = class
	base := kerasnames.SnakeCase(class)
	l.name = k.freeName(base)
	c.name = l.name
	k.byName[l.name] = l
}

// assignVariables gives each layer the variables that it reads, and those that only their paths tie
// to it.
func (k *keras3) assignVariables() {
	counts := map[*savedmodel.Variable]bool{}
	named := map[string][]*savedmodel.Variable{}
	for _, v := range k.weights {
		counts[v] = true
		named[k.layerOf(v)] = append(named[k.layerOf(v)], v)
	}
	for _, l := range k.layers {
		has := map[*savedmodel.Variable]bool{}
		add := func(v *savedmodel.Variable) {
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
				if (counts[v] || v.ID < 0 && !isSeed(v)) && (name == "" || name == l.name || k.byName[name] == nil) {
					add(v)
				}
			}
		}
	}
}

// classify finds the layers' classes. A class of one's own has its default name only for the layers
// that were given none: others of the same make are taken to be of the class that the first such
// name tells.
func (k *keras3) classify() {
	own := map[string]string{}
	for _, l := range k.layers {
		if l.op {
			continue
		}
		l.class, l.sure = classify(k.scope, l.calls[0], l.name, slices.Concat(l.vars, l.calls[0].vars))
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
		for _, v := range c.vars {
			other := k.owner[v]
			if other == nil || other == l || isSeed(v) || slices.Contains(l.vars, v) {
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
		for _, v := range c.vars {
			if !isSeed(v) && !slices.Contains(l.vars, v) {
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
		if len(c.outs) < 2 {
			continue
		}
		slices.Reverse(c.outs)
		slices.SortStableFunc(c.outs, func(a, b graph.Ref) int {
			switch {
			case k.feeds(c, a, b):
				return -1
			case k.feeds(c, b, a):
				return 1
			}
			return 0
		})
		for i, r := range c.outs {
			c.shapes[i], _ = k.body.Shape(r)
		}
	}
}

// orderScores puts what attention gives before its scores, which the graph makes first.
func (l *layerCalls) orderScores() {
	if !slices.Contains(attentionClasses, l.class) {
		return
	}
	for _, c := range l.calls {
		if len(c.outs) == 2 {
			slices.Reverse(c.outs)
			slices.Reverse(c.shapes)
		}
	}
}

// feeds reports whether a is among what b is made from, within a call.
func (k *keras3) feeds(c *call, a, b graph.Ref) bool {
	seen := map[*graph.Node]bool{b.Node: true}
	for todo := []*graph.Node{b.Node}; len(todo) > 0; todo = todo[1:] {
		for _, in := range todo[0].Inputs {
			if in == a {
				return true
			}
			if in.Node != nil && !seen[in.Node] && k.scope.owner[in.Node] == c {
				seen[in.Node] = true
				todo = append(todo, in.Node)
			}
		}
	}
	return false
}

// custom reports whether the class is a guess from the layer's name.
func (l *layerCalls) custom() bool {
	return l.class == kerasnames.CamelCase(kerasnames.WithoutNumber(l.name)) && !slices.Contains(kerasnames.Classes, l.class)
}

// fingerprint tells layers of one's own apart by the names of their variables and the types of
// their operations.
func (l *layerCalls) fingerprint() string {
	var marks []string
	for _, v := range l.vars {
		marks = append(marks, v.Name[strings.LastIndexByte(v.Name, '/')+1:])
	}
	for _, n := range l.calls[0].nodes {
		if n.Op == "BatchMatMulV2" {
			marks = append(marks, "MatMul")
		} else if !quietOps[n.Op] {
			marks = append(marks, n.Op)
		}
	}
	slices.Sort(marks)
	return strings.Join(slices.Compact(marks), " ")
}

// row makes the row of a layer.
func (k *keras3) row(l *layerCalls) *Layer {
	last := l.calls[len(l.calls)-1]
	r := &Layer{Name: l.name, Class: l.class, Output: OutputShape{Shapes: last.shapes}}
	r.setWeights(l.vars, func(v *savedmodel.Variable) bool { return k.trainable[v] })
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
	if l.op {
		r.guess("name", "an operation that is no layer has no name in the files; its default name is counted from those that show")
	}
	if !l.sure {
		r.guess("class", k.noClasses()+"; the one shown is what the layer's name and operations suggest")
	}
	return r
}

// noClasses says what kind of file holds no classes of layers.
func (k *keras3) noClasses() string {
	switch {
	case k.mg.Framework == savedmodel.Keras2:
		return "an export of Keras 2 holds no classes"
	case k.savedWhole():
		return "tf.saved_model.save of a Keras 3 model keeps no classes"
	}
	return "an export of Keras 3 holds no classes"
}

// rows fills in the table.
func (k *keras3) rows() {
	if !k.isGraph() {
		k.stackRows()
		return
	}
	k.table.ModelClass = "Functional"
	k.graphRows()
}

// isGraph reports whether the model is a Functional, whose rows are ordered by its graph.
func (k *keras3) isGraph() bool {
	if k.savedWhole() {
		_, functional := k.layerObjects()
		return functional
	}
	return k.prefix == "" && !strings.HasPrefix(k.table.ModelName, "sequential") && k.scope.prefix != ""
}

// What exports lose of every model.
const (
	lostBatch   = "an export leaves the batch axis open, also where the model fixes it"
	lostNothing = "what leaves nothing in these files is not here: a layer that computes nothing, such as a linear Activation, has no row, and connections pass it by; " +
		"a result that nobody takes, such as a state of return_state, has no shape"
)

// noteExport says what an export loses of every model, and takes back guesses about a column that
// is not there.
func (k *keras3) noteExport() {
	for _, r := range k.table.Layers {
		if !k.table.Connected {
			r.unguess("connected_to")
		}
	}
	if !k.savedWhole() {
		k.table.Lost = append(k.table.Lost, lostBatch)
	}
	k.table.Lost = append(k.table.Lost, lostNothing)
}
