package rewrite

import (
	"slices"
	"strconv"

	attrpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/attr_value_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

// lookupBodyWriter rewrites the two functions of a loop, its body and its condition.
type lookupBodyWriter struct {
	functionWriter
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

// lookUp puts lookups in the place of the body's products, and hands the tables on to the next
// step.
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
		n.Attr = map[string]*attrpb.AttrValue{
			"Tparams": typeAttr(typespb.DataType_DT_FLOAT), "Tindices": ids, "Taxis": int32Attr, "batch_dims": intAttr(0),
			inRangeAttr: {Value: &attrpb.AttrValue_B{B: true}},
		}
		w.rename(n.Name+":product:0", n.Name+":output:0")
		if p.bias != nil {
			w.rename(p.bias.Name+":output:0", w.nodes[p.bias.Name].Input[0])
		}
	}
	sweep(w.def)
}
