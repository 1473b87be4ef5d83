package layers

import (
	"encoding/json"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// configFile holds what is shared by all models in one of Keras' own files: the model itself and
// those nested in it.
type configFile struct {
	v3      bool
	version string // of Keras: "3.15.1"
}

// of returns the variables of a layer, and of all layers within it, each once.
func (f *configFile) of(l *LayerConfig) []*savedmodel.Variable { return f.all(l, nil) }

// all returns the variables of a layer and those that are given beside it, each once.
func (f *configFile) all(l *LayerConfig, extra []*savedmodel.Variable) []*savedmodel.Variable {
	var found []*savedmodel.Variable
	seen := map[*savedmodel.Variable]bool{}
	add := func(list []*savedmodel.Variable) {
		for _, v := range list {
			if !seen[v] {
				seen[v] = true
				found = append(found, v)
			}
		}
	}
	var walk func(l *LayerConfig, depth int)
	walk = func(l *LayerConfig, depth int) {
		add(l.Variables)
		if m := l.Model(); m != nil && depth < rules.MaxNesting {
			for i := range m.Layers {
				walk(&m.Layers[i], depth+1)
			}
		}
	}
	walk(l, 0)
	add(extra)
	return found
}

// trained returns those of the variables at and below a layer that training changes. Keras 2 asks
// the layer, and each model on the way to a variable; Keras 3 the variables alone.
func (f *configFile) trained(l *LayerConfig) map[*savedmodel.Variable]bool {
	found := map[*savedmodel.Variable]bool{}
	var walk func(l *LayerConfig, depth int)
	walk = func(l *LayerConfig, depth int) {
		if !f.v3 && !l.Trains() {
			return
		}
		for _, v := range l.Variables {
			found[v] = found[v] || v.Trainable
		}
		if m := l.Model(); m != nil && depth < rules.MaxNesting {
			for i := range m.Layers {
				walk(&m.Layers[i], depth+1)
			}
		}
	}
	walk(l, 0)
	return found
}

// identity returns a value that is the same for all places of one layer object in the config, and
// another for other objects.
func (l *LayerConfig) identity() any {
	if id := string(l.SharedID); id != "" && id != "null" {
		return id
	}
	return l
}

// callCounts number the calls of layers as Keras does when it loads a model. Nested models are
// built, and call their layers, before the model around them calls its own. Where a layer is in
// several models, its calls have one sequence of numbers.
type callCounts struct {
	k      *keras2
	calls  map[any]int // of each layer, so far
	models map[any]int // that call it
	built  map[any]*ModelConfig
	// objects are those of the layers of a model's object, by name.
	objects map[int]map[string]int
}

// countCalls notes the number that the first call of each layer of a model has, which object id is,
// and of those in nested models.
func (k *keras2) countCalls(m *ModelConfig, id int) {
	k.first, k.several = map[*LayerConfig]int{}, map[*LayerConfig]bool{}
	c := &callCounts{k, map[any]int{}, map[any]int{}, map[any]*ModelConfig{}, map[int]map[string]int{}}
	c.count(m, id, 0)
	c.share(m, id, 0)
}

// identity returns what is the same for all places of a layer that has one in the model of object
// id, and the layer's object, -1 where none is known.
func (c *callCounts) identity(l *LayerConfig, id int) (identity any, object int) {
	objects := c.objects[id]
	if objects == nil {
		objects = map[string]int{}
		for _, object := range c.k.layerObjects(id) {
			if o := c.k.meta[object]; o != nil {
				objects[o.Name] = object
			}
		}
		c.objects[id] = objects
	}
	if object, ok := objects[l.Name]; ok {
		return object, object
	}
	return l.identity(), -1
}

func (c *callCounts) count(m *ModelConfig, id, depth int) {
	if len(c.built) > maxBuilt || depth > rules.MaxNesting {
		return
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		inner := l.Model()
		if of, object := c.identity(l, id); inner != nil && c.built[of] == nil {
			c.built[of] = inner
			c.count(inner, object, depth+1)
		}
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		of, _ := c.identity(l, id)
		c.k.first[l] = c.calls[of]
		n := len(l.calls().tensors)
		if m.Sequential() {
			n = 1
		}
		c.calls[of] += n
		c.models[of] += min(n, 1)
	}
}

// share notes the layers that several models call, and gives the further places of a nested model
// what was counted at its first.
func (c *callCounts) share(m *ModelConfig, id, depth int) {
	if depth > rules.MaxNesting {
		return
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		of, object := c.identity(l, id)
		c.k.several[l] = c.models[of] > 1
		inner, built := l.Model(), c.built[of]
		if inner == nil {
			continue
		}
		if built != nil && built != inner && len(built.Layers) == len(inner.Layers) {
			for j := range inner.Layers {
				c.k.first[&inner.Layers[j]] = c.k.first[&built.Layers[j]]
			}
		}
		c.share(inner, object, depth+1)
	}
}

// takes returns the shapes of the tensors between layers, as far as the config has them. Keras 3
// writes the shape of each tensor that a call takes; Keras 2 notes the shapes that a layer was
// built with.
func (m *ModelConfig) takes() map[inbound]tensor.Shape {
	if m.taken != nil {
		return m.taken
	}
	known := map[inbound]tensor.Shape{}
	m.taken = known
	if m.Sequential() {
		return known
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		eachTensor(l.InboundNodes, known, 0)
		calls := l.calls().tensors
		built := l.builtWith()
		if len(calls) != 1 || len(calls[0]) != len(built) {
			continue
		}
		for j, t := range calls[0] {
			if _, ok := known[t]; !ok {
				known[t] = built[j]
			}
		}
	}
	return known
}

// builtWith returns the shapes of the inputs that the layer was built with.
func (l *LayerConfig) builtWith() []tensor.Shape {
	var c struct {
		InputShape any `json:"input_shape"`
	}
	if json.Unmarshal(l.BuildConfig, &c) != nil {
		return nil
	}
	return shapesOf(c.InputShape)
}

// shapesOf returns the shapes of a value of JSON: a list of sizes, or a list or a dictionary of
// such.
func shapesOf(v any) []tensor.Shape {
	list, ok := rules.Plain(v).([]any)
	if !ok {
		return nil
	}
	if dims := rules.Numbers(v); dims != nil && len(list) > 0 {
		return []tensor.Shape{tensor.MakeShape(dims...)}
	}
	var shapes []tensor.Shape
	for _, x := range list {
		dims := rules.Numbers(x)
		if _, isList := rules.Plain(x).([]any); !isList || dims == nil {
			return nil
		}
		shapes = append(shapes, tensor.MakeShape(dims...))
	}
	return shapes
}

// eachTensor notes the shapes of the tensors in v that Keras 3 wrote.
func eachTensor(v json.RawMessage, known map[inbound]tensor.Shape, depth int) {
	if depth > rules.MaxNesting || len(v) == 0 {
		return
	}
	switch v[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(v, &list) == nil {
			for _, x := range list {
				eachTensor(x, known, depth+1)
			}
		}
	case '{':
		var t struct {
			Class  string `json:"class_name"`
			Config struct {
				Shape   any             `json:"shape"`
				History json.RawMessage `json:"keras_history"`
			} `json:"config"`
		}
		if json.Unmarshal(v, &t) == nil && t.Class == "__keras_tensor__" {
			if keys := layerTensors(t.Config.History); len(keys) == 1 {
				if dims, ok := rules.Plain(t.Config.Shape).([]any); ok {
					known[keys[0]] = tensor.MakeShape(append([]int64{}, rules.Numbers(dims)...)...)
				}
			}
			return
		}
		_, values := members(v)
		for _, x := range values {
			eachTensor(x, known, depth+1)
		}
	}
}
