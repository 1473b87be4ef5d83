package layers

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
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

// FromConfig rebuilds the table of a model in one of Keras' own files from the model's
// configuration and the variables in it ([LayerConfig.Variables]). It returns nil for a model of a
// class of the user's own, whose configuration does not say what is in the model. version is that
// of the Keras that wrote the file; extra are variables of the model that belong to no layer.
func FromConfig(root *LayerConfig, version string, extra []*savedmodel.Variable) *Table {
	m := root.Model()
	if m == nil {
		return nil
	}
	f := &configFile{v3: !strings.HasPrefix(version, "2."), version: version}
	t := &Table{ModelName: root.Name, ModelClass: root.Class()}
	k := &keras2{objs: &savedmodel.ObjectGraph{}, meta: savedmodel.KerasMetadata{}, table: t, trainable: map[*savedmodel.Variable]bool{}}
	k.countCalls(m, -1)
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
	trained := f.trained(root)
	for _, v := range extra {
		trained[v] = v.Trainable
	}
	for _, v := range f.all(root, extra) {
		t.Totals.add(v, trained[v] && root.Trains())
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

// Part is a layer of a model whose configuration is not known: its variables, and what they show of
// it.
type Part struct {
	Name, Class string // "" where the file does not say
	Word        string // that Keras prints in the place of the output's shape
	Guessed     []string
	Why         []string // reasons for guesses and for what is missing
	Variables   []*savedmodel.Variable
	Parts       []Part // of a nested model
}

// FromParts makes the table of a model of which only the layers with variables are known. The rows
// have no output shapes. extra are variables of the model that belong to no layer.
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
		if len(p.Parts) > 0 && depth < rules.MaxNesting {
			c.inner = &ModelConfig{}
			l.Layers = f.rows(p.Parts, c.inner, depth+1)
		}
		l.setWeights(f.of(&c), func(v *savedmodel.Variable) bool { return v.Trainable })
		l.doubtTrainable(nil)
		m.Layers = append(m.Layers, c)
		rows = append(rows, l)
	}
	return rows
}
