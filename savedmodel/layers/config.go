package layers

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// LayerConfig is one layer in the config of a model: its class, its own config, and what it is
// called with.
type LayerConfig struct {
	Name      string `json:"name"`
	ClassName string `json:"class_name"`
	// Module is "keras.layers" of Keras' own; "" in .h5 files, and of a class of one's own, whose
	// name is Registered.
	Module       string          `json:"module"`
	Registered   string          `json:"registered_name"`
	Config       json.RawMessage `json:"config"`
	InboundNodes json.RawMessage `json:"inbound_nodes"`
	BuildConfig  json.RawMessage `json:"build_config"` // what the layer was built with
	// CompileConfig stands in .keras files of Keras 3 at models alone, be they compiled or not.
	CompileConfig json.RawMessage `json:"compile_config"`
	// SharedID is the same for all places in which a config has one and the same object; nil for an
	// object that it has once.
	SharedID json.RawMessage `json:"shared_object_id"`

	// Variables are the layer's own in one of Keras' own files, which [FromConfig] counts. All
	// places of one object have the same.
	Variables []*savedmodel.Variable `json:"-"`
	// Unsure says why it is not known which of Variables training changes; "" where it is known.
	Unsure string `json:"-"`
	// UnsureCalls says why it is not known which number Keras gives to the layer's calls, where
	// other models hold it too; "" where it is known.
	UnsureCalls string `json:"-"`
	// Parts are the rows of a model of a class of one's own, whose configuration does not say what
	// is in it.
	Parts []Part `json:"-"`
	// Unnamed says that the configuration gives no name, and Name is one that Keras may make.
	Unnamed bool `json:"-"`

	stack bool // it is known to be a Sequential, whatever its class

	// What was decoded of it, once: a hostile model has the same layer in many places.
	inner   *ModelConfig // [LayerConfig.Model]
	parsed  bool
	own     rules.Config // [LayerConfig.values]
	decoded bool
	within  *LayerConfig // [LayerConfig.wrapped]
	called  *configCalls // [LayerConfig.calls]
	frozen  *bool        // the opposite of [LayerConfig.Trains]
}

// ModelConfig is the config of a Sequential or Functional model.
type ModelConfig struct {
	Name         string          `json:"name"`
	Layers       []LayerConfig   `json:"layers"`
	InputLayers  json.RawMessage `json:"input_layers"`
	OutputLayers json.RawMessage `json:"output_layers"`
	BuildShape   json.RawMessage `json:"build_input_shape"` // of a Sequential

	parts int                      // what [ModelConfig.size] counted
	taken map[inbound]tensor.Shape // what [ModelConfig.takes] found
}

// size is how many layers the model has, and tensors that these take: a measure of the work that it
// takes to go through them.
func (m *ModelConfig) size() int {
	if m.parts == 0 {
		m.parts = 1 + len(m.Layers)
		for i := range m.Layers {
			for _, tensors := range m.Layers[i].calls().tensors {
				m.parts += 1 + len(tensors)
			}
		}
	}
	return m.parts
}

// Class returns the class name without the package that Keras puts before registered classes
// ("Custom>Scale").
func (l *LayerConfig) Class() string {
	class := l.ClassName[strings.LastIndexByte(l.ClassName, '>')+1:]
	if class == "GroupQueryAttention" && l.Module == "keras.layers" {
		return "GroupedQueryAttention" // the one class whose name in Keras' API is not its own
	}
	return class
}

// Builtin reports whether the class is one of Keras' own. The configurations in .h5 files do not
// say it: there a class counts as Keras' own that bears the name of one.
func (l *LayerConfig) Builtin() bool {
	if l.Module != "" {
		return strings.HasPrefix(l.Module, "keras.") || l.Module == "keras" || strings.HasPrefix(l.Module, "tf_keras.")
	}
	return !strings.Contains(l.ClassName, ">") && builtins[l.ClassName]
}

// IsOperation reports whether the entry is one of Keras 3's operations, which are no layers and own
// nothing. Where neither a module nor a class of one's own is named, as in .h5 files, it is known
// by its config, which lacks what layers have.
func (l *LayerConfig) IsOperation() bool {
	if l.Module != "" {
		return strings.HasPrefix(l.Module, "keras.src.ops.") || strings.HasPrefix(l.Module, "keras.ops")
	}
	if l.Registered != "" || !rules.IsOperation(l.ClassName) && !severalOutputs[l.ClassName] {
		return false
	}
	c := l.values()
	_, policy := c["dtype"].(map[string]any) // operations such as Cast have a plain name there
	return c != nil && !policy && !c.Has("trainable")
}

// maxEntries bounds the entries of a layer's own config. Those of Keras have up to forty.
const maxEntries = 256

// values decodes the layer's own config; nil when it is none, or one that no layer has. Of a model
// it leaves out the layers, which [LayerConfig.Model] decodes.
func (l *LayerConfig) values() rules.Config {
	if l.decoded {
		return l.own
	}
	l.decoded = true
	if l.Model() == nil {
		if l.own = rules.ParseConfig(l.Config); len(l.own) > maxEntries {
			l.own = nil // each call has a copy of it
		}
		return l.own
	}
	l.own = rules.Config{}
	names, values := members(l.Config)
	for i, name := range names {
		if name != "layers" {
			l.own[name] = rules.Value(values[i])
		}
	}
	return l.own
}

// Trains reports whether training may change the layer's variables. The config is read once: that
// of a model, which is asked for each of its variables, holds all its layers.
func (l *LayerConfig) Trains() bool {
	if l.frozen == nil {
		var c struct {
			Trainable *bool `json:"trainable"`
		}
		frozen := json.Unmarshal(l.Config, &c) == nil && c.Trainable != nil && !*c.Trainable
		l.frozen = &frozen
	}
	return !*l.frozen
}

// isModel reports whether the layer is a model of known structure.
func isModel(class string) bool {
	return class == "Functional" || class == "Sequential" || class == "Model"
}

// Model decodes the layer's config as that of a model of known structure; nil when it is none. A
// class of one's own may have such a config too. The layers of the model are decoded once.
func (l *LayerConfig) Model() *ModelConfig {
	if l.parsed {
		return l.inner
	}
	l.parsed = true
	m, err := parseModelConfig(l.Config)
	if err == nil && len(m.Layers) > 0 && (l.stack || isModel(l.Class()) || m.InputLayers != nil && m.OutputLayers != nil || m.ownStack()) {
		l.inner = m
	}
	return l.inner
}

// wrapped decodes the model that a wrapper wraps, once; nil when it wraps none.
func (l *LayerConfig) wrapped() *ModelConfig {
	if l.within == nil {
		var c struct {
			Layer LayerConfig `json:"layer"`
		}
		_ = json.Unmarshal(l.Config, &c) // a class of one's own may have any configuration
		l.within = &c.Layer
	}
	return l.within.Model()
}

// ownStack reports whether the config of a class of one's own is a stack's: it begins with an
// input, or has the shape that it was built with.
func (m *ModelConfig) ownStack() bool {
	built := len(m.BuildShape) > 0 && string(m.BuildShape) != "null"
	return m.InputLayers == nil && m.OutputLayers == nil && (built || m.beginsWithInput())
}

// beginsWithInput reports whether the first layer is an input.
func (m *ModelConfig) beginsWithInput() bool {
	return len(m.Layers) > 0 && m.Layers[0].Class() == "InputLayer"
}

// Sequential reports whether the model is a stack, which names no inputs and no outputs.
func (m *ModelConfig) Sequential() bool { return m.InputLayers == nil }

// parseModelConfig decodes a model's config and gives each of its layers the name that stands in
// the layer's own config.
func parseModelConfig(data json.RawMessage) (*ModelConfig, error) {
	m := &ModelConfig{}
	if len(data) == 0 {
		return m, nil
	}
	var to any = m
	if data[0] == '[' { // Sequential before TensorFlow 2.0: a bare list of layers
		to = &m.Layers
	}
	if err := json.Unmarshal(data, to); err != nil {
		return nil, err
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if l.Name == "" {
			var c struct {
				Name string `json:"name"`
			}
			if json.Unmarshal(l.Config, &c) == nil {
				l.Name = c.Name
			}
		}
	}
	m.nameOthers()
	return m, nil
}

// nameOthers names the layers without a name after their classes, as Keras does when it makes them
// anew: those of classes of one's own whose get_config leaves the name out.
func (m *ModelConfig) nameOthers() {
	used := map[string]bool{}
	for i := range m.Layers {
		used[m.Layers[i].Name] = true
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		if l.Name != "" || l.ClassName == "" {
			continue
		}
		base := kerasnames.SnakeCase(l.Class())
		l.Name, l.Unnamed = base, true
		for k := 1; used[l.Name]; k++ {
			l.Name = base + "_" + strconv.Itoa(k)
		}
		used[l.Name] = true
	}
}

// inbound is one tensor that a layer is called with: output tensor of call node of a layer.
type inbound struct {
	layer        string
	node, tensor int
}

// configCalls are the calls of a layer as the config has them, and the tensors that each takes, in
// order. Keras writes a call as a list of [name, node, tensor, keyword arguments], or as one such
// list, or with them as the values of a dictionary; keyword arguments may hold more.
type configCalls struct {
	nodes   []json.RawMessage
	tensors [][]inbound
}

// calls decodes the calls of the layer.
func (l *LayerConfig) calls() *configCalls {
	if l.called != nil {
		return l.called
	}
	l.called = &configCalls{}
	var nodes []json.RawMessage
	if json.Unmarshal(l.InboundNodes, &nodes) != nil {
		return l.called
	}
	l.called.nodes = nodes
	for _, n := range nodes {
		var tensors []inbound
		walkInbound(n, &tensors, 0)
		l.called.tensors = append(l.called.tensors, tensors)
	}
	return l.called
}

// walkInbound collects the tensors in v in the order of tf.nest and of Keras' own trees: lists as
// they stand, dictionaries by their sorted keys. The arguments behind the first, which Keras 2
// writes as a dictionary by name, stand in the order in which they were given: see [byName].
func walkInbound(v json.RawMessage, out *[]inbound, depth int) {
	if depth > rules.MaxNesting {
		return
	}
	switch v = bytes.TrimSpace(v); {
	case bytes.HasPrefix(v, []byte("[")):
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil {
			return
		}
		var in inbound
		if len(list) >= 3 && bytes.HasPrefix(list[0], []byte(`"`)) && json.Unmarshal(list[0], &in.layer) == nil && json.Unmarshal(list[1], &in.node) == nil && in.layer != "_CONSTANT_VALUE" &&
			json.Unmarshal(list[2], &in.tensor) == nil {
			*out = append(*out, in)
			list = list[3:]
		}
		for _, x := range list {
			if in.layer == "" {
				walkInbound(x, out, depth+1)
				continue
			}
			_, values := members(x)
			for _, value := range values {
				walkInbound(value, out, depth+1)
			}
		}
	case bytes.HasPrefix(v, []byte("{")):
		names, values := members(v)
		for _, i := range sortedPlaces(names) {
			walkInbound(values[i], out, depth+1)
		}
	}
}

// members returns the keys and values of a JSON object as they stand in the file.
func members(object json.RawMessage) (names []string, values []json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if key, ok := name.(string); err == nil && ok && d.Decode(&value) == nil {
			names, values = append(names, key), append(values, value)
			continue
		}
		return nil, nil
	}
	return names, values
}

// sortedPlaces returns the places of names in their order.
func sortedPlaces(names []string) []int {
	places := make([]int, len(names))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return strings.Compare(names[a], names[b]) })
	return places
}

// byName reports whether a call of Keras 2 holds several tensors by the names of arguments whose
// order is not that of the names. Given by position, Keras lists them as they stand in the file;
// given by name, sorted: the file does not tell which.
func byName(call json.RawMessage) bool {
	var list []json.RawMessage
	if json.Unmarshal(call, &list) != nil {
		return false
	}
	for _, x := range list {
		var tensor []json.RawMessage
		if json.Unmarshal(x, &tensor) != nil || len(tensor) < 4 {
			continue
		}
		names, values := members(tensor[3])
		var given []string
		for i, v := range values {
			if len(layerTensors(v)) > 0 {
				given = append(given, names[i])
			}
		}
		if !slices.IsSorted(given) {
			return true
		}
	}
	return false
}

// layerTensors returns the [name, node, tensor] entries of a model's input_layers or output_layers,
// however they are nested.
func layerTensors(data json.RawMessage) []inbound {
	var out []inbound
	walkInbound(data, &out, 0)
	return out
}

// givesKeys reports whether the layer is a model that gives a dictionary whose keys do not stand in
// their alphabetical order.
func (l *LayerConfig) givesKeys() bool {
	if l == nil || l.Model() == nil {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(l.Model().OutputLayers))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for last := ""; d.More(); {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok || name < last {
			return ok && err == nil
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
		last = name
	}
	return false
}

// builtins are the classes that Keras makes layers of.
var builtins = func() map[string]bool {
	all := map[string]bool{}
	for _, class := range strings.Fields(`InputLayer Functional Sequential Model GroupedQueryAttention LSTMCell GRUCell SimpleRNNCell
		StackedRNNCells ConvLSTM1DCell ConvLSTM2DCell ConvLSTM3DCell CuDNNLSTM CuDNNGRU RandomHeight RandomWidth`) {
		all[class] = true
	}
	for _, class := range kerasnames.ByDefault {
		all[class] = true
	}
	for class := range rules.ShapeRules {
		all[class] = true
	}
	return all
}()

// severalOutputs are operations of Keras 3 whose outputs are not counted by a rule here.
var severalOutputs = map[string]bool{
	"ArraySplit": true, "AssociativeScan": true, "Cond": true, "Dsplit": true, "Eig": true, "Eigh": true, "FFT": true, "FFT2": true, "ForiLoop": true,
	"Function": true, "Histogram": true, "Hsplit": true, "IFFT2": true, "JVP": true, "LuFactor": true, "Map": true, "Meshgrid": true, "Moments": true,
	"Nonzero": true, "Qr": true, "RFFT": true, "SVD": true, "STFT": true, "Scan": true, "Slogdet": true, "Split": true, "Switch": true, "TopK": true,
	"Unique": true, "Unstack": true, "UnravelIndex": true, "VectorizedMap": true, "Vsplit": true, "WhileLoop": true,
}
