package kerasfile

import (
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// attacher gives the layers of a configuration their variables.
type attacher struct {
	keras2 bool
	minor  int  // of the version of Keras: 14 of 3.14.0
	legacy bool // the variables have names of their own
	// ownClass says that the model is of a class of one's own, and not that nothing says what it
	// is.
	ownClass bool
	// done are the layers that have theirs, by the identity that the configuration gives them, and
	// by name and class for objects whose places the configuration does not connect.
	byID   map[string]*layers.LayerConfig
	byName map[string]*layers.LayerConfig
	// wrapped are those that have all their variables from another layer or a cell, by the class
	// and the name of that.
	wrapped map[string]*layers.LayerConfig
	// vars are the variables of the table, each once.
	vars map[*Variable]*savedmodel.Variable
	// same are variables that are taken for others, as notes say, and lent the names that those got
	// from them.
	same     map[*Variable]*Variable
	lent     map[*Variable]string
	byKind   map[string][]*Variable // all of the file, by type and shape
	compared int
	notes    []string
	// addMetric says that the model has metrics by add_metric, which Keras does not count.
	addMetric bool
	// ownLayers are layers of classes of one's own.
	ownLayers []ownLayer
	// doubted are layers whose number of parameters is not certain, and why: the variables do not
	// fit the configuration, or some may lie with another layer.
	doubted map[string]string
	// listedNames are those of the layers of the older layout, maybeModels of those that may be
	// models.
	listedNames map[string]bool
	maybeModels []string
	// inListed are the layers so far in one that the older layout lists, by class and name.
	inListed map[string]*layers.LayerConfig
	// copied are layers in several places of the older layout, of each of which Keras makes one;
	// maybe are those of which it is not told if they are in several.
	copied, maybe []string
	// root is the object of the model, and all are the variables of the file.
	root *object
	all  []*Variable
	// uncounted are those that are known to stand in no row.
	uncounted map[*Variable]bool
}

// ownLayer is a layer of a class of one's own, and the object that has its variables.
type ownLayer struct {
	config *layers.LayerConfig
	object *object
}

// variable returns the table's variable for one of the file.
func (a *attacher) variable(v *Variable, name string, trainable bool) *savedmodel.Variable {
	w := v
	if a.same[v] != nil {
		w = a.same[v]
	}
	c := a.vars[w]
	if c == nil {
		c = &savedmodel.Variable{ID: -1, DType: v.DType, Shape: v.Shape, Trainable: trainable}
		a.vars[w] = c
	}
	if c.Name == "" || c.Name == a.lent[v] {
		c.Name, v.Name = name, name
	}
	if w != v {
		a.lent[w], v.Name = name, name
	}
	return c
}

// doubt notes why the number of parameters of a layer is not certain; the first reason stays.
func (a *attacher) doubt(name, why string) {
	if a.doubted[name] == "" {
		a.doubted[name] = why
	}
}

// trainableIn reports whether training may change what is within a layer that itself is
// trainable or not. Keras 3 asks each variable alone, whatever it is in.
func (a *attacher) trainableIn(outer bool) bool { return outer || !a.keras2 }
