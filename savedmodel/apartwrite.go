package savedmodel

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of node_def.proto, function.proto and attr_value.proto that only this file reads.
const (
	fieldNodeDevice     = 4 // NodeDef
	fieldFunctionResult = 4 // FunctionDef: a map
	fieldAttrType       = 6 // AttrValue
)

// readScopes reads the main graph and the functions that hold a convolution or a sum, in the file's
// order, and notes the operations whose kernels are shared whatever stands around them. Values of
// constants are not looked at: they may be most of the file.
func (a *apart) readScopes(graph []byte) ([]*apartScope, error) {
	main := &apartScope{}
	scopes := []*apartScope{main}
	err := eachField(graph, func(f field) error {
		switch {
		case f.typ != protowire.BytesType:
		case f.num == fieldNodes:
			return a.readNode(main, f.data)
		case f.num == fieldLibrary:
			return eachField(f.data, func(f field) error {
				if f.num != fieldFunctions || f.typ != protowire.BytesType {
					return nil
				}
				s, err := a.readFunction(f.data)
				scopes = append(scopes, s)
				return err
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, s := range scopes {
		s.connect()
	}
	return scopes, nil
}

func (a *apart) readFunction(def []byte) (*apartScope, error) {
	s := &apartScope{function: true, results: map[string]string{}}
	err := eachField(def, func(f field) (err error) {
		switch {
		case f.typ != protowire.BytesType:
		case f.num == fieldFunctionNodes:
			err = a.readNode(s, f.data)
		case f.num == fieldFunctionResult:
			var key, value string
			if key, value, err = stringPair(f.data); err == nil {
				s.results[key] = value
			}
		}
		return err
	})
	return s, err
}

// stringPair reads an entry of a map of strings to strings.
func stringPair(entry []byte) (key, value string, err error) {
	if key, err = stringField(entry, fieldMapKey); err == nil {
		value, err = stringField(entry, fieldMapValue)
	}
	return key, value, err
}

func (a *apart) readNode(s *apartScope, def []byte) error {
	n := &apartNode{}
	var waits []string
	err := eachField(def, func(f field) error {
		switch {
		case f.typ != protowire.BytesType:
		case f.num == fieldNodeName:
			n.name = string(f.data)
		case f.num == fieldNodeOp:
			n.op = string(f.data)
		case f.num == fieldNodeDevice:
			n.device = string(f.data)
		case f.num == fieldNodeInputs && bytes.HasPrefix(f.data, []byte("^")):
			waits = append(waits, string(f.data))
		case f.num == fieldNodeInputs:
			n.inputs = append(n.inputs, string(f.data))
		case f.num == fieldNodeAttrs && n.op != "Const":
			return n.readAttr(f.data)
		}
		return nil
	})
	n.from, n.made = make([]*apartNode, len(n.inputs)), make([]string, len(n.inputs))
	n.inputs = append(n.inputs, waits...)
	s.nodes = append(s.nodes, n)
	if sharedKernel(n.op, n.fused) {
		a.kernels[n.op] = true
	}
	return err
}

// readAttr looks at an entry of a node's map of attributes.
func (n *apartNode) readAttr(entry []byte) error {
	key, err := stringField(entry, fieldMapKey)
	if err != nil {
		return err
	}
	return eachField(entry, func(f field) error {
		if f.num != fieldMapValue || f.typ != protowire.BytesType {
			return nil
		}
		switch {
		case key == "T" && n.op == "Bitcast", key == "SrcT":
			n.was = f.data
		case key == "T", key == "DstT", key == "type" && n.op == "Bitcast":
			n.dtype = f.data
		}
		return eachField(f.data, func(f field) error {
			switch {
			case f.typ != protowire.BytesType:
			case f.num == fieldAttrFunc:
				n.calls = true
			case f.num == fieldAttrList:
				n.squeezes = n.squeezes || key == "squeeze_dims" && len(f.data) > 0
				return eachField(f.data, func(f field) error {
					n.calls = n.calls || f.num == fieldListFuncs
					n.fused = n.fused || key == "fused_ops" && (string(f.data) == "Add" || string(f.data) == "Sum")
					return nil
				})
			}
			return nil
		})
	})
}

// attrType is the type in a serialized AttrValue.
func attrType(value []byte) (t typespb.DataType) {
	_ = eachField(value, func(f field) error {
		if f.num == fieldAttrType {
			t = typespb.DataType(f.n)
		}
		return nil
	})
	return t
}

// connect finds what makes the inputs. The name of no node is that of an argument.
func (s *apartScope) connect() {
	s.byName = make(map[string]*apartNode, len(s.nodes))
	for _, n := range s.nodes {
		s.byName[n.name] = n
	}
	for _, n := range s.nodes {
		for i := range n.from {
			if n.from[i], n.made[i] = s.resolve(n.inputs[i]); n.from[i] != nil {
				n.from[i].users = append(n.from[i].users, apartUse{n, i})
			}
		}
	}
}

// resolve returns the node that makes a tensor and the tensor's name there. It looks through
// IdentityN, which hands several tensors on.
func (s *apartScope) resolve(tensor string) (*apartNode, string) {
	for range maxHandedOn {
		n := s.byName[nodeOf(tensor)]
		if n == nil || n.op != "IdentityN" {
			return n, tensor
		}
		_, output, _ := strings.Cut(tensor, ":")
		i, _ := strconv.Atoi(output[strings.LastIndexByte(output, ':')+1:])
		if i < 0 || i >= len(n.from) {
			return nil, tensor
		}
		tensor = n.inputs[i]
	}
	return nil, tensor
}

// write returns the graph with an operation at each place where a convolution and a sum are to stay
// apart; those at the borders of functions only where across is true.
func (a *apart) write(graph []byte, scopes []*apartScope, across bool) ([]byte, error) {
	main := newApartWriter(scopes[0], across)
	var out []byte
	next := 1
	err := eachRaw(graph, func(f field, raw []byte) error {
		switch {
		case f.num == fieldNodes && f.typ == protowire.BytesType:
			var err error
			out, err = main.node(out, fieldNodes, f.data, raw)
			return err
		case f.num == fieldLibrary && f.typ == protowire.BytesType:
			var library []byte
			err := eachRaw(f.data, func(f field, raw []byte) error {
				if f.num == fieldFunctions && f.typ == protowire.BytesType {
					w := newApartWriter(scopes[next], across)
					next++
					if len(w.changed) > 0 || len(w.results) > 0 {
						function, err := w.function(f.data)
						library = appendField(library, fieldFunctions, function)
						return err
					}
				}
				library = append(library, raw...)
				return nil
			})
			out = appendField(out, fieldLibrary, library)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	for _, n := range main.added {
		out = appendField(out, fieldNodes, n)
	}
	return out, err
}

func appendField(out []byte, num protowire.Number, data []byte) []byte {
	out = protowire.AppendTag(out, num, protowire.BytesType)
	return protowire.AppendBytes(out, data)
}

func mapEntry(key string, value []byte) []byte {
	return appendField(appendField(nil, fieldMapKey, []byte(key)), fieldMapValue, value)
}

// apartWriter writes one scope anew.
type apartWriter struct {
	s       *apartScope
	names   nameSet
	changed map[string][]string // the inputs of a node → as they are to be
	results map[string]string   // of a function → as they are to be
	added   [][]byte            // NodeDefs
	between map[string]string   // a tensor → the one to take in its place
}

func newApartWriter(s *apartScope, across bool) *apartWriter {
	w := &apartWriter{s: s, names: nameSet{}, changed: map[string][]string{}, results: map[string]string{}, between: map[string]string{}}
	for _, n := range s.nodes {
		w.names[n.name] = true
	}
	uses := slices.Clone(s.sums)
	if across {
		uses = append(uses, s.leaving...)
		for _, key := range slices.Sorted(maps.Keys(s.results)) {
			if n, made := s.resolve(s.results[key]); n != nil && n.state != 0 && n.gives(made) {
				w.results[key] = w.hold(n, s.results[key])
			}
		}
	}
	for _, u := range uses {
		if u.node == nil {
			continue // a result
		}
		if w.changed[u.node.name] == nil {
			w.changed[u.node.name] = slices.Clone(u.node.inputs)
		}
		w.changed[u.node.name][u.input] = w.hold(u.node.from[u.input], u.node.inputs[u.input])
	}
	return w
}

// hold makes an operation that hands a tensor on, and returns the name of what it gives. The
// optimizer knows EnsureShape and PlaceholderWithDefault for what they may do, and takes neither
// away. EnsureShape keeps what is known of the shape, and has to be told the number of axes.
func (w *apartWriter) hold(n *apartNode, tensor string) string {
	if held, ok := w.between[tensor]; ok {
		return held
	}
	name := w.names.unused(n.name + "/apart")
	op, dtype, shape := "EnsureShape", "T", &shapepb.TensorShapeProto{}
	for range n.rank {
		shape.Dim = append(shape.Dim, &shapepb.TensorShapeProto_Dim{Size: -1})
	}
	if n.rank == 0 {
		op, dtype, shape.UnknownRank = "PlaceholderWithDefault", "dtype", true
	}
	value, _ := proto.Marshal(&attrpb.AttrValue{Value: &attrpb.AttrValue_Shape{Shape: shape}})
	def := appendField(nil, fieldNodeName, []byte(name))
	def = appendField(def, fieldNodeOp, []byte(op))
	def = appendField(def, fieldNodeInputs, []byte(tensor))
	def = appendField(def, fieldNodeDevice, []byte(n.device))
	def = appendField(def, fieldNodeAttrs, mapEntry(dtype, n.dtype))
	def = appendField(def, fieldNodeAttrs, mapEntry("shape", value))
	w.added = append(w.added, def)
	held := name
	if w.s.function {
		held += ":output:0"
	}
	w.between[tensor] = held
	return held
}

// node appends a NodeDef as a field, with its new inputs where it has some.
func (w *apartWriter) node(out []byte, num protowire.Number, def, raw []byte) ([]byte, error) {
	name, err := stringField(def, fieldNodeName)
	inputs, ok := w.changed[name]
	if err != nil || !ok {
		return append(out, raw...), err
	}
	var node []byte
	err = eachRaw(def, func(f field, raw []byte) error {
		if f.num != fieldNodeInputs {
			node = append(node, raw...)
		}
		return nil
	})
	for _, in := range inputs {
		node = appendField(node, fieldNodeInputs, []byte(in))
	}
	return appendField(out, num, node), err
}

// function returns a FunctionDef with its new nodes, inputs and results.
func (w *apartWriter) function(def []byte) ([]byte, error) {
	var out []byte
	err := eachRaw(def, func(f field, raw []byte) (err error) {
		switch {
		case f.num == fieldFunctionNodes && f.typ == protowire.BytesType:
			out, err = w.node(out, fieldFunctionNodes, f.data, raw)
			return err
		case f.num == fieldFunctionResult && f.typ == protowire.BytesType:
			key, err := stringField(f.data, fieldMapKey)
			if held, ok := w.results[key]; ok && err == nil {
				raw = appendField(nil, fieldFunctionResult, mapEntry(key, []byte(held)))
			}
			out = append(out, raw...)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	for _, n := range w.added {
		out = appendField(out, fieldFunctionNodes, n)
	}
	return out, err
}
