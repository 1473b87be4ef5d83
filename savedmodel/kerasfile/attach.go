package kerasfile

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// object gives the layers of a model the variables below the object that holds them. Keras walks
// through the layers in their order and names each after its class and a number; one that it met
// before has no place of its own.
func (a *attacher) object(m *layers.ModelConfig, o *object, trainable bool) {
	twice := false
	if o != nil {
		if o, twice = o.layers(); twice {
			twice = leftBy(m, o, true) < leftBy(m, o, false)
		}
	}
	used, places := map[string]int{}, a.places(m, o)
	for i := range m.Layers {
		l := &m.Layers[i]
		if l.IsOperation() || m.Sequential() && l.Class() == "InputLayer" {
			continue
		}
		base := kerasnames.SnakeCase(l.Class())
		_, kind := cutNumber(base)
		if before := a.byID[string(l.SharedID)]; before != nil && a.keras2 {
			places[kind]++
			copyVariables(l, before)
			continue
		}
		if before := a.byName[l.ClassName+" "+l.Name]; before != nil && places[kind] < 0 && (len(l.SharedID) > 0 || bytes.Equal(l.Config, before.Config)) {
			places[kind]++
			a.again(l, before)
			continue
		}
		name := unique(base, used)
		var child *object
		if o != nil {
			child = o.children[name]
			if child != nil && l.Unnamed && child.name != "" {
				l.Name = child.name
			}
			if named := o.called(l.Name); named != nil && (child == nil || child.name != l.Name) {
				child = named
			}
		}
		if child == nil {
			child = a.elsewhere(l)
		}
		a.layer(l, child, trainable)
		if twice && (child != nil && !child.empty() || child == nil && len(l.Variables) > 0) {
			unique(kerasnames.SnakeCase(l.Class()), used)
		}
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if _, kind := cutNumber(kerasnames.SnakeCase(l.Class())); places[kind] < 0 && (!l.Builtin() || ownsSome(l.Class()) || holdsLayers(l.Class())) {
			a.doubt(l.Name, whyMisplaced)
		}
	}
}

// places returns, by the name of a class in snake case, how many objects more than layers of the
// class there are at a model's: less than none where Keras 2 has saved a layer with a model before.
func (a *attacher) places(m *layers.ModelConfig, o *object) map[string]int {
	more := map[string]int{}
	if o == nil || !a.keras2 {
		return more
	}
	for _, name := range o.names {
		_, base := cutNumber(name)
		more[base]++
	}
	for i := range m.Layers {
		_, base := cutNumber(kerasnames.SnakeCase(m.Layers[i].Class()))
		more[base]--
	}
	return more
}

// leftBy counts the objects of layers that no layer of a model is called by, where the numbers of
// those with weights go up by one or by two.
func leftBy(m *layers.ModelConfig, o *object, twice bool) int {
	used, met := map[string]int{}, map[string]bool{}
	for i := range m.Layers {
		l := &m.Layers[i]
		if m.Sequential() && l.Class() == "InputLayer" {
			continue
		}
		base := kerasnames.SnakeCase(l.Class())
		name := unique(base, used)
		met[name] = true
		if child := o.children[name]; twice && child != nil && !child.empty() {
			unique(base, used)
		}
	}
	left := 0
	for _, name := range o.names {
		if !met[name] {
			left++
		}
	}
	return left
}

// layers returns the object that holds a model's layers. Keras 2.12 to 2.14 has another name for
// it; the first of these list there the layers with weights twice, so that their numbers go up by
// two.
func (o *object) layers() (list *object, twice bool) {
	if list = o.children["layers"]; list != nil {
		return list, false
	}
	list = o.children["_layer_checkpoint_dependencies"]
	return list, list != nil
}

// called returns the only child that stands for an object of a name.
func (o *object) called(name string) *object {
	if o.byName == nil {
		o.byName = map[string]*object{}
		for _, child := range o.names {
			c := o.children[child]
			if _, twice := o.byName[c.name]; twice {
				c = nil
			}
			o.byName[o.children[child].name] = c
		}
	}
	if name == "" {
		return nil
	}
	return o.byName[name]
}

// layer gives one layer its variables.
func (a *attacher) layer(l *layers.LayerConfig, o *object, trainable bool) {
	own := a.trainableIn(trainable) && l.Trains()
	inner := l.Model()
	if o == nil || inner == nil && o.empty() {
		before := a.byID[string(l.SharedID)]
		if before == nil {
			before = a.byName[l.ClassName+" "+l.Name]
		}
		if before != nil {
			a.again(l, before)
			return
		}
	}
	if id := string(l.SharedID); id != "" && id != "null" {
		a.byID[id] = l
	}
	if inner != nil {
		a.object(inner, o, trainable)
	} else if o != nil {
		a.own(l, o, own)
		if !l.Builtin() {
			a.ownLayers = append(a.ownLayers, ownLayer{l, o})
		}
	}
	if o != nil {
		a.byName[l.ClassName+" "+l.Name] = l
	}
}

// again gives a layer what it has at another place of the same object.
func (a *attacher) again(l, before *layers.LayerConfig) {
	copyVariables(l, before)
	if string(l.SharedID) != string(before.SharedID) { // the first place may lack it
		before.SharedID = l.SharedID
	}
}

// empty reports whether there are no variables at and below an object.
func (o *object) empty() bool {
	for _, child := range o.names {
		if !o.children[child].empty() {
			return false
		}
	}
	return len(o.vars) == 0
}

// copyVariables gives a layer the variables of another place of the same object.
func copyVariables(l, from *layers.LayerConfig) {
	if bytes.Equal(l.Config, from.Config) || string(l.SharedID) != "" {
		l.Variables = from.Variables
	}
	m, n := l.Model(), from.Model()
	if m == nil || n == nil || len(m.Layers) != len(n.Layers) {
		return
	}
	for i := range m.Layers {
		copyVariables(&m.Layers[i], &n.Layers[i])
	}
}

// own gives a layer the variables at and below its object.
func (a *attacher) own(l *layers.LayerConfig, o *object, trainable bool) {
	p, others := partOf(l), len(a.vars) > 0
	if !p.sure {
		a.unite(l.Name, o.vars)
	}
	if !a.collect(l, o, l.Name, p, trainable) && trainable {
		l.Unsure = whyOwnVariables
	}
	if p.unfit(l.Variables) {
		a.doubt(l.Name, whyMisplaced)
	}
	if sure := p.sure && !ownWithin(p.config, 0); a.borrow(l, p.config, 0) && !sure {
		a.doubt(l.Name, whyBorrowed)
	} else if others && !sure {
		a.doubt(l.Name, whyShares)
	}
	a.wraps(l, p)
	a.openSizes(l, p)
	a.doubtFrozen(l, trainable)
}

// doubtFrozen marks a layer that was frozen before Keras 3.2, which trains the variables all the
// same of a layer that was made so, or loaded.
func (a *attacher) doubtFrozen(l *layers.LayerConfig, trainable bool) {
	if !a.keras2 && a.minor < 2 && !trainable && len(l.Variables) > 0 {
		l.Unsure = whyFrozen
	}
}

// unfit reports whether a variable is not as wide as the configuration of its layer says: then the
// variables are another layer's, or another model's.
func (p part) unfit(vars []*savedmodel.Variable) bool {
	if !p.sure || p.quantization() != "" {
		return false
	}
	if q, ok := serialized(p.config["layer"]); ok { // of a wrapper
		back, _ := serialized(p.config["backward_layer"])
		backward := func(v *savedmodel.Variable) bool { return strings.Contains(v.Name, "/backward_layer/") }
		ahead := slices.DeleteFunc(slices.Clone(vars), backward)
		return q.unfit(ahead) || back.unfit(slices.DeleteFunc(slices.Clone(vars), func(v *savedmodel.Variable) bool { return !backward(v) }))
	}
	w := kerasnames.Widths[p.class]
	n, ok := p.config[w.Key].(float64)
	for _, v := range vars {
		if at := v.Shape.Rank() - w.Behind; ok && shortName(v.Name) == w.Variable {
			return at >= 0 && v.Shape.Rank() > 1 && v.Shape.Dim(at) != int64(n)
		}
	}
	return false
}

// openSizes gives variables whose size Keras 2 leaves open, and of which its summary therefore
// counts nothing, that shape: what adapt noted for a Discretization, and what entries of a
// vocabulary weigh. With a vocabulary that was adapted goes the number of documents, which no file
// keeps.
func (a *attacher) openSizes(l *layers.LayerConfig, p part) {
	switch {
	case !a.keras2 || !p.sure:
	case p.class == "Discretization" && len(l.Variables) == 1:
		l.Variables[0].Shape = tensor.MakeShape(2, tensor.Unknown)
	case p.config["output_mode"] == "tf_idf" && slices.Contains([]string{"TextVectorization", "StringLookup", "IntegerLookup"}, p.class):
		for _, v := range l.Variables {
			v.Shape, v.Trainable = tensor.MakeShape(tensor.Unknown), false
		}
		if p.config["vocabulary"] == nil {
			l.Variables = append(l.Variables, &savedmodel.Variable{ID: -1, Name: l.Name + "/num_documents", DType: tensor.Int64, Shape: tensor.MakeShape()})
		}
		l.Unsure = ""
	}
}

// collect adds the variables of an object and of those below it, under a name. It reports whether
// it is known of all of them if training changes them.
func (a *attacher) collect(l *layers.LayerConfig, o *object, name string, p part, trainable bool) bool {
	sure, first := true, len(l.Variables)
	if !o.isSeed() {
		names := p.names(len(o.vars))
		for i, v := range o.vars {
			if nameOf(names, i) == kernelAgain || !a.keras2 && strings.HasSuffix(v.Key, "/idf_weights") {
				a.uncounted[v] = true
				continue // Keras 3 keeps what a vocabulary weighs, and counts it nowhere
			}
			sure = sure && (p.sure || i < len(names) || !v.DType.IsFloat())
			short := nameOf(names, i)
			l.Variables = append(l.Variables, a.variable(v, name+"/"+short, trainable && p.trains(short, v.DType)))
		}
		factors, known := p.lowRank(l.Variables[first:], a.minor, trainable)
		if l.Variables = append(l.Variables, factors...); !known {
			a.doubt(l.Name, whyMisplaced)
		}
	}
	if m := p.model(); m != nil {
		a.object(m, o, trainable)
		for i := range m.Layers {
			l.Variables = append(l.Variables, m.Layers[i].Variables...)
		}
		return sure
	}
	for _, child := range o.names {
		c := o.children[child]
		within := p.within(child, c)
		trains := trainable && within.config["trainable"] != false
		if said, ok := within.config["trainable"].(bool); ok && within.serialized && !a.keras2 {
			trains = said
		} else if !a.keras2 && !trainable && !c.empty() {
			l.Unsure = whyFrozen
		}
		sure = a.collect(l, c, name+"/"+child, within, trains) && sure
	}
	return sure
}

// isSeed reports whether an object is the state of random numbers, which is no weight.
func (o *object) isSeed() bool {
	if len(o.vars) != 1 || o.vars[0].DType != tensor.Uint32 && o.vars[0].DType != tensor.Int64 {
		return false
	}
	last := o.path[strings.LastIndexByte(o.path, '/')+1:]
	return o.vars[0].Shape.Equal(tensor.MakeShape(2)) && (strings.HasPrefix(o.name, "seed_generator") || last == "seed_generator" || o.vars[0].DType == tensor.Uint32)
}

// unique numbers the second and later uses of a name.
func unique(name string, used map[string]int) string {
	n, ok := used[name]
	if !ok {
		used[name] = 0
		return name
	}
	used[name] = n + 1
	return name + "_" + strconv.Itoa(n+1)
}

// lists gives the layers of a model the variables that the older layout lists for each.
func (a *attacher) lists(m *layers.ModelConfig, list []legacyLayer, trainable bool) {
	byName := map[string][]*Variable{}
	names := make([]string, len(list))
	for i, l := range list {
		byName[l.name], names[i] = l.vars, l.name
	}
	nameUnnamed(m, names)
	for i := range m.Layers {
		l := &m.Layers[i]
		a.inListed = map[string]*layers.LayerConfig{}
		a.listed(l, byName[l.Name], trainable)
	}
}

// nameUnnamed gives the layers of a stack without a name those of the list that no other layer has,
// in order: all layers, or those of a class, of which there are as many. It returns the names that
// stay made up.
func nameUnnamed(m *layers.ModelConfig, list []string) (madeUp map[string]bool) {
	named := map[string]bool{}
	var unnamed []*layers.LayerConfig
	for i := range m.Layers {
		if l := &m.Layers[i]; l.Unnamed {
			unnamed = append(unnamed, l)
		} else {
			named[l.Name] = true
		}
	}
	free := slices.DeleteFunc(slices.Clone(list), func(name string) bool { return named[name] })
	madeUp = map[string]bool{}
	give := func(unnamed []*layers.LayerConfig, names []string) {
		for i, l := range unnamed {
			if len(names) == len(unnamed) && m.Sequential() {
				l.Name = names[i]
			} else {
				madeUp[l.Name] = true
			}
		}
	}
	if len(free) == len(unnamed) {
		give(unnamed, free)
		return madeUp
	}
	ofClass := map[string][]*layers.LayerConfig{}
	for _, l := range unnamed {
		class := kerasnames.SnakeCase(l.Class())
		ofClass[class] = append(ofClass[class], l)
	}
	byClass := map[string][]string{} // by the class of which Keras gives a name
	for _, name := range free {
		byClass[name] = append(byClass[name], name)
		if class := kerasnames.WithoutNumber(name); class != name {
			byClass[class] = append(byClass[class], name)
		}
	}
	for class, of := range ofClass {
		give(of, byClass[class])
	}
	return madeUp
}

// partNames returns the names of what is in a model that its variables bear, in order: the first
// part of each, or the one after the model's own name.
func partNames(model string, vars []*Variable) []string {
	var names []string
	seen := map[string]bool{}
	for _, v := range vars {
		parts := strings.Split(v.Name, "/")
		if i := slices.Index(parts, model); i >= 0 {
			parts = parts[i+1:]
		}
		if len(parts) > 1 && !seen[parts[0]] {
			seen[parts[0]] = true
			names = append(names, parts[0])
		}
	}
	return names
}

// listed gives one layer its variables, and those of a nested model to the layers within it.
func (a *attacher) listed(l *layers.LayerConfig, vars []*Variable, trainable bool) {
	id := string(l.SharedID)
	if before := a.byID[id]; before != nil {
		copyVariables(l, before)
		for _, v := range vars {
			a.uncounted[v] = true
		}
		return
	}
	if id != "" && id != "null" {
		a.byID[id] = l
	}
	// The list of a model has each variable once.
	key := l.ClassName + " " + l.Name
	if before := a.inListed[key]; len(vars) == 0 && before != nil && bytes.Equal(l.Config, before.Config) && len(variablesOf(before, nil, 0)) > 0 {
		a.joinPlaces(l, before)
		copyVariables(l, before)
		return
	}
	a.inListed[key] = l
	own := a.trainableIn(trainable) && l.Trains()
	inner := l.Model()
	if inner == nil {
		a.ownList(l, vars, own)
		a.sameObject(l)
		return
	}
	parts := make([][]*Variable, len(inner.Layers))
	owners := map[string]int{}
	madeUp := nameUnnamed(inner, partNames(l.Name, vars))
	for i := range inner.Layers {
		namesWithin(&inner.Layers[i], i, owners, madeUp, 0)
	}
	var unowned []*Variable
	for _, v := range vars {
		if i, ok := ownerOf(owners, v.Name); ok {
			parts[i] = append(parts[i], v)
		} else {
			unowned = append(unowned, v)
		}
	}
	// Code of one's own may name variables after no layer of the model.
	var mayOwn []int
	for i := range inner.Layers {
		if c := &inner.Layers[i]; len(unowned) > 0 && !c.Builtin() && c.Model() == nil {
			mayOwn = append(mayOwn, i)
			a.doubt(c.Name, whyMisplaced)
		}
	}
	if len(mayOwn) == 1 {
		parts[mayOwn[0]] = append(parts[mayOwn[0]], unowned...)
		unowned = nil
	}
	if len(unowned) > 0 { // Keras before 3.3 leaves the names of layers out
		for i := range inner.Layers {
			if len(parts[i]) == 0 {
				a.mayLack(&inner.Layers[i], 0)
			}
		}
	}
	if own && len(mayOwn) > 0 && len(unowned) > 0 {
		l.Unsure = whyOwnVariables
	}
	for _, v := range unowned {
		l.Variables = append(l.Variables, a.variable(v, v.Name, own))
	}
	for i := range inner.Layers {
		a.listed(&inner.Layers[i], parts[i], trainable)
	}
	a.sameObject(l)
}

// mayLack notes layers of Keras' own that have variables as those of which it is not known which.
func (a *attacher) mayLack(l *layers.LayerConfig, depth int) {
	if m := l.Model(); m != nil && depth < maxDepth {
		for i := range m.Layers {
			a.mayLack(&m.Layers[i], depth+1)
		}
	} else if l.Builtin() && (ownsSome(l.Class()) || holdsLayers(l.Class())) {
		a.doubt(l.Name, whyMisplaced)
	}
}

// namesWithin notes the names of a layer, and of those within it, as those of layer i. Names that
// are made up are not those of variables.
func namesWithin(l *layers.LayerConfig, i int, owners map[string]int, madeUp map[string]bool, depth int) {
	if _, taken := owners[l.Name]; !taken && !madeUp[l.Name] {
		owners[l.Name] = i
	}
	if m := l.Model(); m != nil && depth < maxDepth {
		for k := range m.Layers {
			namesWithin(&m.Layers[k], i, owners, nil, depth+1)
		}
	}
}

// ownerOf returns the layer of a nested model that a variable belongs to: the one whose name stands
// last in the variable's. Names of layers may hold slashes.
func ownerOf(owners map[string]int, name string) (int, bool) {
	parts := strings.Split(name, "/")
	parts = parts[max(0, len(parts)-maxDepth):]
	for end := len(parts) - 1; end > 0; end-- {
		for start := range end {
			if i, ok := owners[strings.Join(parts[start:end], "/")]; ok {
				return i, true
			}
		}
	}
	return 0, false
}

// ownList gives a layer that is no model its variables.
func (a *attacher) ownList(l *layers.LayerConfig, vars []*Variable, trainable bool) {
	p := partOf(l)
	if !a.keras2 && !trainable && len(vars) > 0 && (!p.sure || holdsLayers(p.class)) {
		l.Unsure = whyFrozen
	}
	replaced := map[string]bool{} // the kernels in whose place low-rank factors are trained
	for _, v := range vars {
		if path, name := splitName(v.Name); strings.HasPrefix(name, "lora_") {
			name = strings.TrimPrefix(name, "lora_")
			replaced[path+name[:max(0, strings.LastIndexByte(name, '_'))]] = true
		}
	}
	frozen := map[string]bool{}
	frozenWithin(p.config, frozen, 0)
	if inner, ok := serialized(p.config["layer"]); ok && p.class != "Bidirectional" && inner.config["trainable"] == false {
		trainable = false // the names of Keras 2's variables may lack the layer's
	}
	for _, v := range vars {
		path, short := splitName(v.Name)
		trains := trainable && p.trains(short, v.DType) && !replaced[path+short] &&
			!(len(frozen) > 0 && slices.ContainsFunc(strings.Split(v.Name, "/"), func(name string) bool { return frozen[name] }))
		l.Variables = append(l.Variables, a.variable(v, v.Name, trains))
	}
	a.openSizes(l, p)
	a.doubtFrozen(l, trainable)
	if !p.sure && a.layerScopes(l.Name, vars).holds() {
		a.maybeModels = append(a.maybeModels, l.Name)
	}
	if trainable && len(vars) > 0 && (!p.sure || ownWithin(p.config, 0)) {
		l.Unsure = whyOwnVariables
	}
}

// ownWithin reports whether a layer's configuration has that of a layer of a class of one's own.
func ownWithin(config map[string]any, depth int) bool {
	for _, key := range []string{"layer", "backward_layer", "cell"} {
		if within, ok := serialized(config[key]); ok && depth < maxDepth && (!within.sure || ownWithin(within.config, depth+1)) {
			return true
		}
	}
	cells, _ := config["cells"].([]any)
	return slices.ContainsFunc(cells, func(v any) bool {
		cell, ok := serialized(v)
		return ok && (!cell.sure || depth < maxDepth && ownWithin(cell.config, depth+1))
	})
}

// holdsLayers reports whether layers of a class have others within, with variables of their own. Of
// a plain recurrent layer the cell is made with the layer's configuration.
func holdsLayers(class string) bool {
	return strings.HasPrefix(class, "ConvLSTM") || strings.HasSuffix(class, "Attention") ||
		slices.Contains([]string{"Bidirectional", "TimeDistributed", "SpectralNormalization", "RNN"}, class)
}

// frozenWithin notes the names of the layers in a layer's configuration that training leaves alone,
// such as the forward layer of a Bidirectional.
func frozenWithin(config any, names map[string]bool, depth int) {
	if depth > maxDepth {
		return
	}
	switch config := config.(type) {
	case map[string]any:
		if name, _ := config["name"].(string); depth > 0 && config["trainable"] == false {
			names[name] = true
		}
		for _, v := range config {
			frozenWithin(v, names, depth+1)
		}
	case []any:
		for _, v := range config {
			frozenWithin(v, names, depth+1)
		}
	}
}
