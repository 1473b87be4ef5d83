package graph

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of node_def.proto, attr_value.proto and function.proto that reachability follows.
const (
	FieldNodeOp     = 2 // NodeDef
	FieldNodeInputs = 3
	FieldNodeAttrs  = 5

	FieldAttrList     = 1 // AttrValue
	FieldAttrString   = 2
	FieldAttrFunc     = 10
	fieldListStrings  = 2 // AttrValue.ListValue
	FieldListFuncs    = 9
	fieldNameAttrName = 1 // NameAttrList
	fieldNameAttrs    = 2

	FieldFunctionNodes = 3 // FunctionDef
	fieldFunctionAttrs = 5
)

// Reach finds the part of a graph that something depends on: nodes of the main graph, the functions
// that these call, and so on. It decodes nothing and does not recurse.
type Reach struct {
	Nodes, Functions map[string]bool
	// Ops, if not nil, is filled with the types of the operations in the marked part.
	Ops map[string]bool
	// Unnamed is the name of an attribute: operations that have it are left out of Ops.
	Unnamed string
	// CPUOnly leaves out functions that may take the place of another one on a GPU.
	CPUOnly bool
	// Fed makes Reach find what a run executes instead of what a file has to hold. It holds the
	// tensors that the run feeds; nodes that only share another one's device are then left out.
	// nil: what a file has to hold.
	Fed map[string]bool
	// Without is what is never marked; nil where nothing is left out.
	Without *Cut

	g    *Graph
	x    *index
	todo []string // marked functions whose nodes are still to be followed
}

// Reach returns a Reach with nothing marked.
func (g *Graph) Reach() (*Reach, error) {
	x, err := g.index()
	if err != nil {
		return nil, err
	}
	return &Reach{g: g, x: x, Nodes: map[string]bool{}, Functions: map[string]bool{}}, nil
}

// Feed adds tensors that a run feeds.
func (p *Reach) Feed(tensors []string) {
	p.Fed = map[string]bool{}
	for _, name := range tensors {
		p.Fed[OutputOf(name)] = true
	}
}

// Mark marks the nodes that roots (tensors or nodes) depend on, and the functions that these call.
func (p *Reach) Mark(roots []string) error {
	if err := p.MarkNodes(roots); err != nil {
		return err
	}
	return p.followFunctions()
}

// MarkNodes marks nodes of the main graph as Mark does, and no functions.
func (p *Reach) MarkNodes(roots []string) error {
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		input := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		name := NodeOf(input)
		node, ok := p.x.nodes[name]
		if !ok || p.Nodes[name] || p.Fed[OutputOf(input)] || p.Without.Has(name) {
			continue
		}
		p.Nodes[name] = true
		err := p.followNode(node, func(input []byte) {
			if name := nameIn(input); p.x.nodes[string(name)] != nil && !p.Nodes[string(name)] {
				todo = append(todo, string(input))
			}
		})
		if err != nil {
			return p.g.Damaged("its graph", err)
		}
	}
	return nil
}

// nameIn is [NodeOf] for bytes, without a copy.
func nameIn(input []byte) []byte {
	name, _, _ := bytes.Cut(bytes.TrimPrefix(input, []byte("^")), []byte(":"))
	return name
}

// MarkAll marks all nodes and functions.
func (p *Reach) MarkAll() {
	for name := range p.x.nodes {
		p.Nodes[name] = !p.Without.Has(name)
	}
	for name := range p.x.functions {
		p.Functions[name] = p.Without == nil || !p.Without.Functions[name]
	}
}

// MarkFunctions marks functions and the functions that these call.
func (p *Reach) MarkFunctions(names ...string) error {
	for _, name := range names {
		p.need(name)
	}
	return p.followFunctions()
}

// Main returns the marked nodes of the main graph in the form of a function's body, in the file's
// order. Its arguments are the tensors that a run feeds; an argument "" is no tensor.
func (p *Reach) Main(feeds []string) (*Function, error) {
	f := &Function{ByName: map[string]*Node{}, ArgAt: map[string]int{}}
	for i, tensor := range feeds {
		f.Args = append(f.Args, tensor)
		if tensor != "" {
			f.ArgAt[strings.TrimSuffix(tensor, ":0")] = i
		}
	}
	for _, name := range p.x.inOrder(p.Nodes) {
		def, err := p.g.Node(name)
		if err != nil {
			return nil, err
		}
		n := NewNode(def)
		n.Index = len(f.Nodes)
		f.Nodes = append(f.Nodes, n)
		f.ByName[name] = n
	}
	for _, n := range f.Nodes {
		n.Inputs = make([]Ref, 0, len(n.Def.GetInput()))
		for _, in := range n.Def.GetInput() {
			if !strings.HasPrefix(in, "^") {
				n.Inputs = append(n.Inputs, f.MainRef(in))
			}
		}
	}
	return f, nil
}

// followNode marks the functions that a node names. It calls need with the tensors and nodes that
// the node depends on: its inputs, and the nodes whose device it shares.
func (p *Reach) followNode(def []byte, need func([]byte)) error {
	op, unnamed := "", false
	err := wire.Each(def, func(f wire.Field) error {
		switch {
		case f.Type != protowire.BytesType:
		case f.Num == FieldNodeOp:
			op = string(f.Data)
			p.need(op) // TensorFlow 1 calls a function by an op of its name
		case f.Num == FieldNodeInputs:
			need(f.Data)
		case f.Num == FieldNodeAttrs:
			key, err := p.followAttr(f.Data, func(beside []byte) {
				if p.Fed == nil {
					need(beside)
				}
			})
			unnamed = unnamed || key == p.Unnamed
			return err
		}
		return nil
	})
	if p.Ops != nil && !unnamed {
		p.Ops[op] = true
	}
	return err
}

// followAttr reads an entry of a map of attributes and returns its key. It calls beside with the
// nodes that the attribute _class names ("loc:@node").
func (p *Reach) followAttr(entry []byte, beside func([]byte)) (key string, err error) {
	if key, err = wire.String(entry, wire.FieldMapKey); err != nil {
		return "", err
	}
	err = wire.Each(entry, func(f wire.Field) error {
		if f.Num != wire.FieldMapValue || f.Type != protowire.BytesType {
			return nil
		}
		return p.followValue(f.Data, func(s []byte) {
			if name, ok := bytes.CutPrefix(s, []byte("loc:@")); ok && key == "_class" {
				beside(name)
			}
		})
	})
	return key, err
}

// followValue marks the functions that an AttrValue names, also those inside the attributes of
// functions, and calls text with its strings.
func (p *Reach) followValue(value []byte, text func([]byte)) error {
	todo := [][]byte{value}
	function := func(nameAttrList []byte) error {
		return wire.Each(nameAttrList, func(f wire.Field) error {
			switch {
			case f.Type != protowire.BytesType:
			case f.Num == fieldNameAttrName:
				p.need(string(f.Data))
			case f.Num == fieldNameAttrs:
				return wire.Each(f.Data, func(f wire.Field) error {
					if f.Num == wire.FieldMapValue && f.Type == protowire.BytesType {
						todo = append(todo, f.Data)
					}
					return nil
				})
			}
			return nil
		})
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		err := wire.Each(v, func(f wire.Field) error {
			switch {
			case f.Type != protowire.BytesType:
			case f.Num == FieldAttrString:
				text(f.Data)
			case f.Num == FieldAttrFunc:
				return function(f.Data)
			case f.Num == FieldAttrList:
				return wire.Each(f.Data, func(f wire.Field) error {
					switch {
					case f.Type != protowire.BytesType:
					case f.Num == fieldListStrings:
						text(f.Data)
					case f.Num == FieldListFuncs:
						return function(f.Data)
					}
					return nil
				})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// need marks a function of the library.
func (p *Reach) need(name string) {
	if _, ok := p.x.functions[name]; ok && !p.Functions[name] && (p.Without == nil || !p.Without.Functions[name]) {
		p.Functions[name] = true
		p.todo = append(p.todo, name)
	}
}

// followFunctions marks the functions that marked functions call. Functions that implement one
// interface (the attribute api_implements) are marked together: TensorFlow's optimizer may replace
// one by another, for instance by the LSTM for GPUs.
func (p *Reach) followFunctions() error {
	implementations, err := p.implementations()
	if err != nil {
		return p.g.Damaged("its graph", err)
	}
	for len(p.todo) > 0 {
		name := p.todo[len(p.todo)-1]
		p.todo = p.todo[:len(p.todo)-1]
		err := wire.Each(p.x.functions[name], func(f wire.Field) error {
			switch {
			case f.Type != protowire.BytesType:
			case f.Num == FieldFunctionNodes:
				return p.followNode(f.Data, nowhere)
			case f.Num == fieldFunctionAttrs:
				_, err := p.followAttr(f.Data, nowhere)
				return err
			}
			return nil
		})
		if err != nil {
			return p.g.Damaged("its graph", err)
		}
		api := implementations.by[name]
		for _, other := range implementations.of[api] {
			p.need(other)
		}
		delete(implementations.of, api) // all of them are marked now
		if gradient, ok := p.x.gradients[name]; ok {
			p.need(gradient)
		}
	}
	return nil
}

// nowhere ignores the nodes that a function's node depends on: they are in the same function.
func nowhere([]byte) {}

// implementations groups functions by the interface that they implement.
type implementations struct {
	by map[string]string   // function → interface
	of map[string][]string // interface → functions
}

// implementations returns the functions that implement each interface. Those for GPUs are left out
// with CPUOnly.
func (p *Reach) implementations() (implementations, error) {
	m := implementations{by: map[string]string{}, of: map[string][]string{}}
	for _, name := range p.x.funcNames {
		api, device := "", ""
		err := wire.Each(p.x.functions[name], func(f wire.Field) (err error) {
			if f.Num != fieldFunctionAttrs || f.Type != protowire.BytesType {
				return nil
			}
			switch key, err := wire.String(f.Data, wire.FieldMapKey); {
			case err != nil:
				return err
			case key == "api_implements":
				api, err = EntryString(f.Data)
				return err
			case key == "api_preferred_device":
				device, err = EntryString(f.Data)
				return err
			}
			return nil
		})
		if err != nil {
			return m, err
		}
		if api != "" {
			m.by[name] = api
			if device != "GPU" || !p.CPUOnly {
				m.of[api] = append(m.of[api], name)
			}
		}
	}
	return m, nil
}

// EntryString returns the value of an entry of a map of attributes, if it is a string.
func EntryString(entry []byte) (value string, err error) {
	err = wire.Each(entry, func(f wire.Field) error {
		if f.Num != wire.FieldMapValue || f.Type != protowire.BytesType {
			return nil
		}
		value, err = wire.String(f.Data, FieldAttrString)
		return err
	})
	return value, err
}
