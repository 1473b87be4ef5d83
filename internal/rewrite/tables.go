package rewrite

import (
	"strconv"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

// maxTables bounds the bytes of the tables of one graph. They are kept as long as the session.
const maxTables = 128 << 20

// tableKey says what a table is computed from. A table of products is computed from variables,
// given by their nodes in the main graph: rows·weights + bias, or rows·weightsᵀ + bias. A table of
// numbers holds 0, 1, 2, … in the type of the numbers to be looked up: a lookup in it fails for a
// number out of range.
type tableKey struct {
	rows, weights, bias string // bias may be ""
	transposed          bool

	numbers typespb.DataType // type of the numbers; DT_INVALID for products
	count   int64
}

// dtype returns the type of the table's values.
func (k tableKey) dtype() typespb.DataType {
	if k.numbers != typespb.DataType_DT_INVALID {
		return k.numbers
	}
	return typespb.DataType_DT_FLOAT
}

// table is a table and its shape.
type table struct {
	tableKey
	dims []int64
}

// bytes returns the size of a table's values, or more than maxTables where it cannot be computed.
func (t table) bytes() int64 {
	size := int64(graph.DType(t.dtype()).Size())
	for _, d := range t.dims {
		if d <= 0 || d > maxTables/size {
			return maxTables + 1
		}
		size *= d
	}
	return size
}

// shape returns the shape of a table.
func (t table) shape() *shapepb.TensorShapeProto {
	s := &shapepb.TensorShapeProto{}
	for _, d := range t.dims {
		s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
	}
	return s
}

// nodes returns the nodes of the main graph that make a table. The last one fills it.
func (t table) nodes(name string) []*nodepb.NodeDef {
	dtype := typeAttr(t.dtype())
	nodes := []*nodepb.NodeDef{{Name: name, Op: "VarHandleOp", Attr: attrs{
		"dtype": dtype, "shape": shapeAttr(t.shape()), "shared_name": stringAttr(name),
		"container": emptyAttr,
	}}}
	add := func(part, op string, attr attrs, inputs ...string) string {
		nodes = append(nodes, &nodepb.NodeDef{Name: name + "/" + part, Op: op, Input: inputs, Attr: attr})
		return name + "/" + part
	}
	read := func(part, variable string) string {
		return add(part, "ReadVariableOp", attrs{"dtype": dtype}, variable)
	}
	number := func(part string, n int64) string {
		nodes = append(nodes, constNode(name+"/"+part, nil, []int32{int32(n)}))
		if t.numbers == typespb.DataType_DT_INT32 {
			return name + "/" + part
		}
		return add(part+"_long", "Cast", attrs{"SrcT": int32Attr, "DstT": dtype, "Truncate": boolAttr(false)}, name+"/"+part)
	}
	var value string
	if t.numbers != typespb.DataType_DT_INVALID {
		value = add("range", "Range", attrs{"Tidx": dtype}, number("start", 0), number("limit", t.count), number("step", 1))
	} else {
		attr := attrs{"T": dtype, "transpose_a": boolAttr(false), "transpose_b": boolAttr(t.transposed)}
		value = add("product", "MatMul", attr, read("rows", t.rows), read("weights", t.weights))
		if t.bias != "" {
			value = add("sum", "BiasAdd", attrs{"T": dtype}, value, read("bias", t.bias))
		}
	}
	add("fill", "AssignVariableOp", attrs{"dtype": dtype}, name, value)
	return nodes
}

// tableScope is the name scope of the tables' nodes.
const tableScope = "tfrun_tables/"

func tableName(i int) string { return tableScope + strconv.Itoa(i) }
