package rewrite

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/padding"
)

// exactWriter writes the mended copy of one function.
type exactWriter struct {
	functionWriter
	x       *exactTwin
	lengths []string          // tensors of the plan's lengths
	masks   map[string]string // masks, and what they are made of, by a description
}

// function writes a mended copy of a function. begin makes the lengths known in it.
func (x *exactTwin) function(name, path string, begin func(*exactWriter)) (copied string, ok bool, err error) {
	def, err := x.g.Function(name)
	if def == nil || err != nil {
		return "", false, err
	}
	f, err := x.g.ResolveDef(def)
	if err != nil {
		return "", false, err
	}
	if def.Attr["api_implements"] != nil && !x.cpuOnly {
		return "", false, nil
	}
	// Otherwise TensorFlow might choose another implementation for the copy.
	delete(def.Attr, "api_implements")
	delete(def.Attr, "api_preferred_device")
	copied = fmt.Sprintf("%s_%s%d", name, strings.ReplaceAll(x.scope, "/", "_"), len(x.functions))
	def.Signature.Name = copied
	x.functions = append(x.functions, def)
	w := &exactWriter{functionWriter: newFunctionWriter(def), x: x, masks: map[string]string{}}
	begin(w)
	for _, m := range x.plan.Mends[path] {
		if !w.mend(m) {
			return "", false, nil
		}
	}
	for _, n := range f.Nodes {
		if inner := padding.Path(path, n.Name); x.mendsIn(inner) {
			if ok, err := w.call(n, inner); !ok || err != nil {
				return "", false, err
			}
		}
	}
	return copied, true, nil
}

// mendsIn reports whether a function is mended, or a function that it calls.
func (x *exactTwin) mendsIn(path string) bool {
	for p := range x.plan.Mends {
		if p == path || strings.HasPrefix(p, padding.Path(path, "")) {
			return true
		}
	}
	return false
}

// call replaces the functions of a call or a loop by mended copies, and passes the lengths to them.
func (w *exactWriter) call(n *graph.Node, path string) (bool, error) {
	type part struct {
		name, path string
		begin      func(*exactWriter)
	}
	parts, types := []part{{"f", path, (*exactWriter).takeLengths}}, "Tin"
	// A loop's condition is never mended, but gets the same arguments as the body.
	if graph.IsLoop(n) {
		parts, types = []part{{"body", path, (*exactWriter).passLengths}, {"cond", padding.Path(path, ""), (*exactWriter).takeLengths}}, "T"
	}
	for _, p := range parts {
		called := n.Def.Attr[p.name].GetFunc()
		copied, ok, err := w.x.function(called.GetName(), p.path, p.begin)
		if !ok || err != nil {
			return false, err
		}
		called.Name = copied
	}
	data, orders := graph.SplitInputs(n.Def)
	for _, l := range w.lengths {
		data = append(data, l)
		if types == "T" {
			addShape(n.Def.Attr["output_shapes"], len(data)-1, lengthShape)
			addShape(n.Def.Attr["_output_shapes"], len(data)-1, lengthShape)
		}
	}
	n.Def.Input = append(data, orders...)
	return addTypes(n.Def, types, len(w.lengths)), nil
}

// lengthShape is the shape of the lengths of a batch.
var lengthShape = &shapepb.TensorShapeProto{Dim: []*shapepb.TensorShapeProto_Dim{{Size: -1}}}

// deriveLengths is for the function that the main graph calls. It gives that function the fed
// lengths as arguments, computes the plan's lengths from them, and returns these as further
// results.
func (w *exactWriter) deriveLengths() {
	fed := map[[2]any]string{}
	for i, b := range w.x.bases {
		name := w.names.unused(fmt.Sprintf("tfrun_fed_%d", i))
		addArg(w.def, name, typespb.DataType_DT_INT32, lengthShape)
		fed[[2]any{b.Input, b.Axis}] = name
	}
	for i, l := range w.x.plan.Lengths {
		n := fed[[2]any{l.Input, l.Axis}]
		for k, s := range l.Steps {
			name := fmt.Sprintf("tfrun_length_%d_%d", i, k)
			n = w.add(name, "AddV2", attrs{"T": int32Attr}, "z", n, w.constant(name+"/add", nil, int32(s.Add)))
			n = w.add(name+"/some", "Maximum", attrs{"T": int32Attr}, "z", n, w.constant(name+"/none", nil, 0))
			if s.Div > 1 {
				n = w.add(name+"/up", "AddV2", attrs{"T": int32Attr}, "z", n, w.constant(name+"/most", nil, int32(s.Div-1)))
				n = w.add(name+"/windows", "FloorDiv", attrs{"T": int32Attr}, "z", n, w.constant(name+"/div", nil, int32(s.Div)))
			}
		}
		w.lengths = append(w.lengths, n)
	}
	w.returnLengths()
}

// takeLengths gives a function the plan's lengths as arguments.
func (w *exactWriter) takeLengths() {
	for i := range w.x.plan.Lengths {
		name := w.names.unused(fmt.Sprintf("tfrun_length_%d", i))
		addArg(w.def, name, typespb.DataType_DT_INT32, lengthShape)
		w.lengths = append(w.lengths, name)
	}
}

// passLengths is for the body of a loop. It gives the body the plan's lengths as arguments, and
// returns them for the next step.
func (w *exactWriter) passLengths() {
	w.takeLengths()
	w.returnLengths()
}

// returnLengths makes the lengths further results of the function.
func (w *exactWriter) returnLengths() {
	for i, l := range w.lengths {
		name := fmt.Sprintf("tfrun_own_%d", i)
		for w.def.Ret[name] != "" {
			name += "_"
		}
		w.def.Signature.OutputArg = append(w.def.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: typespb.DataType_DT_INT32})
		w.def.Ret[name] = l
	}
}

// mend makes one change of the plan. It reports false where the function does not allow it.
func (w *exactWriter) mend(m padding.Mend) bool {
	if m.Kind == padding.Hold {
		return w.hold(m)
	}
	n := w.nodes[m.Node]
	if n == nil || m.Input >= len(n.Input) || strings.HasPrefix(n.Input[m.Input], "^") {
		return false
	}
	in := &n.Input[m.Input]
	switch m.Kind {
	case padding.Mask:
		*in = w.masked(*in, m, typespb.DataType(m.DType))
	case padding.Mean:
		w.mean(n, m)
	case padding.Reverse:
		_, orders := graph.SplitInputs(n)
		n.Op, n.Input = "ReverseSequence", append([]string{*in, w.lengths[m.Length]}, orders...)
		n.Attr = reverseAttrs(n, m)
	case padding.Shift:
		name := m.Node + "/tfrun_own"
		own := w.add(name, "ReverseSequence", reverseAttrs(n, m), "output", *in, w.lengths[m.Length])
		*in = w.add(m.Node+"/tfrun_shifted", "ReverseV2", attrs{"T": n.Attr["T"], "Tidx": int32Attr}, "output", own, w.constant(name+"/axis", []int64{1}, int32(m.Axis)))
	case padding.Write:
		*in = w.masks[heldKey(m.State)]
		return *in != ""
	}
	return true
}

// reverseAttrs returns the attributes of a ReverseSequence.
func reverseAttrs(n *nodepb.NodeDef, m padding.Mend) attrs {
	return attrs{"T": n.Attr["T"], "Tlen": int32Attr, "seq_dim": intAttr(int64(m.Axis)), "batch_dim": intAttr(int64(m.Rows))}
}

func heldKey(state int) string { return fmt.Sprint("state ", state) }

// hold keeps a state of a loop unchanged in the steps after a row's end.
func (w *exactWriter) hold(m padding.Mend) bool {
	args, outs := w.def.Signature.InputArg, w.def.Signature.OutputArg
	if m.State >= len(args) || m.State >= len(outs) || m.Counter >= len(args) {
		return false
	}
	own := w.once(fmt.Sprint("step ", m.Counter, m.Length), func(name string) string {
		return w.add(name, "Less", attrs{"T": int32Attr}, "z", args[m.Counter].GetName(), w.lengths[m.Length])
	})
	op := "Select" // selects whole rows, and copies them
	if m.Rows > 0 {
		op = "SelectV2"
		own = w.along(own, typespb.DataType_DT_BOOL, m.Rows, m.Rank)
	}
	out := outs[m.State].GetName()
	held := w.add("tfrun_held", op, attrs{"T": typeAttr(args[m.State].GetType())}, "output", own, w.def.Ret[out], args[m.State].GetName())
	w.def.Ret[out] = held
	w.masks[heldKey(m.State)] = held
	return true
}

// once returns the tensor made before under key, or builds it.
func (w *exactWriter) once(key string, build func(name string) string) string {
	if w.masks[key] == "" {
		w.masks[key] = build(fmt.Sprintf("tfrun_mask_%d", len(w.masks)))
	}
	return w.masks[key]
}

// along reshapes a vector to so many axes (rank) that it can be broadcast along one of them.
func (w *exactWriter) along(vector string, dtype typespb.DataType, axis, rank int) string {
	if rank == 1 {
		return vector
	}
	return w.once(fmt.Sprint(vector, " along ", axis, rank), func(name string) string {
		shape := slices.Repeat([]int32{1}, rank)
		shape[axis] = -1
		return w.add(name, "Reshape", attrs{"T": typeAttr(dtype), "Tshape": int32Attr}, "output", vector, w.constant(name+"/shape", []int64{int64(rank)}, shape...))
	})
}

// masked returns the tensor with m.Fill in the places of padding.
func (w *exactWriter) masked(in string, m padding.Mend, dtype typespb.DataType) string {
	t := typeAttr(dtype)
	size := w.size(in, dtype, m.Axis)
	length := w.along(w.lengths[m.Length], typespb.DataType_DT_INT32, m.Rows, m.Rank)
	own := w.once(fmt.Sprint(size, " own ", m.Axis, m.Rank, length), func(name string) string {
		number := w.add(name+"/number", "Range", attrs{"Tidx": int32Attr}, "output", w.constant(name+"/first", nil, 0), size, w.constant(name+"/step", nil, 1))
		return w.add(name, "Less", attrs{"T": int32Attr}, "z", w.along(number, typespb.DataType_DT_INT32, m.Axis, m.Rank), length)
	})
	return w.once(fmt.Sprint(in, own, m.Fill), func(name string) string {
		return w.add(name, "SelectV2", attrs{"T": t}, "output", own, in, w.fill(name+"/fill", dtype, m.Fill))
	})
}

// size returns the size of a tensor along an axis, as a tensor.
func (w *exactWriter) size(in string, dtype typespb.DataType, axis int) string {
	return w.once(fmt.Sprint(in, " size ", axis), func(name string) string {
		shape := w.add(name+"/shape", "Shape", attrs{"T": typeAttr(dtype), "out_type": int32Attr}, "output", in)
		begin, end := w.constant(name+"/begin", []int64{1}, int32(axis)), w.constant(name+"/end", []int64{1}, int32(axis)+1)
		return w.add(name, "StridedSlice", attrs{
			"T": int32Attr, "Index": int32Attr, "shrink_axis_mask": intAttr(1), "begin_mask": intAttr(0), "end_mask": intAttr(0), "ellipsis_mask": intAttr(0), "new_axis_mask": intAttr(0),
		}, "output", shape, begin, end, w.constant(name+"/stride", []int64{1}, 1))
	})
}

// mean replaces a Mean by a Sum that is divided by the number of each row's own entries.
func (w *exactWriter) mean(n *nodepb.NodeDef, m padding.Mend) {
	dtype := typespb.DataType(m.DType)
	n.Op = "Sum"
	divided := n.Name + ":output:0"
	name := w.names.unused(fmt.Sprintf("%s/tfrun_own_%d", n.Name, m.Axis))
	// The users of the Mean take the last quotient. Its node is added at the end of this function.
	w.rename(divided, name+":z:0")
	by := func(part, count string) string {
		return w.add(name+"/"+part, "Cast", attrs{"SrcT": int32Attr, "DstT": typeAttr(dtype), "Truncate": boolAttr(false)}, "y", count)
	}
	for axis := range m.Rank {
		if m.Whole>>axis&1 == 1 {
			divided = w.add(fmt.Sprint(name, "/by_", axis), "RealDiv", attrs{"T": typeAttr(dtype)}, "z", divided, by(fmt.Sprint("all_", axis), w.size(n.Input[0], dtype, axis)))
		}
	}
	rows, rank := m.Rows, m.Rank
	if !n.Attr["keep_dims"].GetB() {
		rows, rank = rows-bits.OnesCount64(m.Gone&(1<<rows-1)), rank-bits.OnesCount64(m.Gone)
	}
	own := w.along(w.lengths[m.Length], typespb.DataType_DT_INT32, rows, rank)
	w.def.NodeDef = append(w.def.NodeDef, &nodepb.NodeDef{Name: name, Op: "RealDiv", Input: []string{divided, by("own", own)}, Attr: attrs{"T": typeAttr(dtype)}})
}

// fill adds a constant that is put in the places of padding. For a dtype without infinities its
// largest number stands for infinity.
func (w *exactWriter) fill(name string, dtype typespb.DataType, x float64) string {
	p := &tensorpb.TensorProto{Dtype: dtype, TensorShape: &shapepb.TensorShapeProto{}}
	switch dtype {
	case typespb.DataType_DT_FLOAT:
		p.FloatVal = []float32{float32(x)}
	case typespb.DataType_DT_DOUBLE:
		p.DoubleVal = []float64{x}
	case typespb.DataType_DT_HALF, typespb.DataType_DT_BFLOAT16:
		p.HalfVal = []int32{sixteenBits(dtype, x)}
	case typespb.DataType_DT_INT32:
		p.IntVal = []int32{int32(min(max(x, math.MinInt32), math.MaxInt32))}
	case typespb.DataType_DT_INT64:
		p.Int64Val = []int64{whole(x)}
	case typespb.DataType_DT_BOOL:
		p.BoolVal = []bool{x != 0}
	}
	n := &nodepb.NodeDef{Name: w.names.unused(name), Op: "Const", Attr: attrs{"dtype": typeAttr(dtype), "value": tensorAttr(p)}}
	w.def.NodeDef = append(w.def.NodeDef, n)
	return n.Name + ":output:0"
}

// whole returns 0, 1, or the int64 that stands for an infinity.
func whole(x float64) int64 {
	switch {
	case math.IsInf(x, 1):
		return math.MaxInt64
	case math.IsInf(x, -1):
		return math.MinInt64
	}
	return int64(x)
}

// sixteenBits returns the bits of 0, 1 or an infinity as a 16-bit float.
func sixteenBits(dtype typespb.DataType, x float64) int32 {
	if dtype == typespb.DataType_DT_BFLOAT16 {
		return int32(math.Float32bits(float32(x)) >> 16)
	}
	return map[float64]int32{0: 0, 1: 0x3c00, math.Inf(1): 0x7c00, math.Inf(-1): 0xfc00}[x]
}
