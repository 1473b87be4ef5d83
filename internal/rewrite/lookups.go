package rewrite

import (
	"slices"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// A recurrent layer over an embedding looks up a row of a table for each token, and multiplies the
// row with the same matrix in each step. The product for a row is the same in every step. So the
// table is multiplied with the matrix once, when the model is loaded, and the loop looks up
// products by token. For an LSTM as wide as its embedding this saves half of the arithmetic, and
// tokens are moved instead of vectors.

// product is a multiplication in a loop's body that becomes a lookup.
type product struct {
	matmul *graph.Node
	// bias is the BiasAdd that adds the bias to the product, or to its sum with another product;
	// nil where there is none.
	bias  *graph.Node
	table table
}

// loopLookup is a sequence of looked-up rows with which a loop does nothing but multiply.
type loopLookup struct {
	loop *graph.Node
	at   int // which of the loop's inputs is the list of rows
	list *graph.Node
	// path are the nodes that move the looked-up rows to the list, beginning with the lookup.
	path     []*graph.Node
	rank     int     // of the looked-up rows
	dims     []int64 // of the table of rows
	body     *graph.Function
	cond     *functionpb.FunctionDef
	items    []*graph.Node // nodes of the body that take a row from the list
	products []product
}

// lookup returns the lookup that the path begins with.
func (l *loopLookup) lookup() *graph.Node { return l.path[0] }

// numbers returns the table in which the tokens are looked up once, to find those out of range.
func (l *loopLookup) numbers() table {
	return table{tableKey: tableKey{numbers: idsType(l.lookup()), count: l.dims[0]}, dims: l.dims[:1]}
}

// tables returns all tables that the loop needs, each once.
func (l *loopLookup) tables() []table {
	list := []table{l.numbers()}
	for _, p := range l.products {
		if !slices.ContainsFunc(list, func(t table) bool { return t.tableKey == p.table.tableKey }) {
			list = append(list, p.table)
		}
	}
	return list
}

// lookupFinder finds loopLookups in a function without calls.
type lookupFinder struct {
	g        *graph.Graph
	b        *loopBody
	feeds    []string // nodes of the main graph that the arguments come from
	restored map[string]bool
}

// find returns the loopLookups that can be rewritten, in the order of the function.
func (x *lookupFinder) find() ([]*loopLookup, error) {
	var found []*loopLookup
	for _, n := range x.b.f.Nodes {
		if !x.b.live[n] || !graph.IsLoop(n) || len(found) == maxLoops {
			continue
		}
		body, err := x.g.Resolve(n.Def.GetAttr()["body"].GetFunc().GetName())
		if err != nil {
			return nil, err
		}
		types := n.Def.GetAttr()["T"].GetList().GetType()
		if body == nil || len(body.Args) != len(n.Inputs) || len(body.Rets) != len(n.Inputs) || len(types) != len(n.Inputs) {
			continue
		}
		cond, err := x.g.Function(n.Def.GetAttr()["cond"].GetFunc().GetName())
		if err != nil {
			return nil, err
		}
		if cond == nil || len(cond.GetSignature().GetInputArg()) != len(n.Inputs) {
			continue
		}
		inBody := newLoopBody(body)
		for i := range n.Inputs {
			l := &loopLookup{loop: n, at: i, body: body, cond: cond}
			if x.sequence(l) && x.multiplied(l, inBody) {
				found = append(found, l)
				break // one for each loop: loops over two tables are rare
			}
		}
	}
	return found, nil
}

// sequence reports whether an input of the loop is a list of looked-up rows, and finds the path
// from the lookup to the list.
func (x *lookupFinder) sequence(l *loopLookup) bool {
	l.list = l.loop.In(l.at)
	if l.list == nil || l.list.Op != "TensorListFromTensor" || len(l.list.Inputs) != 2 || !slices.Equal(x.b.users[l.list], []*graph.Node{l.loop}) {
		return false
	}
	for n := l.list.In(0); n != nil && len(l.path) < graph.MaxUnwrap; n = n.In(0) {
		l.path = append(l.path, n)
		switch {
		case isLookup(n):
			slices.Reverse(l.path)
			return x.keepsRows(l)
		case n.Op != "Identity" && n.Op != "Transpose" && n.Op != "ReverseV2":
			return false
		}
	}
	return false
}

// isLookup reports whether a node looks up rows of a table by numbers.
func isLookup(n *graph.Node) bool {
	attr := n.Def.GetAttr()
	if t := idsType(n); t != typespb.DataType_DT_INT32 && t != typespb.DataType_DT_INT64 {
		return false
	}
	switch {
	case attr["batch_dims"].GetI() != 0:
		return false
	case n.Op == "GatherV2":
		return len(n.Inputs) == 3 && slices.Equal(graph.Ints(n.In(2)), []int64{0})
	}
	return n.Op == "ResourceGather" && len(n.Inputs) == 2
}

// keepsRows reports whether the nodes of the path leave each row whole, in the last axis.
func (x *lookupFinder) keepsRows(l *loopLookup) bool {
	rank, known := -1, false
	if shape, ok := x.b.f.Shape(graph.Ref{Node: l.lookup()}); ok && shape.Ranked() {
		rank, known = shape.Rank(), true
	}
	for _, n := range l.path[1:] {
		switch n.Op {
		case "Transpose":
			perm := graph.Ints(n.In(1))
			if known && len(perm) != rank || len(perm) < 2 || perm[len(perm)-1] != int64(len(perm)-1) || !eachOnce(perm, len(perm)) {
				return false
			}
			rank, known = len(perm), true
		case "ReverseV2":
			if axes := graph.Ints(n.In(1)); axes == nil || !known || !eachOnce(axes, rank-1) {
				return false
			}
		}
	}
	l.rank = rank
	return known && rank >= 2
}

// eachOnce reports whether the axes are distinct and below n.
func eachOnce(axes []int64, n int) bool {
	seen := map[int64]bool{}
	for _, a := range axes {
		if a < 0 || a >= int64(n) || seen[a] {
			return false
		}
		seen[a] = true
	}
	return true
}

// multiplied reports whether the loop does nothing with its rows but multiply them with weights,
// and finds these products.
func (x *lookupFinder) multiplied(l *loopLookup, body *loopBody) bool {
	arg := graph.Ref{Arg: l.at + 1}
	if unmoved(l.body.Rets[l.at]) != arg {
		return false
	}
	for _, n := range l.body.Nodes {
		for i, r := range n.Inputs {
			switch {
			case r != arg || !body.live[n]:
			case n.Op == "TensorListGetItem" && i == 0 && len(n.Inputs) == 3:
				l.items = append(l.items, n)
			case n.Op != "Identity" || !body.results[n] || len(body.users[n]) > 0:
				return false
			}
		}
	}
	for _, item := range l.items {
		if body.results[item] {
			return false
		}
		for _, m := range body.users[item] {
			p, ok := x.product(l, body, item, m)
			if !ok {
				return false
			}
			l.products = append(l.products, p)
		}
	}
	return len(l.products) > 0
}

// product reports whether m multiplies a looked-up row with weights that are the same in each step.
func (x *lookupFinder) product(l *loopLookup, body *loopBody, item, m *graph.Node) (product, bool) {
	attr := m.Def.GetAttr()
	p := product{matmul: m, table: table{tableKey: tableKey{transposed: attr["transpose_b"].GetB()}}}
	if m.Op != "MatMul" || len(m.Inputs) != 2 || m.In(0) != item || m.In(1) == item || attr["transpose_a"].GetB() || attr["T"].GetType() != typespb.DataType_DT_FLOAT || body.results[m] {
		return p, false
	}
	rows, rowDims, ok := x.rowsOf(l.lookup())
	if !ok || len(rowDims) != 2 {
		return p, false
	}
	weights, dims, ok := x.inLoop(l, body, m.Inputs[1])
	if !ok || len(dims) != 2 {
		return p, false
	}
	if p.table.transposed {
		slices.Reverse(dims)
	}
	if dims[0] != rowDims[1] {
		return p, false
	}
	l.dims = rowDims
	p.table.rows, p.table.weights, p.table.dims = rows, weights, []int64{rowDims[0], dims[1]}
	if bias, name, dims := x.biasOf(l, body, m); bias != nil && slices.Equal(dims, p.table.dims[1:]) {
		p.bias, p.table.bias = bias, name
	}
	return p, true
}

// biasOf finds the BiasAdd after a product, if nothing else takes the product without it.
func (x *lookupFinder) biasOf(l *loopLookup, body *loopBody, m *graph.Node) (bias *graph.Node, variable string, dims []int64) {
	n := m
	for range 2 {
		users := body.users[n]
		if len(users) != 1 || body.results[n] {
			return nil, "", nil
		}
		before := n
		switch n = users[0]; {
		case n.Op == "BiasAdd" && len(n.Inputs) == 2 && n.In(0) == before && n.AttrString("data_format") != "NCHW":
			if name, dims, ok := x.inLoop(l, body, n.Inputs[1]); ok {
				return n, name, dims
			}
			return nil, "", nil
		case n.Op != "AddV2" && n.Op != "Add":
			return nil, "", nil
		}
	}
	return nil, "", nil
}

// rowsOf returns the variable whose rows a lookup takes.
func (x *lookupFinder) rowsOf(lookup *graph.Node) (name string, dims []int64, ok bool) {
	if lookup.Op == "ResourceGather" {
		return x.variable(lookup.Inputs[0])
	}
	return x.value(lookup.Inputs[0])
}

// inLoop returns the variable whose value a tensor of the loop's body has in every step.
func (x *lookupFinder) inLoop(l *loopLookup, body *loopBody, r graph.Ref) (name string, dims []int64, ok bool) {
	read := false
	if r = unmoved(r); r.Node != nil && r.Node.Op == "ReadVariableOp" && len(r.Node.Inputs) == 1 {
		r, read = unmoved(r.Node.Inputs[0]), true
	}
	at, isArg := r.IsArg()
	if !isArg || at >= len(l.loop.Inputs) || unmoved(body.f.Rets[at]) != r {
		return "", nil, false
	}
	if read {
		return x.variable(l.loop.Inputs[at])
	}
	return x.value(l.loop.Inputs[at])
}

// value returns the variable whose value a tensor has.
func (x *lookupFinder) value(r graph.Ref) (name string, dims []int64, ok bool) {
	if r = unmoved(r); r.Node == nil || r.Node.Op != "ReadVariableOp" || len(r.Node.Inputs) != 1 {
		return "", nil, false
	}
	return x.variable(unmoved(r.Node.Inputs[0]))
}

// variable returns the variable of a resource, if the model's files hold its value.
func (x *lookupFinder) variable(r graph.Ref) (name string, dims []int64, ok bool) {
	at, isArg := r.IsArg()
	if !isArg || at >= len(x.feeds) {
		return "", nil, false
	}
	n, err := x.g.Node(x.feeds[at])
	if err != nil || n == nil || n.GetOp() != "VarHandleOp" || !x.restored[graph.ResourceName(n)] || n.GetAttr()["dtype"].GetType() != typespb.DataType_DT_FLOAT {
		return "", nil, false
	}
	dims, ok = fixedDims(n)
	return n.GetName(), dims, ok
}

// fixedDims returns the shape of a variable, if it is fully known.
func fixedDims(n *nodepb.NodeDef) ([]int64, bool) {
	shape := graph.Shape(n.GetAttr()["shape"].GetShape())
	if !shape.Ranked() || slices.Contains(shape.Dims(), tensor.Unknown) {
		return nil, false
	}
	return slices.Clone(shape.Dims()), true
}

// idsType returns the type of the numbers that a node looks up.
func idsType(lookup *graph.Node) typespb.DataType { return lookup.Def.GetAttr()["Tindices"].GetType() }
