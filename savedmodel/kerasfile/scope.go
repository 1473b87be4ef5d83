package kerasfile

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// scope is a layer of the older layout, or one in it, by the paths that variables have for names.
type scope struct {
	name   string
	vars   []*Variable // at and below it
	within []*scope    // in the order of the file
	own    int         // of vars: those at it
}

// add adds a variable at a path below s.
func (s *scope) add(path []string, v *Variable) {
	s.vars = append(s.vars, v)
	if len(path) == 0 {
		s.own++
		return
	}
	i := slices.IndexFunc(s.within, func(c *scope) bool { return c.name == path[0] })
	if i < 0 {
		i = len(s.within)
		s.within = append(s.within, &scope{name: path[0]})
	}
	s.within[i].add(path[1:], v)
}

// pathWithin returns the names of the layers in a listed layer that a variable belongs to. Its name
// begins with those of the model and of the layer, or of the layer that it was made with; in a
// model of known structure it has neither.
func (a *attacher) pathWithin(layer string, v *Variable) []string {
	path, _ := splitName(v.Name)
	names := strings.Split(strings.TrimSuffix(path, "/"), "/")
	if len(names) > maxDepth || path == "" {
		return nil
	}
	if i := slices.Index(names, layer); i >= 0 {
		return names[i+1:]
	}
	for i := 0; i < min(2, len(names)-1); i++ {
		if a.listedNames[names[i]] {
			return names[i+1:]
		}
	}
	return names
}

// layerScopes returns a listed layer with what is in it.
func (a *attacher) layerScopes(name string, vars []*Variable) *scope {
	top := &scope{name: name}
	for _, v := range vars {
		top.add(a.pathWithin(name, v), v)
	}
	return top
}

// holds reports whether a layer may be a model: others are in it than in a layer of Keras' own.
func (s *scope) holds() bool {
	class, known := kerasnames.ClassOf(s.name)
	return (!known || holdsRows(class)) && !s.isOne()
}

// holdsRows reports whether the layers in one of a class of Keras' own have rows of their own.
func holdsRows(class string) bool {
	return class == "Sequential" || class == "Functional" || class == "Model" || class == "?"
}

// isOne reports whether all that is in a layer are parts that layers of Keras' own have, such as a
// cell or the directions of a Bidirectional.
func (s *scope) isOne() bool {
	if len(s.within) == 0 {
		return true
	}
	if len(s.within) == 1 && s.own == 0 {
		return cells[strings.TrimRight(s.within[0].name, "_0123456789")] != ""
	}
	return !slices.ContainsFunc(s.within, func(c *scope) bool {
		return !strings.HasPrefix(c.name, "forward_") && !strings.HasPrefix(c.name, "backward_") &&
			!slices.Contains([]string{"query", "key", "value", "attention_output", "query_norm", "key_norm"}, c.name)
	})
}
