package rewrite

import (
	"slices"
	"strconv"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// HasLookups reports whether [Reduction.Lookups] changes the graph of the named signatures; of all
// signatures if none is named.
func HasLookups(mg *savedmodel.MetaGraph, signatures ...string) (bool, error) {
	other, err := withLookups(mg, signatures)
	return other != mg.Graph(), err
}

// reducedBy returns the graph that a reduction starts from: the model's own, or, with
// [Reduction.Lookups], the one with lookups of products.
func reducedBy(mg *savedmodel.MetaGraph, r Reduction) (*graph.Graph, error) {
	if !r.Lookups {
		return mg.Graph(), nil
	}
	return withLookups(mg, r.Signatures)
}

// withLookups returns the graph whose loops look up products of rows instead of multiplying
// looked-up rows; the model's own graph if there is no such loop. The tables of products are
// further variables. The init op fills them: loaders run it after they have restored the model's
// variables (loader.cc, LoadSavedModelInternal). Nothing is changed if a signature changes
// variables, since the products would be those of old values.
func withLookups(mg *savedmodel.MetaGraph, signatures []string) (_ *graph.Graph, err error) {
	g := mg.Graph()
	x := &graphLookups{g: g, in: &inliner{g: g, loops: newLoopSplitter(g, "", false)}, nodes: map[string]*nodepb.NodeDef{}}
	if x.init, err = initNode(mg); x.init == nil || err != nil {
		return g, err
	}
	if x.restored, err = mg.RestoredVariables(); err != nil {
		return g, err
	}
	for _, name := range mg.SignatureNames() {
		s := mg.Signatures[name]
		if len(signatures) > 0 && !slices.Contains(signatures, name) {
			continue
		}
		if state, err := mg.State(s); err != nil || state.Stateful() {
			return g, err
		}
		for _, output := range s.Tensors(s.Outputs) {
			if err := x.call(output); err != nil {
				return g, err
			}
		}
	}
	if len(x.functions) == 0 {
		return g, nil
	}
	graph, err := x.graph()
	if err != nil {
		return g, mg.Graph().Damaged("its graph", err)
	}
	return g.With(graph), nil
}

// initNode returns the node that a loader runs after it has restored the variables; nil if there is
// none.
func initNode(mg *savedmodel.MetaGraph) (*nodepb.NodeDef, error) {
	name, err := mg.InitOp()
	if name == "" || err != nil {
		return nil, err
	}
	return mg.Graph().Node(name)
}

// graphLookups collects the changes to a graph.
type graphLookups struct {
	g        *graph.Graph
	in       *inliner
	init     *nodepb.NodeDef
	restored map[string]bool

	tables []table
	bytes  int64

	// nodes are changed nodes of the main graph, by name; nil for one that was looked at and stays.
	nodes     map[string]*nodepb.NodeDef
	functions []*functionpb.FunctionDef
}

// call rewrites the function that makes an output, and the node that calls it.
func (x *graphLookups) call(output string) error {
	call, err := x.g.Call(output)
	if call == nil || err != nil {
		return err
	}
	if _, seen := x.nodes[call.GetName()]; seen {
		return nil
	}
	x.nodes[call.GetName()] = nil
	called := call.Attr["f"].GetFunc()
	flat, err := x.in.inlineLoops(called.GetName())
	if flat == nil || err != nil {
		return err
	}
	f, err := x.g.ResolveDef(flat)
	if err != nil {
		return err
	}
	data, orders := graph.SplitInputs(call)
	types := call.Attr["Tin"].GetList()
	if len(types.GetType()) != len(data) {
		return nil // TensorFlow itself refuses such a call
	}
	find := &lookupFinder{g: x.g, b: newLoopBody(f), restored: x.restored}
	for _, in := range data {
		find.feeds = append(find.feeds, graph.NodeOf(in))
	}
	found, err := find.find()
	if err != nil {
		return err
	}
	w := newLookupWriter(find.b, "_tfrun_lookups_"+strconv.Itoa(len(x.functions)))
	for _, l := range found {
		if x.makeRoom(l) {
			w.rewrite(l)
		}
	}
	if len(w.tables) == 0 || !sweep(w.def) {
		return nil
	}
	for _, t := range w.tables {
		data = append(data, tableName(x.index(t)))
		types.Type = append(types.Type, typespb.DataType_DT_RESOURCE)
	}
	called.Name = w.def.GetSignature().GetName()
	call.Input = append(data, orders...)
	x.nodes[call.GetName()] = call
	x.functions = append(append(x.functions, w.def), w.made...)
	return nil
}

// makeRoom adds a loop's tables to the tables of the graph. It reports false if they would exceed
// maxTables.
func (x *graphLookups) makeRoom(l *loopLookup) bool {
	size := x.bytes
	var more []table
	for _, t := range l.tables() {
		if x.index(t) < 0 {
			size += t.bytes()
			more = append(more, t)
		}
		if size > maxTables {
			return false
		}
	}
	x.tables, x.bytes = append(x.tables, more...), size
	return true
}

// index returns the index of a table.
func (x *graphLookups) index(t table) int {
	return slices.IndexFunc(x.tables, func(have table) bool { return have.tableKey == t.tableKey })
}

// graph returns the GraphDef with the changes.
func (x *graphLookups) graph() ([]byte, error) {
	init := proto.CloneOf(x.init)
	var added []*nodepb.NodeDef
	for i, t := range x.tables {
		added = append(added, t.nodes(tableName(i))...)
		init.Input = append(init.Input, "^"+added[len(added)-1].GetName())
	}
	x.nodes[init.GetName()] = init
	inOrder := proto.MarshalOptions{Deterministic: true}
	var out []byte
	put := func(to []byte, num protowire.Number, m proto.Message) ([]byte, error) {
		data, err := inOrder.Marshal(m)
		return wire.Append(to, num, data), err
	}
	err := wire.EachRaw(x.g.Raw(), func(f wire.Field, raw []byte) error {
		if f.Num == graph.FieldNodes && f.Type == protowire.BytesType {
			name, err := wire.String(f.Data, graph.FieldNodeName)
			if err != nil {
				return err
			}
			if changed := x.nodes[name]; changed != nil {
				out, err = put(out, graph.FieldNodes, changed)
				return err
			}
		}
		out = append(out, raw...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, n := range added {
		if out, err = put(out, graph.FieldNodes, n); err != nil {
			return nil, err
		}
	}
	var library []byte
	for _, f := range x.functions {
		if library, err = put(library, graph.FieldFunctions, f); err != nil {
			return nil, err
		}
	}
	return wire.Append(out, graph.FieldLibrary, library), nil
}
