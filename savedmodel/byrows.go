package savedmodel

import (
	"encoding/json"
	"regexp"
	"strconv"

	"github.com/tfrun/tfrun/internal/graph"
)

// ByRows returns the signature as the Python function behind it is called: with one input for each
// ragged or sparse argument. A SavedModel's signature takes the tensors that such an argument is
// made of as inputs of their own ("args_0" and "args_0_1" for the values and row splits of one
// ragged input), whose first axes are no rows. The function's own signature, in the object graph,
// says which belong together.
//
// Where Keras or the function's dictionary names the argument, the input has that name, and
// [TensorInfo.Key] holds the signature's; else it is called after its first tensor. The signature
// itself is returned where nothing is to be put together, or the files do not say how.
func (mg *MetaGraph) ByRows(s *Signature) (*Signature, error) {
	if len(s.Inputs) < 2 {
		return s, nil
	}
	objs, err := mg.Objects()
	if err != nil {
		return nil, err
	}
	keys, args, err := mg.arguments(objs, s)
	if args == nil || err != nil {
		return s, err
	}
	names := mg.argumentNames(args)
	joined := *s
	joined.Inputs = make(map[string]TensorInfo, len(args))
	for i, arg := range args {
		info, n := s.Inputs[keys[0]], 1
		if arg.Class != "" {
			n, _ = arg.components()
			info = arg.join(s, keys[:n])
		}
		name := keys[0]
		if names[i] != "" && names[i] != name {
			name, info.Key = names[i], name
		}
		joined.Inputs[name], keys = info, keys[n:]
	}
	if len(joined.Inputs) != len(args) { // two have one name
		return s, nil
	}
	return &joined, nil
}

// arguments returns the signature's keys in the order of the tensors that the function behind it
// takes, and the arguments that those are of: nil where none is composite, or it cannot be told.
func (mg *MetaGraph) arguments(objs *ObjectGraph, s *Signature) (keys []string, args []StructuredTensor, err error) {
	f, keys, err := mg.called(s)
	for range graph.MaxUnwrap {
		if f == nil || err != nil {
			return nil, nil, err
		}
		c, err := objs.Function(f.Name)
		if err != nil {
			return nil, nil, err
		}
		if c != nil {
			if n := componentsIn(c.Inputs); n == len(s.Inputs) && n <= len(keys) && distinct(keys[:n]) {
				return keys[:n], c.Inputs, nil
			}
		}
		call := f.OnlyCall()
		if call == nil {
			return nil, nil, nil
		}
		inner, err := mg.Graph().Load(call.Def.GetAttr()["f"].GetFunc().GetName())
		if inner == nil || err != nil {
			return nil, nil, err
		}
		passed := make([]string, len(inner.Args))
		for i := range min(len(passed), len(call.Inputs)) {
			if arg, ok := call.Inputs[i].IsArg(); ok && arg < len(keys) {
				passed[i] = keys[arg]
			}
		}
		f, keys = inner, passed
	}
	return nil, nil, nil
}

// called returns the function that the main graph calls for a signature's outputs, and for each of
// its arguments the key of the input that it is, "" for others.
func (mg *MetaGraph) called(s *Signature) (*graph.Function, []string, error) {
	key := map[string]string{}
	for name, info := range s.Inputs {
		if _, has := s.Defaults[name]; has || info.Encoding != Dense {
			return nil, nil, nil
		}
		key[graph.NodeOf(info.Tensor)] = name
	}
	for _, output := range s.Tensors(s.Outputs) {
		call, err := mg.Graph().Call(output)
		if err != nil {
			return nil, nil, err
		}
		if call == nil {
			continue
		}
		f, err := mg.Graph().Load(call.GetAttr()["f"].GetFunc().GetName())
		if f == nil || err != nil {
			return nil, nil, err
		}
		data, _ := graph.SplitInputs(call)
		keys := make([]string, len(f.Args))
		for i := range min(len(keys), len(data)) {
			keys[i] = key[graph.NodeOf(data[i])]
		}
		return f, keys, nil
	}
	return nil, nil, nil
}

// componentsIn counts the tensors that arguments are made of; 0 where no argument is composite, or
// one is of a class whose tensors are not known.
func componentsIn(args []StructuredTensor) int {
	total, composite := 0, false
	for _, arg := range args {
		n, ok := arg.components()
		if !ok {
			return 0
		}
		total, composite = total+n, composite || arg.Class != ""
	}
	if !composite {
		return 0
	}
	return total
}

// components counts the tensors that an argument is made of. Of composites it knows ragged and
// sparse ones.
func (t StructuredTensor) components() (int, bool) {
	state := t.spec.GetTypeState().GetTupleValue().GetValues()
	switch {
	case t.Class == "":
		return 1, true
	case t.Class == "SparseTensorSpec" && len(state) >= 2:
		return 3, true
	case t.Class == "RaggedTensorSpec" && len(state) >= 4:
		rank := state[2].GetInt64Value()
		return int(rank) + 1, rank > 0 && rank < maxStructure
	}
	return 0, false
}

// join makes one input of those that the signature has for an argument's tensors.
func (t StructuredTensor) join(s *Signature, keys []string) TensorInfo {
	var components []Component
	for _, key := range keys {
		in := s.Inputs[key]
		components = append(components, Component{DType: in.DType, Shape: in.Shape, Tensor: in.Tensor})
	}
	var info TensorInfo
	info.setComposite(t.spec, components)
	if state := t.spec.GetTypeState().GetTupleValue().GetValues(); info.Sparse() {
		info.Shape, info.DType = graph.Shape(state[0].GetTensorShapeValue()), graph.DType(state[1].GetTensorDtypeValue())
	}
	return info
}

// distinct reports whether all names are given, and differ.
func distinct(names []string) bool {
	seen := map[string]bool{"": true}
	for _, name := range names {
		if seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

// argumentNames returns the names that the model has for its arguments, the keys of a dictionary or
// those of Keras 2's input layers; "" for one that has none.
func (mg *MetaGraph) argumentNames(args []StructuredTensor) []string {
	names, named := make([]string, len(args)), false
	for i, arg := range args {
		if m := lastKey.FindStringSubmatch(arg.Path); m != nil {
			names[i], _ = strconv.Unquote(m[1])
			named = true
		}
	}
	if layers := mg.kerasInputs(); !named && len(layers) == len(args) {
		return layers
	}
	return names
}

// lastKey finds the key of a dictionary that a path ends with.
var lastKey = regexp.MustCompile(`\[("(?:[^"\\]|\\.)*")\]$`)

// kerasInputs returns the names of a Keras 2 model's inputs, in the order of its list of them; nil
// where it has no such list.
func (mg *MetaGraph) kerasInputs() []string {
	meta, err := mg.KerasMetadata()
	if err != nil || meta[0] == nil {
		return nil
	}
	var config struct {
		Inputs []json.RawMessage `json:"input_layers"`
		Layers []struct {
			Class  string `json:"class_name"`
			Config struct {
				Name string `json:"name"`
			} `json:"config"`
		} `json:"layers"`
	}
	if json.Unmarshal(meta[0].Config, &config) != nil {
		return nil
	}
	var names []string
	for _, in := range config.Inputs {
		var place []any // ["tokens", 0, 0]: a layer's name, and which of its tensors
		_ = json.Unmarshal(in, &place)
		if len(place) == 0 {
			return nil
		}
		name, _ := place[0].(string)
		names = append(names, name)
	}
	// a Sequential has no list, but may begin with its input
	if len(config.Inputs) == 0 && len(config.Layers) > 0 && config.Layers[0].Class == "InputLayer" {
		names = append(names, config.Layers[0].Config.Name)
	}
	return names
}
