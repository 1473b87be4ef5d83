package layers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// Layers of a model of one's own class may have the same name, given by its code. What keeps layers
// by name takes a key for each: the name, and for all but the first a mark that is never shown.

const namesakeMark = "\x00"

// namesake returns the key of the i-th layer of a name.
func namesake(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + namesakeMark + strconv.Itoa(i)
}

// shownName returns the name of a layer by its key.
func shownName(key string) string {
	name, _, _ := strings.Cut(key, namesakeMark)
	return name
}

// plainWeights are the names that Keras gives to the variables of layers with one set of them.
var plainWeights = []string{"kernel", "bias", "embeddings", "gamma", "beta", "moving_mean", "moving_variance", "depthwise_kernel", "pointwise_kernel"}

// splitNamesakes makes rows of layers that have one name in a model of Keras 2, where their calls
// share one scope. A layer of one's own may give a name to several variables, too.
func (k *keras3) splitNamesakes() {
	if k.opens > 1 {
		return
	}
	for i := 0; i < len(k.layers); i++ {
		l := k.layers[i]
		sets := repeatedPaths(l.vars)
		if l.op || len(sets) < 2 {
			continue
		}
		l.notes = append(l.notes, guess{"name", whyNamesakes}, guess{"params", whyNamesakes}, guess{"output_shape", whyNamesakes})
		plain := func(v *savedmodel.Variable) bool {
			return len(l.within(v)) == 1 && slices.Contains(plainWeights, l.within(v)[0])
		}
		if slices.ContainsFunc(l.vars, func(v *savedmodel.Variable) bool { return !plain(v) }) {
			continue
		}
		l.vars = sets[0]
		for j, vars := range sets[1:] {
			c := *l.calls[0]
			c.Ins, c.Outs, c.Vars = slices.Clone(c.Ins), slices.Clone(c.Outs), vars
			other := &layerCalls{name: namesake(l.name, j+1), calls: []*scopes.Call{&c}, vars: vars, notes: slices.Clone(l.notes)}
			for _, v := range vars {
				k.owner[v] = other
			}
			k.byName[other.name] = other
			k.layers = slices.Insert(k.layers, i+1+j, other)
		}
		l.calls[0].Vars = sets[0]
		i += len(sets) - 1
	}
}

// repeatedPaths takes variables apart as [splitPaths] does; nil where the parts have other paths.
func repeatedPaths(vars []*savedmodel.Variable) [][]*savedmodel.Variable {
	sets := splitPaths(vars)
	byPath := func(a, b *savedmodel.Variable) int { return strings.Compare(a.Name, b.Name) }
	if slices.ContainsFunc(sets, func(set []*savedmodel.Variable) bool { return slices.CompareFunc(set, sets[0], byPath) != 0 }) {
		return nil
	}
	return sets
}

// splitPaths takes variables apart where the path of one is there again.
func splitPaths(vars []*savedmodel.Variable) [][]*savedmodel.Variable {
	var sets [][]*savedmodel.Variable
	paths := map[string]bool{}
	for _, v := range vars {
		if len(sets) == 0 || paths[v.Name] {
			sets = append(sets, nil)
			clear(paths)
		}
		paths[v.Name] = true
		last := len(sets) - 1
		sets[last] = append(sets[last], v)
	}
	return sets
}
