package rewrite

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of node_def.proto, function.proto and attr_value.proto that only this file uses.
const (
	fieldNodeDevice     = 4 // NodeDef
	fieldFunctionResult = 4 // FunctionDef: a map
	fieldAttrType       = 6 // AttrValue
)

// readScopes reads the main graph and the functions that hold a convolution or a sum, in the file's
// order, and notes the kernels that are always unsafe to share. It does not read the values of
// constants, which may be most of the file.
func (a *apart) readScopes(def []byte) ([]*apartScope, error) {
	main := &apartScope{}
	scopes := []*apartScope{main}
	err := wire.Each(def, func(f wire.Field) error {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == graph.FieldNodes:
			return a.readNode(main, f.Data)
		case f.Num == graph.FieldLibrary:
			return wire.Each(f.Data, func(f wire.Field) error {
				if f.Num != graph.FieldFunctions || f.Type != protowire.BytesType {
					return nil
				}
				s, err := a.readFunction(f.Data)
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
	err := wire.Each(def, func(f wire.Field) (err error) {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == graph.FieldFunctionNodes:
			err = a.readNode(s, f.Data)
		case f.Num == fieldFunctionResult:
			var key, value string
			if key, value, err = stringPair(f.Data); err == nil {
				s.results[key] = value
			}
		}
		return err
	})
	return s, err
}

// stringPair reads an entry of a map from strings to strings.
func stringPair(entry []byte) (key, value string, err error) {
	if key, err = wire.String(entry, wire.FieldMapKey); err == nil {
		value, err = wire.String(entry, wire.FieldMapValue)
	}
	return key, value, err
}

func (a *apart) readNode(s *apartScope, def []byte) error {
	n := &apartNode{}
	var waits []string
	err := wire.Each(def, func(f wire.Field) error {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == graph.FieldNodeName:
			n.name = string(f.Data)
		case f.Num == graph.FieldNodeOp:
			n.op = string(f.Data)
		case f.Num == fieldNodeDevice:
			n.device = string(f.Data)
		case f.Num == graph.FieldNodeInputs && bytes.HasPrefix(f.Data, []byte("^")):
			waits = append(waits, string(f.Data))
		case f.Num == graph.FieldNodeInputs:
			n.inputs = append(n.inputs, string(f.Data))
		case f.Num == graph.FieldNodeAttrs && n.op != "Const":
			return n.readAttr(f.Data)
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

// readAttr reads an entry of a node's map of attributes.
func (n *apartNode) readAttr(entry []byte) error {
	key, err := wire.String(entry, wire.FieldMapKey)
	if err != nil {
		return err
	}
	return wire.Each(entry, func(f wire.Field) error {
		if f.Num != wire.FieldMapValue || f.Type != protowire.BytesType {
			return nil
		}
		switch {
		case key == "T" && n.op == "Bitcast", key == "SrcT":
			n.was = f.Data
		case key == "T", key == "DstT", key == "type" && n.op == "Bitcast":
			n.dtype = f.Data
		}
		return wire.Each(f.Data, func(f wire.Field) error {
			switch {
			case f.Type != protowire.BytesType:
			case f.Num == graph.FieldAttrFunc:
				n.calls = true
			case f.Num == graph.FieldAttrList:
				n.squeezes = n.squeezes || key == "squeeze_dims" && len(f.Data) > 0
				return wire.Each(f.Data, func(f wire.Field) error {
					n.calls = n.calls || f.Num == graph.FieldListFuncs
					n.fused = n.fused || key == "fused_ops" && (string(f.Data) == "Add" || string(f.Data) == "Sum")
					return nil
				})
			}
			return nil
		})
	})
}

// attrType returns the type in a serialized AttrValue.
func attrType(value []byte) (t typespb.DataType) {
	_ = wire.Each(value, func(f wire.Field) error {
		if f.Num == fieldAttrType {
			t = typespb.DataType(f.N)
		}
		return nil
	})
	return t
}

// connect finds the nodes that make the inputs. A name that no node has is an argument's.
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

// resolve returns the node that makes a tensor, and the tensor's name there. It looks through
// IdentityN, which passes several tensors on.
func (s *apartScope) resolve(tensor string) (*apartNode, string) {
	for range maxHandedOn {
		n := s.byName[graph.NodeOf(tensor)]
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

// write returns the graph with an operation wherever a sum must be kept apart from a convolution.
// At the borders of functions it puts one only if across is set.
func (a *apart) write(def []byte, scopes []*apartScope, across bool) ([]byte, error) {
	main := newApartWriter(scopes[0], across)
	var out []byte
	next := 1
	err := wire.EachRaw(def, func(f wire.Field, raw []byte) error {
		switch {
		case f.Num == graph.FieldNodes && f.Type == protowire.BytesType:
			var err error
			out, err = main.node(out, graph.FieldNodes, f.Data, raw)
			return err
		case f.Num == graph.FieldLibrary && f.Type == protowire.BytesType:
			var library []byte
			err := wire.EachRaw(f.Data, func(f wire.Field, raw []byte) error {
				if f.Num == graph.FieldFunctions && f.Type == protowire.BytesType {
					w := newApartWriter(scopes[next], across)
					next++
					if len(w.changed) > 0 || len(w.results) > 0 {
						function, err := w.function(f.Data)
						library = wire.Append(library, graph.FieldFunctions, function)
						return err
					}
				}
				library = append(library, raw...)
				return nil
			})
			out = wire.Append(out, graph.FieldLibrary, library)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	for _, n := range main.added {
		out = wire.Append(out, graph.FieldNodes, n)
	}
	return out, err
}

// apartWriter writes one scope anew.
type apartWriter struct {
	s       *apartScope
	names   nameSet
	changed map[string][]string // node → its new inputs
	results map[string]string   // result of a function → its new tensor
	added   [][]byte            // NodeDefs
	between map[string]string   // tensor → the tensor to take in its place
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
			// A leaving tensor that is a result; results follow below.
			continue
		}
		if w.changed[u.node.name] == nil {
			w.changed[u.node.name] = slices.Clone(u.node.inputs)
		}
		w.changed[u.node.name][u.input] = w.hold(u.node.from[u.input], u.node.inputs[u.input])
	}
	return w
}

// hold adds an operation that passes a tensor on, and returns the name of its output. The optimizer
// does not remove EnsureShape and PlaceholderWithDefault. EnsureShape keeps what is known of the
// shape, but needs the number of axes.
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
	value, _ := proto.Marshal(shapeAttr(shape))
	def := wire.Append(nil, graph.FieldNodeName, []byte(name))
	def = wire.Append(def, graph.FieldNodeOp, []byte(op))
	def = wire.Append(def, graph.FieldNodeInputs, []byte(tensor))
	def = wire.Append(def, fieldNodeDevice, []byte(n.device))
	def = wire.Append(def, graph.FieldNodeAttrs, wire.Entry(dtype, n.dtype))
	def = wire.Append(def, graph.FieldNodeAttrs, wire.Entry("shape", value))
	w.added = append(w.added, def)
	held := name
	if w.s.function {
		held += ":output:0"
	}
	w.between[tensor] = held
	return held
}

// node appends a NodeDef as a field, with its new inputs if it has any.
func (w *apartWriter) node(out []byte, num protowire.Number, def, raw []byte) ([]byte, error) {
	name, err := wire.String(def, graph.FieldNodeName)
	inputs, ok := w.changed[name]
	if err != nil || !ok {
		return append(out, raw...), err
	}
	var node []byte
	err = wire.EachRaw(def, func(f wire.Field, raw []byte) error {
		if f.Num != graph.FieldNodeInputs {
			node = append(node, raw...)
		}
		return nil
	})
	for _, in := range inputs {
		node = wire.Append(node, graph.FieldNodeInputs, []byte(in))
	}
	return wire.Append(out, num, node), err
}

// function returns a FunctionDef with its new nodes, inputs and results.
func (w *apartWriter) function(def []byte) ([]byte, error) {
	var out []byte
	err := wire.EachRaw(def, func(f wire.Field, raw []byte) (err error) {
		switch {
		case f.Num == graph.FieldFunctionNodes && f.Type == protowire.BytesType:
			out, err = w.node(out, graph.FieldFunctionNodes, f.Data, raw)
			return err
		case f.Num == fieldFunctionResult && f.Type == protowire.BytesType:
			key, err := wire.String(f.Data, wire.FieldMapKey)
			if held, ok := w.results[key]; ok && err == nil {
				raw = wire.Append(nil, fieldFunctionResult, wire.Entry(key, []byte(held)))
			}
			out = append(out, raw...)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	for _, n := range w.added {
		out = wire.Append(out, graph.FieldFunctionNodes, n)
	}
	return out, err
}
