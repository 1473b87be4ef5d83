package kerasfile

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// What layers share. Keras saves an object once, below the first layer that it finds it with, and
// counts it in the row of each.

// The reasons why a number of parameters is not certain.
const (
	whyMisplaced = "the file does not say for certain which variables are the layer's: they bear other names, or do not fit its configuration"
	whyElsewhere = "the file has the layer's variables with another layer, which holds it too: they are found by the layer's name"
	whyBorrowed  = "its configuration holds a layer whose variables the file has elsewhere: they are counted here as well"
	whyShares    = "a class of one's own may hold layers or variables that stand in other rows too, such as a tied table: the file has those once, elsewhere, and they are not counted here"
)

// elsewhere returns the object of a layer of Keras' own that has none among its model's, by its
// name, which Keras 3 writes; nil where there is none, or several.
func (a *attacher) elsewhere(l *layers.LayerConfig) *object {
	if a.keras2 || l.Model() != nil || !l.Builtin() || !ownsSome(l.Class()) || partOf(l).built == nil || a.met(l) != nil {
		return nil
	}
	found := a.root.named(l.Name, nil)
	if len(found) != 1 {
		a.doubt(l.Name, whyMisplaced)
		return nil
	}
	a.doubt(l.Name, whyElsewhere)
	return found[0]
}

// met returns the place of a layer that has its variables.
func (a *attacher) met(l *layers.LayerConfig) *layers.LayerConfig {
	if before := a.byID[string(l.SharedID)]; before != nil {
		return before
	}
	return a.byName[l.ClassName+" "+l.Name]
}

// named adds the objects at and below o that bear a name and have variables of their own.
func (o *object) named(name string, found []*object) []*object {
	if o.name == name && len(o.vars) > 0 {
		found = append(found, o)
	}
	for _, child := range o.names {
		found = o.children[child].named(name, found)
	}
	return found
}

// borrow gives a layer the variables of the layers that its configuration holds and that the file
// has elsewhere: Keras gives an object that it writes twice a number, though not always at the
// first place. It reports whether there are any.
func (a *attacher) borrow(l *layers.LayerConfig, config any, depth int) (borrowed bool) {
	if depth > maxDepth {
		return false
	}
	switch config := config.(type) {
	case []any:
		for _, v := range config {
			borrowed = a.borrow(l, v, depth+1) || borrowed
		}
	case map[string]any:
		if id, ok := config["shared_object_id"].(float64); ok {
			key, name := strconv.FormatFloat(id, 'f', -1, 64), classAndName(config)
			if from := cmp.Or(a.byID[key], a.byName[name], a.wrapped[name]); from != nil && from != l {
				for _, v := range variablesOf(from, nil, 0) {
					if !slices.Contains(l.Variables, v) {
						l.Variables, borrowed = append(l.Variables, v), true
					}
				}
				return borrowed
			}
		}
		for _, v := range config {
			borrowed = a.borrow(l, v, depth+1) || borrowed
		}
	}
	return borrowed
}

// wraps notes the layer or the cell that a layer has all its variables from.
func (a *attacher) wraps(l *layers.LayerConfig, p part) {
	if len(l.Variables) == 0 || p.class != "TimeDistributed" && p.class != "RNN" {
		return
	}
	for _, key := range []string{"layer", "cell"} {
		if inner, ok := p.config[key].(map[string]any); ok {
			a.wrapped[classAndName(inner)] = l
		}
	}
}

// classAndName are those of a serialized object.
func classAndName(object map[string]any) string {
	config, _ := object["config"].(map[string]any)
	return fmt.Sprint(object["class_name"], " ", config["name"])
}

// variablesOf adds the variables of a layer and of those within it.
func variablesOf(l *layers.LayerConfig, vars []*savedmodel.Variable, depth int) []*savedmodel.Variable {
	vars = append(vars, l.Variables...)
	if m := l.Model(); m != nil && depth < maxDepth {
		for i := range m.Layers {
			vars = variablesOf(&m.Layers[i], vars, depth+1)
		}
	}
	return vars
}

// unite takes variables of a layer of a class of one's own for those before that have the same
// values, as where a layer keeps another one's kernel: Keras saves such a variable with each. In
// models of one's own class a whole layer may be the copy of another, as of a network that follows
// one.
func (a *attacher) unite(name string, vars []*Variable) {
	for _, v := range vars {
		for _, w := range a.alike(v) {
			if a.compared++; a.compared > maxTwins {
				continue
			}
			if _, told := sameValues(w, v); !told {
				continue
			}
			if a.ownClass && slices.EqualFunc(a.besides(w), vars, func(x, y *Variable) bool { return x.kind() == y.kind() }) {
				a.notes = append(a.notes, fmt.Sprintf("a variable of %s has the values of %s: if they are one variable, the total has it once too often", name, w.Key))
			} else {
				a.same[v], a.uncounted[v] = w, true
				a.notes = append(a.notes, fmt.Sprintf("a variable of %s has the values of %s: they are taken for one variable, which the total has once", name, w.Key))
			}
			break
		}
	}
}

// alike returns the variables of the type and the shape of one that v may be: those that the table
// has, and in models of one's own class, whose order nothing tells, all others.
func (a *attacher) alike(v *Variable) []*Variable {
	if a.byKind == nil {
		a.byKind = map[string][]*Variable{}
		for _, w := range a.all {
			if !strings.HasPrefix(w.Key, "optimizer") {
				a.byKind[w.kind()] = append(a.byKind[w.kind()], w)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(a.byKind[v.kind()]), func(w *Variable) bool {
		return w == v || a.same[w] != nil || !a.ownClass && a.vars[w] == nil
	})
}

// besides returns the variables of the object that a variable is of.
func (a *attacher) besides(v *Variable) []*Variable {
	o := a.root.descend(strings.TrimSuffix(v.Key[:strings.LastIndexByte(v.Key, '/')+1], "vars/"))
	if o == nil {
		return nil
	}
	return o.vars
}
