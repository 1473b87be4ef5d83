package savedmodel

import (
	"slices"
	"strings"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of node_def.proto, attr_value.proto and function.proto that pruning follows.
const (
	fieldNodeOp     = 2 // NodeDef
	fieldNodeInputs = 3
	fieldNodeAttrs  = 5

	fieldMapKey   = 1 // of any map's entry
	fieldMapValue = 2

	fieldAttrList     = 1 // AttrValue
	fieldAttrString   = 2
	fieldAttrFunc     = 10
	fieldListStrings  = 2 // AttrValue.ListValue
	fieldListFuncs    = 9
	fieldNameAttrName = 1 // NameAttrList
	fieldNameAttrs    = 2

	fieldFunctionNodes = 3 // FunctionDef
	fieldFunctionAttrs = 5

	fieldGradients        = 2 // FunctionDefLibrary
	fieldGradientFunction = 1 // GradientDef
	fieldGradientOf       = 2
)

// Reduction says what is left of a graph, and what is added to it; see [MetaGraph.Reduced].
type Reduction struct {
	// Signatures are those that will be run; without any, all.
	Signatures []string
	// CPUOnly leaves out functions that are there to take another's place on a GPU, such as the
	// LSTM with cuDNN.
	CPUOnly bool
	// Compiled adds a twin, to be compiled by XLA, of every signature that [MetaGraph.CheckCompile]
	// lets through: the same function over the same variables. [CompiledTensor] names its outputs;
	// the inputs are shared. With CPUOnly, and where the signature has loops that do not wait for
	// each other, each of these is compiled by itself, and TensorFlow runs them side by side: what
	// XLA makes for a CPU runs one operation after the other.
	Compiled bool
	// Lengths has what is compiled of loops serve several sizes of open axes, as [Compilation]
	// says. TensorFlow has to know [LengthsOp].
	Lengths bool
	// Lookups multiplies tables whose rows a loop looks up, such as an embedding's, with the
	// weights that the loop multiplies the rows with, once, when the model is loaded: the loop
	// looks up products then. Answers agree up to rounding. The tables take 128 MiB at most. It is
	// for CPUs.
	Lookups bool
	// NoOptimizer turns TensorFlow's graph optimizer off for the functions that are called: each
	// call carries settings of its own, which count more than the session's.
	NoOptimizer bool
}

// Pruned is [MetaGraph.Reduced] to what the named signatures reach; all signatures when none is
// named.
func (mg *MetaGraph) Pruned(signatures ...string) ([]byte, error) {
	return mg.Reduced(Reduction{Signatures: signatures})
}

// Reduced returns a serialized SavedModel with this graph alone, of which only what a loader and
// the signatures reach is left. Restoring the variables, initializing tables and reading assets
// work as before. A Keras 2 model carries every function that was ever traced, most of which no
// signature calls, and the tree of Python objects, which no C++ loader reads.
//
// No kernel of it is shared by runs at the same time unless [MetaGraph.ReducedApart] says so.
func (mg *MetaGraph) Reduced(r Reduction) ([]byte, error) {
	data, _, err := mg.ReducedApart(r)
	return data, err
}

// reducedGraph returns the GraphDef of Reduced before sums are taken apart, and its nodes' names.
func (mg *MetaGraph) reducedGraph(r Reduction) (graph []byte, nodes map[string]bool, err error) {
	g, err := mg.graph()
	if err != nil {
		return nil, nil, err
	}
	roots, err := mg.loaderRoots()
	if err != nil {
		return nil, nil, err
	}
	p := &pruner{g: g, cpuOnly: r.CPUOnly, lengths: r.Lengths, noOptimizer: r.NoOptimizer, nodes: map[string]bool{}, functions: map[string]bool{}}
	for name, s := range mg.Signatures {
		if len(r.Signatures) > 0 && !slices.Contains(r.Signatures, name) && !s.InitOp {
			continue
		}
		roots = append(append(roots, s.tensorNames(s.Inputs)...), s.tensorNames(s.Outputs)...)
		if r.Compiled && mg.CheckCompile(s) == nil {
			if err := p.addTwins(mg, s); err != nil {
				return nil, nil, mg.damaged("its graph", err)
			}
		}
	}
	if err := p.mark(roots); err != nil {
		return nil, nil, mg.damaged("its graph", err)
	}
	graph, err = p.graphDef(mg.raw.graph)
	if err != nil {
		return nil, nil, mg.damaged("its graph", err)
	}
	return graph, p.nodes, nil
}

// loaderRoots lists the nodes that loading runs or feeds: the saver's, the init ops, the tables'
// initializers, the assets' paths.
func (mg *MetaGraph) loaderRoots() ([]string, error) {
	saver := &pb.SaverDef{}
	if mg.raw.saver != nil {
		if err := mg.unmarshal(mg.raw.saver, saver, "the saver"); err != nil {
			return nil, err
		}
	}
	roots := append(mg.initOps(), saver.GetRestoreOpName(), saver.GetFilenameTensorName())
	tables, err := mg.collection("table_initializer")
	if err != nil {
		return nil, mg.damaged("its collections", err)
	}
	roots = append(roots, tables.GetNodeList().GetValue()...)
	for _, a := range mg.Assets {
		roots = append(roots, a.Tensor)
	}
	return roots, nil
}

// pruner marks what is reached.
type pruner struct {
	g                *graphIndex
	cpuOnly          bool
	lengths          bool
	noOptimizer      bool
	nodes, functions map[string]bool
	todo             []string // functions that are marked and not followed yet
	// if not nil, takes the types of the operations in what is marked, but for lookups within range
	ops   map[string]bool
	twins []byte // fields of a GraphDef to add

	// For what a run reaches, not what a file has to hold: these tensors are fed, and the nodes
	// that stand beside others are left out.
	fed map[string]bool
}

// mark marks the nodes that roots depend on, and the functions that these call, and so on. It does
// not recurse.
func (p *pruner) mark(roots []string) error {
	todo := slices.Clone(roots)
	for len(todo) > 0 {
		input := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		name := nodeOf(input)
		node, ok := p.g.nodes[name]
		if !ok || p.nodes[name] || p.fed[outputOf(input)] {
			continue
		}
		p.nodes[name] = true
		inputs, err := p.followNode(node)
		if err != nil {
			return err
		}
		todo = append(todo, inputs...)
	}
	return p.followFunctions()
}

// followNode marks the functions that a node names, and returns the nodes that it depends on: its
// inputs and those it has to stand beside.
func (p *pruner) followNode(def []byte) (needs []string, err error) {
	op, inRange := "", false
	err = eachField(def, func(f field) error {
		switch {
		case f.typ != protowire.BytesType:
		case f.num == fieldNodeOp:
			op = string(f.data)
			p.need(op) // TensorFlow 1 calls a function by an op of its name
		case f.num == fieldNodeInputs:
			needs = append(needs, string(f.data))
		case f.num == fieldNodeAttrs:
			key, beside, err := p.followAttr(f.data)
			inRange = inRange || key == inRangeAttr
			if p.fed == nil {
				needs = append(needs, beside...)
			}
			return err
		}
		return nil
	})
	if p.ops != nil && !inRange {
		p.ops[op] = true
	}
	return needs, err
}

// followAttr looks at an entry of a map of attributes. It returns its key, and the nodes that the
// attribute _class names ("loc:@node").
func (p *pruner) followAttr(entry []byte) (key string, beside []string, err error) {
	if key, err = stringField(entry, fieldMapKey); err != nil {
		return "", nil, err
	}
	err = eachField(entry, func(f field) error {
		if f.num != fieldMapValue || f.typ != protowire.BytesType {
			return nil
		}
		return p.followValue(f.data, func(s []byte) {
			if name, ok := strings.CutPrefix(string(s), "loc:@"); ok && key == "_class" {
				beside = append(beside, name)
			}
		})
	})
	return key, beside, err
}

// followValue marks the functions that an AttrValue names, those in the attributes of functions
// included, and calls text with its strings.
func (p *pruner) followValue(value []byte, text func([]byte)) error {
	todo := [][]byte{value}
	function := func(nameAttrList []byte) error {
		return eachField(nameAttrList, func(f field) error {
			switch {
			case f.typ != protowire.BytesType:
			case f.num == fieldNameAttrName:
				p.need(string(f.data))
			case f.num == fieldNameAttrs:
				return eachField(f.data, func(f field) error {
					if f.num == fieldMapValue && f.typ == protowire.BytesType {
						todo = append(todo, f.data)
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
		err := eachField(v, func(f field) error {
			switch {
			case f.typ != protowire.BytesType:
			case f.num == fieldAttrString:
				text(f.data)
			case f.num == fieldAttrFunc:
				return function(f.data)
			case f.num == fieldAttrList:
				return eachField(f.data, func(f field) error {
					switch {
					case f.typ != protowire.BytesType:
					case f.num == fieldListStrings:
						text(f.data)
					case f.num == fieldListFuncs:
						return function(f.data)
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
func (p *pruner) need(name string) {
	if _, ok := p.g.functions[name]; ok && !p.functions[name] {
		p.functions[name] = true
		p.todo = append(p.todo, name)
	}
}

// followFunctions marks what the marked functions call. Functions that implement the same interface
// (the attribute api_implements) belong together: TensorFlow's optimizer puts one in the place of
// another, such as the LSTM for GPUs.
func (p *pruner) followFunctions() error {
	implementations, err := p.implementations()
	if err != nil {
		return err
	}
	for len(p.todo) > 0 {
		name := p.todo[len(p.todo)-1]
		p.todo = p.todo[:len(p.todo)-1]
		err := eachField(p.g.functions[name], func(f field) error {
			switch {
			case f.typ != protowire.BytesType:
			case f.num == fieldFunctionNodes:
				_, err := p.followNode(f.data)
				return err
			case f.num == fieldFunctionAttrs:
				_, _, err := p.followAttr(f.data)
				return err
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, other := range implementations.of[implementations.by[name]] {
			p.need(other)
		}
	}
	return nil
}

// implementations groups functions by the interface that they implement.
type implementations struct {
	by map[string]string   // function → interface
	of map[string][]string // interface → functions
}

// implementations finds the functions that implement an interface. Those for a GPU cannot be chosen
// where there is none.
func (p *pruner) implementations() (implementations, error) {
	m := implementations{by: map[string]string{}, of: map[string][]string{}}
	for _, name := range p.g.funcNames {
		api, device := "", ""
		err := eachField(p.g.functions[name], func(f field) (err error) {
			if f.num != fieldFunctionAttrs || f.typ != protowire.BytesType {
				return nil
			}
			switch key, err := stringField(f.data, fieldMapKey); {
			case err != nil:
				return err
			case key == "api_implements":
				api, err = entryString(f.data)
				return err
			case key == "api_preferred_device":
				device, err = entryString(f.data)
				return err
			}
			return nil
		})
		if err != nil {
			return m, err
		}
		if api != "" {
			m.by[name] = api
			if device != "GPU" || !p.cpuOnly {
				m.of[api] = append(m.of[api], name)
			}
		}
	}
	return m, nil
}

// entryString returns the value of an entry of a map of attributes when that is a string.
func entryString(entry []byte) (value string, err error) {
	err = eachField(entry, func(f field) error {
		if f.num != fieldMapValue || f.typ != protowire.BytesType {
			return nil
		}
		value, err = stringField(f.data, fieldAttrString)
		return err
	})
	return value, err
}

// graphDef writes the GraphDef with the marked nodes and functions, everything else as it is.
func (p *pruner) graphDef(graph []byte) ([]byte, error) {
	var out []byte
	err := eachRaw(graph, func(f field, raw []byte) error {
		switch {
		case f.num == fieldNodes && f.typ == protowire.BytesType:
			name, err := stringField(f.data, fieldNodeName)
			if err != nil || !p.nodes[name] {
				return err
			}
			if p.noOptimizer {
				out, err = appendUnoptimized(out, fieldNodes, f.data)
				return err
			}
		case f.num == fieldLibrary && f.typ == protowire.BytesType:
			library, err := p.library(f.data)
			out = protowire.AppendTag(out, fieldLibrary, protowire.BytesType)
			out = protowire.AppendBytes(out, library)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	return append(out, p.twins...), err
}

// library writes the FunctionDefLibrary with the marked functions, and the gradients among them.
func (p *pruner) library(library []byte) ([]byte, error) {
	var out []byte
	err := eachRaw(library, func(f field, raw []byte) error {
		if f.typ != protowire.BytesType {
			return nil
		}
		switch f.num {
		case fieldFunctions:
			name, err := functionName(f.data)
			if err != nil || !p.functions[name] {
				return err
			}
			if p.noOptimizer {
				function, err := unoptimizedFunction(f.data)
				out = protowire.AppendTag(out, fieldFunctions, protowire.BytesType)
				out = protowire.AppendBytes(out, function)
				return err
			}
		case fieldGradients:
			of, err := stringField(f.data, fieldGradientFunction)
			if err != nil {
				return err
			}
			gradient, err := stringField(f.data, fieldGradientOf)
			if err != nil || !p.functions[of] || !p.functions[gradient] {
				return err
			}
		}
		out = append(out, raw...)
		return nil
	})
	return out, err
}

// eachRaw is eachField that also hands over the field as it is written, tag included.
func eachRaw(b []byte, f func(fd field, raw []byte) error) error {
	var last field
	pending := false
	emit := func(end int) error {
		if !pending {
			return nil
		}
		return f(last, b[last.off:end])
	}
	err := eachField(b, func(fd field) error {
		if err := emit(fd.off); err != nil {
			return err
		}
		last, pending = fd, true
		return nil
	})
	if err != nil {
		return err
	}
	return emit(len(b))
}

// withGraph writes a SavedModel of this graph alone with another GraphDef. It leaves out the tree
// of objects, the list of op definitions, which loaders in C++ do not read, and the signatures
// whose tensors are gone.
func (mg *MetaGraph) withGraph(graph []byte, nodes map[string]bool) ([]byte, error) {
	var meta []byte
	wroteGraph := false
	err := eachRaw(mg.raw.all, func(f field, raw []byte) error {
		switch f.num {
		case fieldObjectGraph:
			return nil
		case fieldGraphDef:
			if !wroteGraph {
				meta = protowire.AppendTag(meta, fieldGraphDef, protowire.BytesType)
				meta = protowire.AppendBytes(meta, graph)
				wroteGraph = true
			}
			return nil
		case fieldMetaInfo:
			info, err := withoutField(f.data, fieldStrippedOps)
			meta = protowire.AppendTag(meta, fieldMetaInfo, protowire.BytesType)
			meta = protowire.AppendBytes(meta, info)
			return err
		case fieldSignatures:
			name, err := stringField(f.data, fieldMapKey)
			if err != nil || !mg.signatureIn(name, nodes) {
				return err
			}
		}
		meta = append(meta, raw...)
		return nil
	})
	if err != nil {
		return nil, mg.damaged("its graph", err)
	}
	out := protowire.AppendTag(nil, fieldSchemaVersion, protowire.VarintType)
	out = protowire.AppendVarint(out, 1)
	out = protowire.AppendTag(out, fieldMetaGraphs, protowire.BytesType)
	return protowire.AppendBytes(out, meta), nil
}

// fieldStrippedOps is MetaInfoDef.stripped_op_list.
const fieldStrippedOps = 2

// withoutField returns a message without one of its fields.
func withoutField(message []byte, num protowire.Number) ([]byte, error) {
	var out []byte
	err := eachRaw(message, func(f field, raw []byte) error {
		if f.num != num {
			out = append(out, raw...)
		}
		return nil
	})
	return out, err
}

// signatureIn reports whether the graph still has all tensors of a signature.
func (mg *MetaGraph) signatureIn(name string, nodes map[string]bool) bool {
	s := mg.Signatures[name]
	if s == nil {
		return false
	}
	for _, tensors := range []map[string]TensorInfo{s.Inputs, s.Outputs} {
		for _, t := range tensors {
			for _, c := range append([]Component{{Tensor: t.Tensor}}, t.Components...) {
				if c.Tensor != "" && !nodes[nodeOf(c.Tensor)] {
					return false
				}
			}
		}
	}
	return true
}
