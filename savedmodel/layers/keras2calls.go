package layers

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// network is one model of known layers: the whole, or one nested in it.
type network struct {
	k          *keras2
	id         int // in the object graph, -1 when not found
	config     *ModelConfig
	sequential bool
	functional bool
	subclassed bool
	scope      *scopes.Scope  // of the serving function, or nil
	inputs     []tensor.Shape // what the model is called with, as far as known
	// inner says that the model is nested in another. Then inputs are in the order of its input
	// layers.
	inner bool
	// relaxed says that the shapes are those of a nested stack's own input. Keras 2 opens the sizes
	// of that in which calls differ, and prints what follows; its functions are of one call.
	relaxed bool
	rows    []*Layer
	steps   []*step
	byName  map[string]*Layer
	objects map[string]int           // by layer name
	configs map[string]*LayerConfig  // by layer name
	outs    map[string][]OutputShape // of each call of a layer
	// skip is how many nodes of a nested model stand before its first call.
	skip   map[string]int
	called map[string][]*scopes.Call // in the graph
	// unordered are layers whose results may stand in the graph in another order than that in which
	// the layer gives them.
	unordered map[string]bool
	inbound   map[string][][]inbound // what each call of a layer takes
	// file is set where the config stands in one of Keras' own files: there is no graph, but the
	// layers have their variables, and known has the shapes of tensors that the calls name.
	file  *configFile
	known map[inbound]tensor.Shape
	made  map[madeBy][]inbound         // the keys of known
	nodes map[string][]json.RawMessage // the calls of each layer, as the config has them
	// inputName and inputDType are those of a stack's input layer.
	inputName  string
	inputDType tensor.DType
	// never says that a stack of Keras 3 was never built.
	never bool
}

// v3 reports whether Keras 3 wrote the config.
func (n *network) v3() bool { return n.file != nil && n.file.v3 }

// findInbound notes what each layer is called with.
func (n *network) findInbound(names []string) {
	n.nodes = map[string][]json.RawMessage{}
	for _, name := range names {
		cfg := n.configs[name]
		if cfg == nil {
			continue
		}
		if !n.sequential { // a shared layer has its calls in another model there
			n.nodes[name], n.inbound[name] = cfg.calls().nodes, cfg.calls().tensors
		}
		if m := cfg.Model(); m != nil && !n.v3() && m.beginsWithInput() {
			n.skip[name] = 1
		}
	}
	if n.file != nil {
		n.findTensors()
	}
}

// findTensors notes the shapes of the tensors that calls name, and the model's outputs, whose
// shapes are not in the config.
func (n *network) findTensors() {
	n.known, n.made = maps.Clone(n.config.takes()), map[madeBy][]inbound{}
	for _, t := range layerTensors(n.config.OutputLayers) {
		t.node -= n.own(t.layer)
		if _, ok := n.known[t]; !ok {
			n.known[t] = tensor.UnknownShape()
		}
	}
	for t := range n.known {
		by := madeBy{t.layer, n.callOf(t)}
		n.made[by] = append(n.made[by], t)
	}
}

// madeBy is one call of a layer.
type madeBy struct {
	layer string
	call  int
}

// findLayers returns the names of the layers in the summary's order.
func (n *network) findLayers() []string {
	n.objects, n.configs = map[string]int{}, map[string]*LayerConfig{}
	again := map[string]int{} // how often a name is there once more
	var fromObjects []string
	for _, id := range n.k.layerObjects(n.id) {
		name := "?" + strconv.Itoa(id)
		o := n.k.meta[id]
		if o != nil {
			name = o.Name
		} else if traced, _ := n.k.trace(id); traced != "" {
			name = traced
		}
		if _, ok := n.objects[name]; ok && n.subclassed {
			again[name]++
			name = namesake(name, again[name])
		}
		if o != nil {
			n.configs[name] = &LayerConfig{Name: name, ClassName: o.ClassName, Config: o.Config}
		}
		if _, ok := n.objects[name]; !ok {
			fromObjects = append(fromObjects, name)
		}
		n.objects[name] = id
	}
	if len(n.config.Layers) == 0 || !n.sequential && !n.functional {
		return fromObjects
	}
	n.nameByObjects(fromObjects)
	var names []string
	seen := map[string]bool{}
	for i := range n.config.Layers {
		l := &n.config.Layers[i]
		if !seen[l.Name] {
			seen[l.Name] = true
			names = append(names, l.Name)
		}
		n.configs[l.Name] = l
	}
	return names
}

// nameByObjects gives the layers whose configuration leaves the name out, as that of a Sequential
// does of layers that were saved without one, the names of their objects: Keras loads those under
// the names in their metadata. The objects are in the order of the layers.
func (n *network) nameByObjects(names []string) {
	used := map[string]bool{}
	for i := range n.config.Layers {
		if l := &n.config.Layers[i]; !l.Unnamed {
			used[l.Name] = true
		}
	}
	free := map[string][]string{} // by class
	for _, name := range names {
		if o := n.configs[name]; o != nil && !used[name] {
			free[o.Class()] = append(free[o.Class()], name)
		}
	}
	for i := range n.config.Layers {
		l := &n.config.Layers[i]
		if list := free[l.Class()]; l.Unnamed && len(list) > 0 {
			l.Name, l.Unnamed, free[l.Class()] = list[0], false, list[1:]
		}
	}
}

// findStacks notes which layers are Sequentials: of a subclass only its object says so.
func (n *network) findStacks() {
	for name, id := range n.objects {
		if cfg := n.configs[name]; cfg != nil && n.k.objs.Nodes[id].GetUserObject().GetIdentifier() == stackObject {
			cfg.stack = true
		}
	}
}

// findCalls matches the calls in the graph to the layers' names. Keras 2 opens one name scope for
// each call.
func (n *network) findCalls(names []string) {
	n.called = map[string][]*scopes.Call{}
	if n.scope == nil {
		return
	}
	left := map[string]int{} // the calls of each layer that are still to be found
	for _, name := range names {
		left[name] = 1
		if cfg := n.configs[name]; cfg != nil {
			left[name] = max(1, len(cfg.calls().tensors))
		}
	}
	used := kerasnames.Unique{}
	for _, c := range n.scope.Calls {
		c.Name = callName(c, left, used)
		left[c.Name]--
		if _, several := n.objects[namesake(c.Name, 1)]; !several { // whose calls share one scope
			n.called[c.Name] = append(n.called[c.Name], c)
		}
	}
	n.orderResults()
}

// orderResults brings the results of calls into the order in which the layer's own function gives
// them: the graph has them in the order in which it made them.
func (n *network) orderResults() {
	n.unordered = map[string]bool{}
	for name, calls := range n.called {
		id, ok := n.objects[name]
		for _, c := range calls {
			if !ok || len(c.Outs) < 2 {
				continue
			}
			_, traced := n.k.trace(id)
			places, sure := matchShapes(traced, c.Shapes)
			n.unordered[name] = n.unordered[name] || !sure
			if places == nil {
				continue
			}
			outs, shapes := slices.Clone(c.Outs), slices.Clone(c.Shapes)
			for i, p := range places {
				c.Outs[i], c.Shapes[i] = outs[p], shapes[p]
			}
		}
	}
}

// matchShapes finds for each wanted shape the place of a shape in have that agrees with it, no
// place twice. It returns nil where some shape has no match. sure is false where there are other
// ways to match.
func matchShapes(want, have []tensor.Shape) (places []int, sure bool) {
	if len(want) != len(have) {
		return nil, false
	}
	sure = true
	taken := make([]bool, len(have))
	for _, w := range want {
		place := -1
		for i, h := range have {
			switch {
			case taken[i] || !alike(w, h):
			case place < 0:
				place = i
			case !have[place].Equal(h):
				sure = false
			}
		}
		if place < 0 {
			return nil, false
		}
		taken[place] = true
		places = append(places, place)
	}
	return places, sure
}

// callName returns the name of the layer that c is a call of. It is the name in the path of a
// variable, else that of a layer that is still to be called and whose scope may have such a name.
func callName(c *scopes.Call, left map[string]int, used kerasnames.Unique) string {
	owners := map[string]bool{}
	names := kerasnames.Bases(c.Raw)
	for _, v := range c.Vars {
		for _, part := range strings.Split(v.Name, "/") {
			if _, known := left[part]; known && slices.Contains(names, part) {
				owners[part] = true
			}
		}
	}
	if len(owners) == 1 {
		for name := range owners {
			used.Take(name)
			return name
		}
	}
	if left[c.Raw] > 0 && used[strings.ToLower(c.Raw)] == 0 {
		used.Take(c.Raw)
		return c.Raw
	}
	if name, ok := used.Undo(c.Raw, 1); ok && left[name] > 0 {
		return name
	}
	for _, name := range names {
		if _, known := left[name]; known {
			return name
		}
	}
	return c.Raw
}

// class returns a layer's class: from the metadata, or as its name and its operations suggest.
func (n *network) class(name string) string {
	if cfg := n.configs[name]; cfg != nil && cfg.ClassName != "" {
		return cfg.Class()
	}
	if id, ok := n.objects[name]; ok && n.k.objs.Nodes[id].GetUserObject().GetIdentifier() == inputObject {
		return "InputLayer"
	}
	if calls := n.called[name]; len(calls) > 0 {
		class, _ := scopes.Classify(n.scope, calls[0], name, calls[0].Vars)
		return class
	}
	class, _ := kerasnames.ClassOf(name)
	return class
}

// callsOf returns how often a layer is called: once where the config does not say.
func (n *network) callsOf(name string) int { return max(1, len(n.inbound[name])) }

// ruleClass returns the class whose rule a layer follows. An operation of Keras 3 does not follow
// the rule of the layer class that has its name.
func (n *network) ruleClass(l *Layer) string {
	if cfg := n.configs[l.Name]; n.v3() && cfg != nil && cfg.IsOperation() {
		return rules.OperationPrefix + l.Class
	}
	return l.Class
}

// callConfig returns a layer's config together with the arguments of call i that are no tensors.
func (n *network) callConfig(l *Layer, i int) rules.Config {
	nodes := n.nodes[l.Name]
	if l.info.config == nil || i >= len(nodes) || !n.callMatters(l) {
		return l.info.config
	}
	return l.info.config.WithCall(nodes[i])
}

// connections fills in what each layer is connected to.
func (n *network) connections() {
	foreign := map[string]bool{} // layers whose calls in the config are those of another model
	for _, l := range n.rows {
		for _, tensors := range n.inbound[l.Name] {
			for _, t := range tensors {
				foreign[l.Name] = foreign[l.Name] || n.byName[t.layer] == nil
			}
		}
	}
	for _, l := range n.rows {
		if slices.ContainsFunc(n.nodes[l.Name], byName) {
			l.guess("connected_to", whyByName)
		}
		l.ConnectedTo = []string{}
		for _, tensors := range n.inbound[l.Name] {
			if len(tensors) == 0 && n.file == nil { // tf.einsum's, which its arguments leave out
				l.guess("connected_to", whyNothing)
			}
			for _, t := range tensors {
				l.ConnectedTo = append(l.ConnectedTo, connection(t.layer, n.shownNode(t), t.tensor))
				cfg := n.configs[t.layer]
				switch {
				case foreign[l.Name] || foreign[t.layer]:
					l.guess("connected_to", whyForeign)
				case cfg == nil:
				case n.file == nil && n.k.several[cfg]:
					l.guess("connected_to", whySeveral)
				case cfg.UnsureCalls != "" && n.k.first[cfg] > 0:
					l.guess("connected_to", cfg.UnsureCalls)
				}
			}
		}
	}
}

const whyByName = "whether arguments were given by position or by name, by which Keras would sort them, is not in the file"

const whySeveral = "a layer that several models call is numbered as Keras does when it loads the model: that of nested ones first; which was called first when it was made is not in the file"

const whyForeign = "the configuration has the calls that another model makes of the layer, not this one's"

// shownNode returns the number that Keras prints for the call that gave a tensor.
func (n *network) shownNode(t inbound) int {
	node := n.callOf(t)
	if cfg := n.configs[t.layer]; cfg != nil {
		node += n.k.first[cfg]
	}
	return node
}

// callOf returns the number of the call, within this model, that gave a tensor. Keras 3.0 numbers
// the calls of a layer through all models that have it.
func (n *network) callOf(t inbound) int {
	node := t.node - n.skip[t.layer]
	if cfg := n.configs[t.layer]; n.file != nil && cfg != nil && node >= n.callsOf(t.layer) {
		if within := node - n.k.first[cfg]; within >= 0 {
			return within
		}
	}
	return node
}

// own returns 1 for a Functional model of Keras 3: among the outputs of the model around it, its
// calls are counted from 1.
func (n *network) own(layer string) int {
	if cfg := n.configs[layer]; n.v3() && cfg != nil {
		if m := cfg.Model(); m != nil && !m.Sequential() {
			return 1
		}
	}
	return 0
}

// connection writes a connection as Keras does.
func connection(layer string, node, tensor int) string {
	return layer + "[" + strconv.Itoa(node) + "][" + strconv.Itoa(tensor) + "]"
}

// chain reports whether the layers form a chain: one input, each layer called once with the one
// before. Then Keras prints no connections.
func (n *network) chain() bool {
	previous := ""
	for i, l := range n.rows {
		calls := n.inbound[l.Name]
		switch {
		case l.Class == "InputLayer":
			if i > 0 {
				return false
			}
		case len(calls) != 1 || len(calls[0]) != 1 || calls[0][0].layer != previous:
			return false
		}
		previous = l.Name
	}
	return true
}

// callMatters reports whether the shapes that a layer gives depend on more of a call than its
// tensors.
func (n *network) callMatters(l *Layer) bool {
	return givesScores[l.Class] || l.Class == "ReversibleEmbedding" || strings.HasSuffix(l.Class, "OpLambda") || strings.HasPrefix(n.ruleClass(l), rules.OperationPrefix)
}
