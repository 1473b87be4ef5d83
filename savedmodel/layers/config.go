package layers

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// maxNesting bounds how deep models are followed into models, and wrappers into wrappers.
const maxNesting = 32

// config is the dictionary that a Keras layer's get_config returned, as JSON has it.
type config map[string]any

// layerConfig is one layer in the config of a model: its class, its own config, and what it is
// called with.
type layerConfig struct {
	Name         string          `json:"name"`
	ClassName    string          `json:"class_name"`
	Config       json.RawMessage `json:"config"`
	InboundNodes json.RawMessage `json:"inbound_nodes"`
	Trainable    *bool           `json:"trainable"`
}

// modelConfig is the config of a Sequential or Functional model.
type modelConfig struct {
	Name         string          `json:"name"`
	Layers       []layerConfig   `json:"layers"`
	InputLayers  json.RawMessage `json:"input_layers"`
	OutputLayers json.RawMessage `json:"output_layers"`
}

// class returns the class name without the package that Keras puts before registered classes
// ("Custom>Scale").
func (l *layerConfig) class() string { return l.ClassName[strings.LastIndexByte(l.ClassName, '>')+1:] }

// isModel reports whether the layer is a model of known structure.
func isModel(class string) bool {
	return class == "Functional" || class == "Sequential" || class == "Model"
}

// model decodes the layer's config as a model's; nil when it is none.
func (l *layerConfig) model() *modelConfig {
	if !isModel(l.class()) {
		return nil
	}
	m, err := parseModelConfig(l.Config)
	if err != nil || len(m.Layers) == 0 {
		return nil
	}
	return m
}

// parseModelConfig decodes a model's config and gives each of its layers the name that stands in
// the layer's own config.
func parseModelConfig(data json.RawMessage) (*modelConfig, error) {
	m := &modelConfig{}
	if len(data) == 0 {
		return m, nil
	}
	if data[0] == '[' { // Sequential before TensorFlow 2.0: a bare list of layers
		return m, json.Unmarshal(data, &m.Layers)
	}
	if err := json.Unmarshal(data, m); err != nil {
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
	return m, nil
}

// parseConfig decodes a config; nil when it is none.
func parseConfig(data json.RawMessage) config {
	var c config
	if json.Unmarshal(data, &c) != nil {
		return nil
	}
	return c
}

// plain takes Keras' wrappers off tuples and shapes: {"class_name": "__tuple__", "items": […]}.
func plain(v any) any {
	if m, ok := v.(map[string]any); ok {
		if name := m["class_name"]; name == "__tuple__" || name == "TensorShape" {
			return m["items"]
		}
	}
	return v
}

// has reports whether the config gives a value other than null.
func (c config) has(key string) bool { return c[key] != nil }

func (c config) str(key string) string { s, _ := c[key].(string); return s }

func (c config) flag(key string) bool { b, _ := c[key].(bool); return b }

// num returns a number, or otherwise.
func (c config) num(key string, otherwise int64) int64 {
	if f, ok := plain(c[key]).(float64); ok {
		return int64(f)
	}
	return otherwise
}

// nums returns a list of numbers with [tensor.Unknown] for null; a lone number is a list of one.
// Nil when it is neither.
func (c config) nums(key string) []int64 { return numbers(c[key]) }

func numbers(v any) []int64 {
	switch v := plain(v).(type) {
	case float64:
		return []int64{int64(v)}
	case []any:
		list := make([]int64, 0, len(v))
		for _, x := range v {
			switch x := x.(type) {
			case float64:
				list = append(list, int64(x))
			case nil:
				list = append(list, tensor.Unknown)
			default:
				return nil
			}
		}
		return list
	}
	return nil
}

// spread returns n numbers: those of the list, or a lone number n times. Nil when neither fits.
func (c config) spread(key string, n int, otherwise int64) []int64 {
	list := c.nums(key)
	switch {
	case list == nil:
		return slices.Repeat([]int64{otherwise}, n)
	case len(list) == 1:
		return slices.Repeat(list, n)
	case len(list) == n:
		return list
	}
	return nil
}

// pairs returns n pairs of numbers, as paddings and croppings are written: 1, [1, 2], or [[1, 2],
// [0, 1]].
func (c config) pairs(key string, n int) [][2]int64 {
	pairs := make([][2]int64, n)
	v := plain(c[key])
	if f, ok := v.(float64); ok {
		for i := range pairs {
			pairs[i] = [2]int64{int64(f), int64(f)}
		}
		return pairs
	}
	list, _ := v.([]any)
	if flat := numbers(v); n == 1 && len(flat) == 2 {
		return [][2]int64{{flat[0], flat[1]}}
	}
	if len(list) != n {
		return nil
	}
	for i, x := range list {
		switch p := numbers(x); len(p) {
		case 1:
			pairs[i] = [2]int64{p[0], p[0]}
		case 2:
			pairs[i] = [2]int64{p[0], p[1]}
		default:
			return nil
		}
	}
	return pairs
}

// layer returns the class and the config of a layer that is a part of this one, such as a
// wrapper's.
func (c config) layer(key string) (class string, inner config) {
	m, _ := c[key].(map[string]any)
	class, _ = m["class_name"].(string)
	inner, _ = m["config"].(map[string]any)
	return class[strings.LastIndexByte(class, '>')+1:], inner
}

// inputShape returns the shape that an InputLayer, or the first layer of a stack, was given.
func (c config) inputShape() (tensor.Shape, bool) {
	for _, key := range []string{"batch_input_shape", "batch_shape"} {
		if dims := c.nums(key); dims != nil {
			return tensor.MakeShape(dims...), true
		}
	}
	return tensor.Shape{}, false
}

// inbound is one tensor that a layer is called with: output tensor of call node of a layer.
type inbound struct {
	layer        string
	node, tensor int
}

// inboundNodes returns, for each call of a layer, the tensors it was called with, in order. Keras
// writes a call as a list of [name, node, tensor, keyword arguments], or as one such list, or with
// them as the values of a dictionary; keyword arguments may hold more.
func inboundNodes(data json.RawMessage) [][]inbound {
	var nodes []json.RawMessage
	if json.Unmarshal(data, &nodes) != nil {
		return nil
	}
	calls := make([][]inbound, 0, len(nodes))
	for _, n := range nodes {
		var tensors []inbound
		walkInbound(n, &tensors, 0)
		calls = append(calls, tensors)
	}
	return calls
}

// walkInbound collects the tensors in v, in the order of the text.
func walkInbound(v json.RawMessage, out *[]inbound, depth int) {
	if depth > maxNesting {
		return
	}
	switch v = bytes.TrimSpace(v); {
	case bytes.HasPrefix(v, []byte("[")):
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil {
			return
		}
		var in inbound
		if len(list) >= 3 && json.Unmarshal(list[0], &in.layer) == nil && json.Unmarshal(list[1], &in.node) == nil && in.layer != "_CONSTANT_VALUE" &&
			json.Unmarshal(list[2], &in.tensor) == nil {
			*out = append(*out, in)
			list = list[3:]
		}
		for _, x := range list {
			walkInbound(x, out, depth+1)
		}
	case bytes.HasPrefix(v, []byte("{")):
		_ = eachMember(v, func(_ string, value json.RawMessage) { walkInbound(value, out, depth+1) })
	}
}

// eachMember calls f with the members of a JSON object in the order of the text.
func eachMember(object json.RawMessage, f func(key string, value json.RawMessage)) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return errors.New("a key that is no string")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		f(name, value)
	}
	return nil
}

// layerTensors returns the [name, node, tensor] entries of a model's input_layers or output_layers,
// however they are nested.
func layerTensors(data json.RawMessage) []inbound {
	var out []inbound
	walkInbound(data, &out, 0)
	return out
}
