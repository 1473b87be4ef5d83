package layers

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// ParseConfig decodes a serialized model: an object with class_name and config.
func ParseConfig(data json.RawMessage) (*LayerConfig, error) {
	l := &LayerConfig{}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, err
	}
	if l.ClassName == "" {
		return nil, errors.New("no class_name: it is no model")
	}
	var c struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(l.Config, &c); l.Name == "" && err == nil {
		l.Name = c.Name
	}
	return l, nil
}

// FromConfig rebuilds the table of a model in one of Keras' own files from its configuration and
// the variables that were put into it; nil for a model of one's own class, whose configuration does
// not say what is in it. version is that of the Keras that wrote the file, and extra variables are
// the model's own, and no layer's.
func FromConfig(root *LayerConfig, version string, extra []*savedmodel.Variable) *Table {
	m := root.Model()
	if m == nil {
		return nil
	}
	f := &configFile{v3: !strings.HasPrefix(version, "2."), version: version, calls: map[any]int{}, first: map[*LayerConfig]int{}}
	f.countCalls(m, map[any]bool{})
	t := &Table{ModelName: root.Name, ModelClass: root.Class()}
	k := &keras2{objs: &savedmodel.ObjectGraph{}, meta: savedmodel.KerasMetadata{}, table: t, trainable: map[*savedmodel.Variable]bool{}}
	n := &network{k: k, id: -1, config: m, sequential: m.Sequential(), functional: !m.Sequential(), file: f}
	n.build(0)
	t.Layers, t.steps = n.rows, n.steps
	t.Takes, t.Gives = n.ports()
	t.Connected = n.functional && !n.chain()
	if !t.Connected {
		for _, r := range n.rows {
			r.ConnectedTo = nil
		}
	}
	for _, v := range f.all(root, extra) {
		t.Totals.add(v, v.Trainable)
	}
	t.explain(theInput)
	return t
}

// ports returns what the model takes and gives. A stack takes what its input layer says, and gives
// what its last layer does.
func (n *network) ports() (in, out []Port) {
	made := map[tensorKey]Port{}
	for _, st := range n.steps {
		for i, key := range st.out {
			if i < len(st.shapes) {
				made[key] = Port{DType: st.dtype(i), Shape: st.shapes[i], key: key}
			}
		}
		if st.input != "" && len(st.shapes) > 0 {
			in = append(in, Port{st.input, st.dtype(0), st.shapes[0], st.out[0]})
		}
	}
	var keys []inbound
	if last := len(n.rows) - 1; n.sequential && last >= 0 {
		keys = []inbound{{n.rows[last].Name, 0, 0}}
	}
	names := map[string]int{}
	for _, t := range layerTensors(n.config.OutputLayers) {
		t.node -= n.skip[t.layer] + n.own(t.layer)
		keys = append(keys, t)
		names[t.layer]++
	}
	for _, t := range keys {
		p, ok := made[t]
		if !ok {
			p = Port{DType: tensor.Float32, Shape: tensor.UnknownShape(), key: t}
		}
		if p.Name = t.layer; names[t.layer] > 1 {
			p.Name = connection(t.layer, t.node, t.tensor)
		}
		out = append(out, p)
	}
	return in, out
}

// configFile is what the networks of one of Keras' own files have in common.
type configFile struct {
	v3      bool
	version string               // of Keras: "3.15.1"
	calls   map[any]int          // of each layer, while they are counted
	first   map[*LayerConfig]int // the number of a layer's first call in its model
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
		if m := l.Model(); m != nil && depth < maxNesting {
			for i := range m.Layers {
				walk(&m.Layers[i], depth+1)
			}
		}
	}
	walk(l, 0)
	add(extra)
	return found
}

// identity tells layers apart that are one object.
func (l *LayerConfig) identity() any {
	if id := string(l.SharedID); id != "" && id != "null" {
		return id
	}
	return l
}

// countCalls numbers the calls of layers as Keras does when it loads the model: nested models are
// built, and call their layers, before the model around them calls its own. A layer that is in both
// has its calls numbered through.
func (f *configFile) countCalls(m *ModelConfig, built map[any]bool) {
	if len(built) > maxBuilt {
		return
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if inner := l.Model(); inner != nil && !built[l.identity()] {
			built[l.identity()] = true
			f.countCalls(inner, built)
		}
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		f.first[l] = f.calls[l.identity()]
		n := len(inboundNodes(l.InboundNodes))
		if m.Sequential() {
			n = 1
		}
		f.calls[l.identity()] += n
	}
}

// takes returns the shapes of the tensors between layers, as far as the calls say them: each tensor
// that a call of Keras 3 takes stands there with its shape, and Keras 2 notes the shapes that a
// layer was built with.
func (m *ModelConfig) takes() map[inbound]tensor.Shape {
	known := map[inbound]tensor.Shape{}
	if m.Sequential() {
		return known
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		eachTensor(l.InboundNodes, known, 0)
		calls := inboundNodes(l.InboundNodes)
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
	list, ok := plain(v).([]any)
	if !ok {
		return nil
	}
	if dims := numbers(v); dims != nil && len(list) > 0 {
		return []tensor.Shape{tensor.MakeShape(dims...)}
	}
	var shapes []tensor.Shape
	for _, x := range list {
		dims := numbers(x)
		if _, isList := plain(x).([]any); !isList || dims == nil {
			return nil
		}
		shapes = append(shapes, tensor.MakeShape(dims...))
	}
	return shapes
}

// eachTensor notes the shapes of the tensors in v that Keras 3 wrote.
func eachTensor(v json.RawMessage, known map[inbound]tensor.Shape, depth int) {
	if depth > maxNesting || len(v) == 0 {
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
				if dims, ok := plain(t.Config.Shape).([]any); ok {
					known[keys[0]] = tensor.MakeShape(append([]int64{}, numbers(dims)...)...)
				}
			}
			return
		}
		for _, x := range sortedMembers(v) {
			eachTensor(x, known, depth+1)
		}
	}
}

// Part is a layer of a model whose configuration is not known: its variables, and what they tell.
type Part struct {
	Name, Class string // "" where the file does not say
	Word        string // that Keras prints in the place of the output's shape
	Guessed     []string
	Why         []string // reasons for guesses and for what is missing
	Variables   []*savedmodel.Variable
	Parts       []Part // of a nested model
}

// FromParts makes the table of a model of which only the layers with variables are known. Shapes of
// outputs are not, and extra variables are the model's own.
func FromParts(name, class string, parts []Part, extra []*savedmodel.Variable) *Table {
	f := &configFile{}
	t := &Table{ModelName: name, ModelClass: class}
	root := &LayerConfig{parsed: true, inner: &ModelConfig{}}
	t.Layers = f.rows(parts, root.inner, 0)
	for _, v := range f.all(root, extra) {
		t.Totals.add(v, v.Trainable)
	}
	t.explain(theInput)
	return t
}

// rows makes a row for each part, and notes its variables in m.
func (f *configFile) rows(parts []Part, m *ModelConfig, depth int) []*Layer {
	var rows []*Layer
	for _, p := range parts {
		c := LayerConfig{Variables: p.Variables, parsed: true}
		l := &Layer{Name: p.Name, Class: p.Class, Guessed: p.Guessed, Output: OutputShape{Word: p.Word}}
		l.info.notes = p.Why
		if len(p.Parts) > 0 && depth < maxNesting {
			c.inner = &ModelConfig{}
			l.Layers = f.rows(p.Parts, c.inner, depth+1)
		}
		l.setWeights(f.of(&c), func(v *savedmodel.Variable) bool { return v.Trainable })
		m.Layers = append(m.Layers, c)
		rows = append(rows, l)
	}
	return rows
}
