package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// keras3 rebuilds the table of a model that Keras 3 exported. The files hold no layers: they show
// in the name scopes of the serving function, in the variables' paths, and in the order of the
// lists of variables.
type keras3 struct {
	mg    *savedmodel.MetaGraph
	objs  *savedmodel.ObjectGraph
	body  *body.Body
	scope *scopes.Scope
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
	calls []*scopes.Call
	vars  []*savedmodel.Variable
	// shares are the layers around a nested model whose variables it reads.
	shares []*layerCalls
	notes  []guess
}

// guess is a field that is likely but not held by the files, with the reason.
type guess struct{ field, why string }

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

// custom reports whether the class is a guess from the layer's name.
func (l *layerCalls) custom() bool {
	return l.class == kerasnames.CamelCase(kerasnames.WithoutNumber(l.name)) && !slices.Contains(kerasnames.Classes, l.class)
}

// drift is a hidden layer, and the nearest layers with weights around it, nil where there are none.
// Its place is a guess unless these follow each other directly.
type drift struct {
	layer, after, before *layerCalls
	direct               bool
}

// shapeOf returns the shape of a tensor, also of one that a phantom gives.
func (k *keras3) shapeOf(r graph.Ref) tensor.Shape {
	if s, ok := k.phantoms[r.Node]; ok && r.Node != nil {
		return s
	}
	s, _ := k.body.Shape(r)
	return s
}

// savedWhole reports whether tf.saved_model.save wrote the model, and not its export.
func (k *keras3) savedWhole() bool { return k.objs.Child(0, "variables") < 0 }
