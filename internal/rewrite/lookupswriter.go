package rewrite

import (
	"fmt"
	"slices"
	"strconv"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// lookupWriter rewrites a function without calls so that its loops look up products.
type lookupWriter struct {
	functionWriter
	b      *loopBody
	suffix string // of the names of new functions

	tables []table                // whose resources are arguments after the function's own
	read   []string               // tensors with the values of these
	ids    map[*graph.Node]string // by lookup: what inRange returned
	moves  map[string]string      // by the tensor moved, and how
	made   []*functionpb.FunctionDef
}

func newLookupWriter(b *loopBody, suffix string) *lookupWriter {
	def := proto.CloneOf(b.f.Def)
	def.Signature.Name += suffix
	def.NodeDef = slices.DeleteFunc(def.NodeDef, func(n *nodepb.NodeDef) bool { return !b.live[b.f.ByName[n.GetName()]] })
	return &lookupWriter{functionWriter: newFunctionWriter(def), b: b, suffix: suffix, ids: map[*graph.Node]string{}, moves: map[string]string{}}
}

// table returns the tensor with the value of a table.
func (w *lookupWriter) table(t table) string {
	i := slices.IndexFunc(w.tables, func(have table) bool { return have.tableKey == t.tableKey })
	if i >= 0 {
		return w.read[i]
	}
	name := w.names.unused("tfrun_table_" + strconv.Itoa(len(w.tables)))
	addArg(w.def, name, typespb.DataType_DT_RESOURCE, &shapepb.TensorShapeProto{})
	attr := attrs{"dtype": typeAttr(t.dtype()), "_output_shapes": shapesAttr(t.shape())}
	w.tables = append(w.tables, t)
	w.read = append(w.read, w.add(name+"/read", "ReadVariableOp", attr, "value", name))
	return w.read[len(w.read)-1]
}

// rewrite makes one loop look up products.
func (w *lookupWriter) rewrite(l *loopLookup) {
	t := typeAttr(idsType(l.lookup()))
	list := w.nodes[l.list.Name]
	// The shape of the elements of the list: that of the numbers without their first axis.
	element := slices.Repeat([]int32{-1}, l.rank-2)
	list.Input[0], list.Input[1] = w.moved(l), w.constant(l.list.Name+"/tfrun_shape", []int64{int64(len(element))}, element...)
	list.Attr["element_dtype"], list.Attr["shape_type"] = t, int32Attr

	loop := w.nodes[l.loop.Name]
	data, orders := graph.SplitInputs(loop)
	tables := l.tables()[1:]
	for _, t := range tables {
		data = append(data, w.table(t))
		loop.Attr["T"].GetList().Type = append(loop.Attr["T"].GetList().Type, t.dtype())
		addShape(loop.Attr["output_shapes"], len(data)-1, t.shape())
		addShape(loop.Attr["_output_shapes"], len(data)-1, t.shape())
	}
	loop.Input = append(data, orders...)
	for _, part := range []string{"body", "cond"} {
		called := loop.Attr[part].GetFunc()
		def := l.body.Def
		if part == "cond" {
			def = l.cond
		}
		def = proto.CloneOf(def)
		called.Name += w.suffix + "_" + strconv.Itoa(len(w.made))
		def.Signature.Name = called.Name
		b := &lookupBodyWriter{functionWriter: newFunctionWriter(def)}
		b.addTables(tables)
		if part == "body" {
			b.lookUp(l, t, element)
		}
		w.made = append(w.made, def)
	}
}

// moved returns the looked-up numbers, moved as their rows were. All reversals come first, then one
// transposition, so that for the two directions of a layer only the numbers at the beginning
// differ.
func (w *lookupWriter) moved(l *loopLookup) string {
	ids := w.inRange(l)
	w.reshape(l.lookup(), ids, l)
	way := newMoves(l.rank - 1)
	for _, n := range l.path[1:] {
		way.add(n)
	}
	ids = w.reversed(l, ids, way)
	at := newMoves(l.rank - 1)
	for _, n := range l.path[1:] {
		at.add(n)
		w.reshape(n, w.transposed(l, ids, at.perm), l)
	}
	return w.transposed(l, ids, way.perm)
}

// moves is the effect of a path on the axes of a tensor: axis i of the result is axis perm[i] of
// the input, and some axes are reversed.
type moves struct {
	perm   []int32
	turned []bool
}

func newMoves(rank int) *moves {
	m := &moves{turned: make([]bool, rank)}
	for i := range rank {
		m.perm = append(m.perm, int32(i))
	}
	return m
}

// add adds the effect of one operation of a [loopLookup]'s path. The axis of the rows, the last one
// in a transposition, is left out.
func (m *moves) add(n *graph.Node) {
	switch n.Op {
	case "ReverseV2":
		for _, axis := range graph.Ints(n.In(1)) {
			m.turned[m.perm[axis]] = !m.turned[m.perm[axis]]
		}
	case "Transpose":
		var perm []int32
		for _, axis := range graph.Ints(n.In(1))[:len(m.perm)] {
			perm = append(perm, m.perm[axis])
		}
		m.perm = perm
	}
}

// reversed returns the numbers with some axes reversed.
func (w *lookupWriter) reversed(l *loopLookup, ids string, way *moves) string {
	var axes []int32
	for axis, turned := range way.turned {
		if turned {
			axes = append(axes, int32(axis))
		}
	}
	if axes == nil {
		return ids
	}
	return w.move(ids, fmt.Sprint("turned", axes), func() string {
		name := l.list.Name + "/tfrun_turned"
		return w.add(name, "ReverseV2", w.movedAttr(l, nil, "Tidx"), "output", ids, w.constant(name+"/axis", []int64{int64(len(axes))}, axes...))
	})
}

// transposed returns the numbers with their axes in another order.
func (w *lookupWriter) transposed(l *loopLookup, ids string, perm []int32) string {
	if slices.IsSorted(perm) {
		return ids
	}
	return w.move(ids, fmt.Sprint("transposed", perm), func() string {
		name := l.list.Name + "/tfrun_transposed"
		return w.add(name, "Transpose", w.movedAttr(l, perm, "Tperm"), "y", ids, w.constant(name+"/perm", []int64{int64(len(perm))}, perm...))
	})
}

// move returns the tensor made before out of from in the given way, or builds it.
func (w *lookupWriter) move(from, how string, build func() string) string {
	key := from + " " + how
	if w.moves[key] == "" {
		w.moves[key] = build()
	}
	return w.moves[key]
}

// movedAttr returns the attributes of an operation that moves the looked-up numbers.
func (w *lookupWriter) movedAttr(l *loopLookup, perm []int32, index string) attrs {
	attr := attrs{"T": typeAttr(idsType(l.lookup())), index: int32Attr}
	if shape := w.shapeOfIDs(l.lookup(), perm); shape != nil {
		attr["_output_shapes"] = shape
	}
	return attr
}

// shapeOfIDs returns the attribute for the shape of the numbers that a node looks up, with their
// axes in another order; nil where the shape is not known.
func (w *lookupWriter) shapeOfIDs(lookup *graph.Node, perm []int32) *attrpb.AttrValue {
	shape, ok := w.b.f.Shape(graph.Ref{Node: lookup})
	if !ok || !shape.Ranked() || shape.Rank() == 0 {
		return nil
	}
	s := &shapepb.TensorShapeProto{}
	for i := range shape.Rank() - 1 {
		axis := i
		if perm != nil {
			axis = int(perm[i])
		}
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: shape.Dim(axis)})
	}
	return shapesAttr(s)
}

// inRange returns the numbers after looking them up in the table 0, 1, 2, …, which gives the same
// numbers. A number out of range is then the error that the model itself gives, with the number's
// place among all.
func (w *lookupWriter) inRange(l *loopLookup) string {
	lookup := l.lookup()
	if w.ids[lookup] == "" {
		t := typeAttr(idsType(lookup))
		attr := attrs{"Tparams": t, "Tindices": t, "Taxis": int32Attr, "batch_dims": intAttr(0)}
		if shape := w.shapeOfIDs(lookup, nil); shape != nil {
			attr["_output_shapes"] = shape
		}
		name := lookup.Name + "/tfrun_ids"
		w.ids[lookup] = w.add(name, "GatherV2", attr, "output", w.table(l.numbers()), w.b.written[lookup.Inputs[1]], w.constant(name+"/axis", nil, 0))
		// Python's graph only waits for the variable to be read.
		w.rename("^"+lookup.Name, "^"+graph.NodeOf(w.ids[lookup]))
	}
	return w.ids[lookup]
}

// reshape makes nodes that use the shape of the looked-up rows use the shape of the numbers, so
// that the rows need not be looked up.
func (w *lookupWriter) reshape(n *graph.Node, ids string, l *loopLookup) {
	t := typeAttr(idsType(l.lookup()))
	for _, u := range w.b.users[n] {
		shape := w.nodes[u.Name]
		if u.Op != "Shape" || shape.Op != "Shape" || shape.Attr["T"].GetType() == t.GetType() && shape.Input[0] == ids {
			continue
		}
		if !w.b.results[u] && !slices.ContainsFunc(w.b.users[u], func(s *graph.Node) bool { return !takesSize(s, l.rank-1) }) {
			shape.Input[0], shape.Attr["T"] = ids, t
			delete(shape.Attr, "_output_shapes")
			continue
		}
		out := shape.Attr["out_type"]
		if out.GetType() == typespb.DataType_DT_INT64 {
			continue // not a use known here: the rows are looked up
		}
		sizes := w.add(u.Name+"/tfrun_ids", "Shape", attrs{"T": t, "out_type": int32Attr}, "output", ids)
		width := w.constant(u.Name+"/tfrun_width", []int64{1}, int32(l.dims[1]))
		axis := w.constant(u.Name+"/tfrun_axis", nil, 0)
		_, orders := graph.SplitInputs(shape)
		shape.Op, shape.Input = "ConcatV2", append([]string{sizes, width, axis}, orders...)
		shape.Attr = attrs{"N": intAttr(2), "T": int32Attr, "Tidx": int32Attr}
	}
}

// takesSize reports whether a node takes one of the first sizes of a shape and nothing else.
func takesSize(n *graph.Node, first int) bool {
	begin, end, step := graph.Ints(n.In(1)), graph.Ints(n.In(2)), graph.Ints(n.In(3))
	attr := n.Def.GetAttr()
	masked := attr["begin_mask"].GetI() | attr["end_mask"].GetI() | attr["ellipsis_mask"].GetI() | attr["new_axis_mask"].GetI()
	return n.Op == "StridedSlice" && masked == 0 && len(begin) == 1 && len(end) == 1 && slices.Equal(step, []int64{1}) &&
		begin[0] >= 0 && end[0] == begin[0]+1 && end[0] <= int64(first)
}

// lookupBodyWriter rewrites a loop's body or condition.
type lookupBodyWriter struct {
	functionWriter
	tables []table
	args   []string // the arguments for the tables
}

// addTables gives the function the tables as further arguments.
func (w *lookupBodyWriter) addTables(tables []table) {
	w.tables = tables
	for i, t := range tables {
		w.args = append(w.args, w.names.unused("tfrun_table_"+strconv.Itoa(i)))
		addArg(w.def, w.args[i], t.dtype(), t.shape())
	}
}

// lookUp replaces the body's products by lookups, and passes the tables on to the next step.
func (w *lookupBodyWriter) lookUp(l *loopLookup, ids *attrpb.AttrValue, element []int32) {
	for _, table := range w.args {
		name := "tfrun_next_" + table
		for slices.ContainsFunc(w.def.Signature.OutputArg, func(a *opdefpb.OpDef_ArgDef) bool { return a.GetName() == name }) {
			name += "_"
		}
		w.def.Signature.OutputArg = append(w.def.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: typespb.DataType_DT_FLOAT})
		w.def.Ret[name] = table
	}
	for _, item := range l.items {
		n := w.nodes[item.Name]
		n.Attr["element_dtype"] = ids
		n.Input[2] = w.constant(item.Name+"/tfrun_shape", []int64{int64(len(element))}, element...)
		delete(n.Attr, "_output_shapes")
	}
	for _, p := range l.products {
		n := w.nodes[p.matmul.Name]
		data, orders := graph.SplitInputs(n)
		products := w.args[slices.IndexFunc(w.tables, func(t table) bool { return t.tableKey == p.table.tableKey })]
		n.Op, n.Input = "GatherV2", append([]string{products, data[0], w.constant(n.Name+"/tfrun_axis", nil, 0)}, orders...)
		n.Attr = attrs{
			"Tparams": typeAttr(typespb.DataType_DT_FLOAT), "Tindices": ids, "Taxis": int32Attr, "batch_dims": intAttr(0),
			inRangeAttr: trueAttr,
		}
		w.rename(n.Name+":product:0", n.Name+":output:0")
		if p.bias != nil {
			w.rename(p.bias.Name+":output:0", w.nodes[p.bias.Name].Input[0])
		}
	}
	sweep(w.def)
}
