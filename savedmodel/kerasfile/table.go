package kerasfile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// Layers rebuilds the table of the model's layers. Of a model of one's own class, and of a file of
// variables alone, it has the layers with variables, without the shapes of outputs. The table is
// built anew by each call.
func (m *Model) Layers() (*layers.Table, error) {
	a := &attacher{
		keras2: m.Framework == savedmodel.Keras2, minor: minorVersion(m.version()), legacy: m.tree.legacy != nil, byID: map[string]*layers.LayerConfig{},
		byName: map[string]*layers.LayerConfig{}, vars: map[*Variable]*savedmodel.Variable{}, uncounted: map[*Variable]bool{},
		wrapped: map[string]*layers.LayerConfig{}, doubted: map[string]string{}, same: map[*Variable]*Variable{}, lent: map[*Variable]string{},
		root: m.tree.root, all: m.tree.all,
	}
	t, err := m.table(a)
	if err != nil {
		return nil, err
	}
	t.Totals.Optimizer, t.Totals.OptimizerBytes = m.optimizer()
	a.doubtTotal(t, m.config != nil)
	t.Totals.TrainableGuessed = slices.ContainsFunc(t.Layers, func(l *layers.Layer) bool { return slices.Contains(l.Guessed, "trainable_params") })
	switch {
	case a.leftOver(m):
		markEmpty(t.Layers, whyLeftOver)
	case m.sharded:
		markEmpty(t.Layers, whyUnbuilt)
	case m.Kind == Weights && !a.legacy:
		markEmpty(t.Layers, whyShard)
	}
	a.markDoubted(t.Layers)
	t.Notes = append(t.Notes, a.notes...)
	if len(a.maybeModels) > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("whether %s, of classes of one's own, are models, of which Keras prints rows, is not in the file", someOf(a.maybeModels)))
	}
	return t, nil
}

// numbersObjects reports whether a configuration of the older layout says which of its places are
// one object: Keras 2.5 and later do of models that are no stacks.
func (m *Model) numbersObjects(config *layers.ModelConfig) bool {
	return m.Framework == savedmodel.Keras2 && minorVersion(m.version()) >= 5 && !config.Sequential()
}

// leftOver reports whether the file has variables that belong to no row: those of a layer that was
// not found at its place, unless the model keeps them itself.
func (a *attacher) leftOver(m *Model) bool {
	optimizer := map[*Variable]bool{}
	for _, v := range m.tree.optimizer {
		optimizer[v] = true
	}
	return slices.ContainsFunc(m.tree.all, func(v *Variable) bool {
		return a.vars[v] == nil && !a.uncounted[v] && !m.tree.again[v] && !optimizer[v] && v.DType.IsFloat() && v.Shape.Rank() > 0
	})
}

// markDoubted marks the counts of rows that are not certain.
func (a *attacher) markDoubted(rows []*layers.Layer) {
	for _, l := range rows {
		if why := a.doubted[l.Name]; why != "" && !slices.Contains(l.Guessed, "params") {
			l.Guessed = append(l.Guessed, "params")
			l.Why = append(l.Why, why)
		}
		a.markDoubted(l.Layers)
	}
}

// The reasons why a count of none is a guess.
const (
	whyLeftOver = "the file has variables that were found to be no layer's: some may be this one's"
	whyUnbuilt  = "the files have no variables of the layer: it was not built"
	whyShard    = "the file has no variables of the layer: it was not built, or they lie in another file of several"
)

// markEmpty marks the counts of rows that have no variables and are of a class that has some.
func markEmpty(rows []*layers.Layer, why string) {
	for _, l := range rows {
		if l.Params == 0 && len(l.Layers) == 0 && ownsSome(l.Class) {
			l.Guessed = append(l.Guessed, "params")
			l.Why = append(l.Why, why)
		}
		markEmpty(l.Layers, why)
	}
}

// table makes the table, and notes in a what is not sure of it.
func (m *Model) table(a *attacher) (*layers.Table, error) {
	if m.config == nil {
		a.maybe = m.tree.unite()
		parts, extra := a.parts(m)
		return layers.FromParts(m.tree.root.name, "", parts, extra), nil
	}
	root, err := layers.ParseConfig(m.config)
	if err != nil {
		return nil, m.fail(configName, err)
	}
	config := root.Model()
	if config == nil {
		a.ownClass = true
		a.maybe = m.tree.unite()
		parts, extra := a.parts(m)
		extra = append(extra, a.metrics(m)...)
		name := root.Name
		if name == "" {
			name = m.tree.root.name
		}
		t := layers.FromParts(name, root.Class(), parts, extra)
		if a.legacy || a.keras2 || hasInput(m.tree.root) { // else it is not Functional
			t.Notes = append(t.Notes, noWiring)
		}
		return t, nil
	}
	var extra []*savedmodel.Variable
	if a.legacy {
		a.identify(config)
		if !m.numbersObjects(config) {
			a.maybe = m.tree.unite()
		}
		a.lists(config, m.tree.legacy, true)
		for _, v := range m.tree.top {
			extra = append(extra, a.variable(v, v.Name, root.Trains()))
		}
	} else {
		a.object(config, m.tree.root, true)
		for _, l := range a.ownLayers {
			a.rowsWithin(l)
		}
		a.addMetric = slices.ContainsFunc(config.Layers, func(l layers.LayerConfig) bool { return l.ClassName == "AddMetric" })
		for i, v := range m.tree.root.vars {
			extra = append(extra, a.variable(v, nameOf(nil, i), root.Trains()))
		}
		extra = append(extra, a.metrics(m)...)
	}
	return layers.FromConfig(root, m.version(), extra), nil
}

// hasInput reports whether an input is among the layers of a model of Keras 3's: then it was made
// of inputs and outputs.
func hasInput(o *object) bool {
	list := o.children["layers"]
	return list != nil && slices.ContainsFunc(list.names, func(name string) bool { return kerasnames.WithoutNumber(name) == "input_layer" })
}

// metrics returns the variables of metrics that a model of one's own class has as attributes. Keras
// 2 counts them, but not those that compile was given: of a compiled model both stand in one list.
func (a *attacher) metrics(m *Model) []*savedmodel.Variable {
	if !a.keras2 || a.legacy {
		return nil
	}
	var found []*savedmodel.Variable
	add := func(o *object) {
		for _, name := range o.names {
			if c := o.children[name]; c.hasMetric() {
				for i, v := range c.vars {
					found = append(found, a.variable(v, name+"/"+nameOf(nil, i), false))
				}
			}
		}
	}
	add(m.tree.root)
	if list := m.tree.root.children["metrics"]; list != nil && !m.compiled() && !a.addMetric {
		add(list)
	}
	return found
}

// compiled reports whether the model was compiled with a loss or metrics before it was saved; true
// where that is not known.
func (m *Model) compiled() bool {
	var config struct {
		Compile json.RawMessage `json:"compile_config"`
	}
	if json.Unmarshal(m.config, &config) != nil {
		return true
	}
	if len(config.Compile) == 0 || string(config.Compile) == "null" {
		return false
	}
	var given map[string]any
	return json.Unmarshal(config.Compile, &given) != nil || len(given) == 0 || given["loss"] != nil || given["metrics"] != nil || given["weighted_metrics"] != nil
}

// version is the version of Keras; where the file does not say, one that has the rules of its kind.
func (m *Model) version() string {
	switch {
	case m.KerasVersion != "":
		return m.KerasVersion
	case m.Framework == savedmodel.Keras2:
		return "2.0"
	}
	return "3.15"
}

// minorVersion returns 14 for Keras 3.14.0; the newest where the version does not say.
func minorVersion(version string) int {
	_, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(minor)
	if err != nil {
		return 1 << 10
	}
	return n
}

// optimizer counts what the optimizer keeps. One that was made and never used keeps its step and
// its learning rate alone, and Keras does not count these.
func (m *Model) optimizer() (n, bytes int64) {
	used := false
	for _, v := range m.tree.optimizer {
		size, _ := v.Shape.NumElements()
		n += size
		bytes += v.Bytes
		used = used || v.Shape.Rank() > 0 || v.DType.IsInteger() && m.positive(v)
	}
	if !used {
		return 0, 0
	}
	return n, bytes
}

// positive reports whether a variable of one number is above zero.
func (m *Model) positive(v *Variable) bool {
	s, err := m.Stats(context.Background(), v)
	return err == nil && s.Max > 0
}
