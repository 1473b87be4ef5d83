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

// keras3 rebuilds the table of a model that Keras 3 exported. The files hold no layers. Layers show
// only in the name scopes of the serving function, in the variables' paths, and in the order of the
// lists of variables.
type keras3 struct {
	mg    *savedmodel.MetaGraph
	objs  *savedmodel.ObjectGraph
	body  *body.Body
	scope *scopes.Scope
	table *Table
	// opens is how often the scope of a layer is opened: Keras 3 does so to build the layer and to
	// call it.
	opens int

	// listed are all variables of the model in its own order, seed generators among them.
	listed    []*savedmodel.Variable
	weights   []*savedmodel.Variable        // those that count as weights
	counted   map[*savedmodel.Variable]bool // the weights
	trainable map[*savedmodel.Variable]bool
	// prefix is the beginning of the variables' paths: the model's name, or "" for a functional
	// model.
	prefix string

	layers []*layerCalls // in the order of their first calls
	byName map[string]*layerCalls
	// inputRows are the rows of the inputs of a functional model, by the index of the argument.
	inputRows map[int]*Layer
	phantoms  map[*graph.Node]tensor.Shape   // outputs of layers that leave no operation
	numbers   map[string]int                 // by base: the next number of a default name
	users     map[scopes.Edge][]*scopes.Call // the calls that use an edge
	adrift    []*drift                       // hidden layers whose place is a guess
	made      map[*layerCalls]*Layer         // rows made so far
	looks     int                            // how many calls [keras3.hiddenPlace] has looked at
	cut       *int                           // what [keras3.within] has looked at
	saved     savedLayers
	unread    map[*layerCalls]int // what [keras3.unreadNormalizations] has found
	depths    map[string]int      // distances of rows from the outputs
	places    map[string]int      // of the layers' objects by name; nil: none
	unnamed   map[string]bool     // rows whose objects bear no name: of Keras 2
	owner     map[*savedmodel.Variable]*layerCalls
}

// Bounds on the models whose table is rebuilt, since some of the work grows with products of these
// numbers. Models that people read have a hundredth of them.
const (
	maxCalls     = 10_000
	maxVariables = 200_000
	maxInputs    = 10_000 // of a call
	maxResults   = 2_000  // of a call
)

// layerCalls is a layer with its calls, in the order in which the graph made them.
type layerCalls struct {
	name  string // its key, see [namesake]
	class string
	sure  bool // the class is certain
	op    bool
	// uncalled: nothing shows of the layer but its variables, see [keras3.addUncalled].
	uncalled bool
	// once: the scope of its first call was opened once, see [keras3.callName].
	once  bool
	calls []*scopes.Call
	vars  []*savedmodel.Variable
	// read are the variables that the calls read, and paths their names.
	read  map[*savedmodel.Variable]bool
	paths map[string]bool
	// shares are the layers around a nested model whose variables the nested model reads.
	shares []*layerCalls
	notes  []guess
}

// guess is a field that is likely, but that the files do not hold, with the reason why.
type guess struct{ field, why string }

// layerOf returns the part of a variable's path that is its layer's name, or "".
func (k *keras3) layerOf(v *savedmodel.Variable) string {
	path := strings.Split(v.Name, "/")
	if len(path) > 2 && path[0] == k.prefix {
		path = path[1:]
	}
	if len(path) < 2 {
		return ""
	}
	return k.scope.LayerOf(path)
}

// custom reports whether the class is guessed from the layer's name.
func (l *layerCalls) custom() bool {
	return l.class == kerasnames.CamelCase(kerasnames.WithoutNumber(shownName(l.name))) && !slices.Contains(kerasnames.Classes, l.class)
}

// drift is a hidden layer with the nearest layers with weights around it, nil where there are none.
// Its place is a guess unless these two follow each other directly.
type drift struct {
	layer, after, before *layerCalls
	direct               bool
}

// shapeOf returns the shape of a tensor, which may be the output of a phantom.
func (k *keras3) shapeOf(r graph.Ref) tensor.Shape {
	if s, ok := k.phantoms[r.Node]; ok && r.Node != nil {
		return s
	}
	s, _ := k.body.Shape(r)
	return s
}
