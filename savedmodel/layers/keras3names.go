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

// nameModel finds the model's name, and whether the variables' paths begin with it.
func (k *keras3) nameModel() {
	if k.scope.Prefix != "" {
		name, ok := kerasnames.Unique{}.Undo(k.scope.Prefix, k.opens)
		if !ok {
			name = kerasnames.WithoutNumber(k.scope.Prefix)
		}
		k.table.ModelName = name
	}
	votes := map[string]int{}
	for _, c := range k.scope.Calls {
		names := kerasnames.Bases(c.Raw)
		for _, v := range c.Vars {
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
	if k.scope.Depth == 1 && k.prefix != k.table.ModelName {
		k.prefix = "" // a name scope of the user's
	}
	if k.prefix == "" && k.table.ModelName != "" {
		n := 0
		for _, v := range k.weights {
			if strings.HasPrefix(v.Name, k.table.ModelName+"/") {
				n++
			}
		}
		if 2*n > len(k.weights) {
			k.prefix = k.table.ModelName // a model of a custom class: "tower/kernel"
		}
	}
}

// collect names the calls and groups them by layer.
func (k *keras3) collect() {
	used := kerasnames.Unique{}
	var ops []*layerCalls
	for _, c := range k.scope.Calls {
		if c.Op {
			used.Mark(c.Raw)
			l := &layerCalls{op: true, sure: true, calls: []*scopes.Call{c}}
			ops = append(ops, l)
			k.layers = append(k.layers, l)
			continue
		}
		name, once := k.callName(c, used)
		c.Name = k.namesake(name, c)
		l := k.byName[c.Name]
		if l == nil {
			l = &layerCalls{name: c.Name, once: once, read: map[*savedmodel.Variable]bool{}, paths: map[string]bool{}}
			k.byName[c.Name] = l
			k.layers = append(k.layers, l)
		}
		l.calls = append(l.calls, c)
		for _, v := range c.Vars {
			l.read[v], l.paths[v.Name] = true, true
		}
	}
	for _, l := range ops {
		k.nameOperation(l)
	}
}

// namesake returns the key of the layer that c is a call of: of those with its name, the one whose
// variables it reads.
func (k *keras3) namesake(name string, c *scopes.Call) string {
	for i := 0; ; i++ {
		key := namesake(name, i)
		if l := k.byName[key]; l == nil || i == maxNamesakes || !l.isOther(c) {
			return key
		}
	}
}

// maxNamesakes bounds how many layers of one name a call is held against.
const maxNamesakes = 100

// isOther reports whether a call is not one of this layer: it reads no variable of the layer's
// calls, but one of the same path.
func (l *layerCalls) isOther(c *scopes.Call) bool {
	return !slices.ContainsFunc(c.Vars, func(v *savedmodel.Variable) bool { return l.read[v] }) &&
		slices.ContainsFunc(c.Vars, func(v *savedmodel.Variable) bool { return l.paths[v.Name] })
}

// hasNamesake reports whether several layers have the layer's name.
func (k *keras3) hasNamesake(l *layerCalls) bool {
	return k.byName[namesake(shownName(l.name), 1)] != nil
}

// callName returns the name of the layer that c is a call of. Keras 3 opens a layer's scope twice,
// and TensorFlow makes names of scopes unique, so the layer's name has to be found from these
// rules. If a variable's path has the name, that settles it. A scope that looks as if it was opened
// once may be no layer's.
func (k *keras3) callName(c *scopes.Call, used kerasnames.Unique) (name string, once bool) {
	names := kerasnames.Bases(c.Raw)
	within := map[string]bool{} // whether a scope of the name stands within
	var owners []string
	for _, v := range c.Vars {
		name := k.layerOf(v)
		if name == "" || !slices.Contains(names, name) || slices.Contains(owners, name) {
			continue
		}
		if _, asked := within[name]; !asked {
			within[name] = k.holdsScope(c, name)
		}
		if scopes.IsSeed(v) || !within[name] {
			owners = append(owners, name)
		}
	}
	if len(owners) == 1 {
		used.TakeAll(owners[0], k.opens)
		return owners[0], false
	}
	if k.opens == 1 {
		used.Mark(c.Raw)
		return c.Raw, false // in Keras 2 a scope has the layer's name, unless it is called again
	}
	for opens := k.opens; opens > 0; opens-- {
		if name, ok := used.Undo(c.Raw, opens); ok {
			return name, opens < k.opens
		}
	}
	used.Mark(c.Raw)
	return kerasnames.WithoutNumber(c.Raw), false
}

// holdsScope reports whether a scope of the name stands within a call's: then the layer of that
// name is one of a model that is called, whatever the model's own name looks like.
func (k *keras3) holdsScope(c *scopes.Call, name string) bool {
	within := k.scope.Below(c)
	return slices.ContainsFunc(c.Nodes, func(n *graph.Node) bool {
		return len(n.Parts) > within+1 && slices.Contains(kerasnames.Bases(n.Parts[within]), name)
	})
}

// nameOperation gives an operation the class of keras.ops that its TensorFlow op comes from, and
// the class's first default name that is free. Keras numbers operations and layers together.
func (k *keras3) nameOperation(l *layerCalls) {
	c := l.calls[0]
	op := c.Nodes[len(c.Nodes)-1].Op
	class, ok := kerasnames.Operations[op]
	if !ok {
		class = op
	}
	switch base := kerasnames.WithoutNumber(c.Raw); {
	case scopes.Operations[base] != "":
		class = scopes.Operations[base]
	case scopes.Functions[base]:
		class = kerasnames.CamelCase(base)
	}
	l.class = class
	base := kerasnames.SnakeCase(class)
	l.name = k.freeName(base)
	c.Name = l.name
	k.byName[l.name] = l
}

// freeName returns the first default name of a base that no layer has.
func (k *keras3) freeName(base string) string {
	for i := k.numbers[base]; ; i++ {
		if name := numbered(base, i); k.byName[name] == nil {
			k.numbers[base] = i
			return name
		}
	}
}

// numbered returns the i-th of the names that Keras makes of a base: "dense", "dense_1", …
func numbered(base string, i int) string {
	if i == 0 {
		return base
	}
	return base + "_" + strconv.Itoa(i)
}
