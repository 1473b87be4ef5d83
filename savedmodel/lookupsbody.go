package savedmodel

import (
	"slices"
	"strconv"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
)

// lookupBodyWriter rewrites the two functions of a loop, its body and its condition.
type lookupBodyWriter struct {
	def    *functionpb.FunctionDef
	names  nameSet
	tables []table
	args   []string // that are the tables
}

// addTables gives the function tables as further arguments.
func (w *lookupBodyWriter) addTables(tables []table) {
	w.tables = tables
	for i, t := range tables {
		w.args = append(w.args, w.names.unused("tfrun_table_"+strconv.Itoa(i)))
		addArg(w.def, w.args[i], t.dtype(), t.shape())
	}
}

// lookUp puts lookups in the place of the body's products, and hands the tables on to the next step.
func (w *lookupBodyWriter) lookUp(l *loopLookup, ids *attrpb.AttrValue, element []int32) {
	for _, table := range w.args {
		name := "tfrun_next_" + table
		for slices.ContainsFunc(w.def.Signature.OutputArg, func(a *opdefpb.OpDef_ArgDef) bool { return a.GetName() == name }) {
			name += "_"
		}
		w.def.Signature.OutputArg = append(w.def.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: typespb.DataType_DT_FLOAT})
		w.def.Ret[name] = table
	}
	nodes := map[string]*nodepb.NodeDef{}
	for _, n := range w.def.GetNodeDef() {
		nodes[n.GetName()] = n
	}
	constant := func(name string, dims []int64, values ...int32) string {
		n := constNode(w.names.unused(name), dims, values)
		w.def.NodeDef = append(w.def.NodeDef, n)
		return n.Name + ":output:0"
	}
	for _, item := range l.items {
		n := nodes[item.name]
		n.Attr["element_dtype"] = ids
		n.Input[2] = constant(item.name+"/tfrun_shape", []int64{int64(len(element))}, element...)
		delete(n.Attr, "_output_shapes")
	}
	for _, p := range l.products {
		n := nodes[p.matmul.name]
		_, orders := splitInputs(n)
		row := n.Input[0]
		n.Op, n.Input = "GatherV2", append([]string{w.args[slices.IndexFunc(w.tables, func(t table) bool { return t.tableKey == p.table.tableKey })], row, constant(n.Name+"/tfrun_axis", nil, 0)}, orders...)
		n.Attr = map[string]*attrpb.AttrValue{
			"Tparams": typeAttr(typespb.DataType_DT_FLOAT), "Tindices": ids, "Taxis": int32Attr, "batch_dims": intAttr(0),
			inRangeAttr: {Value: &attrpb.AttrValue_B{B: true}},
		}
		w.rename(n.Name+":product:0", n.Name+":output:0")
		if p.bias != nil {
			w.rename(p.bias.name+":output:0", nodes[p.bias.name].Input[0])
		}
	}
	sweep(w.def)
}

// rename has all that takes a tensor take another.
func (w *lookupBodyWriter) rename(from, to string) {
	for _, n := range w.def.GetNodeDef() {
		for i, in := range n.GetInput() {
			if in == from {
				n.Input[i] = to
			}
		}
	}
	for key, in := range w.def.GetRet() {
		if in == from {
			w.def.Ret[key] = to
		}
	}
}
