package padding

import (
	"math"

	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// maxNums bounds the whole numbers that are read of a constant, and maxBytes the size of constants
// that are read. A larger constant is taken for weights.
const (
	maxNums  = 64
	maxBytes = 64 << 20
)

func init() {
	rules["Const"] = func(c *call) []*value {
		v := c.w.constants[c.n]
		if v == nil {
			p := c.n.Def.GetAttr()["value"].GetTensor()
			if p == nil {
				return c.unknown("holds a value that cannot be read")
			}
			v = constantOf(p)
			c.w.constants[c.n] = v
		}
		return []*value{v}
	}
	rules["VarHandleOp"] = func(c *call) []*value {
		return []*value{{handle: known(graph.Shape(c.n.Def.GetAttr()["shape"].GetShape()), c.n.Name)}}
	}
	rules["ReadVariableOp"] = func(c *call) []*value {
		if len(c.in) == 0 || c.in[0].handle == nil {
			return c.unknown("reads something other than a variable of the model")
		}
		return []*value{c.in[0].handle}
	}
	for _, op := range []string{"VariableV2", "Variable"} {
		rules[op] = func(c *call) []*value {
			return []*value{known(graph.Shape(c.n.Def.GetAttr()["shape"].GetShape()), c.n.Name)}
		}
	}
	for _, op := range []string{"HashTableV2", "HashTable", "MutableHashTableV2", "MutableHashTable"} {
		rules[op] = func(*call) []*value { return []*value{{handle: &value{}}} }
	}
}

// known returns a tensor of the model's own, the same in all runs.
func known(s tensor.Shape, name string) *value {
	if !s.Ranked() {
		return &value{why: &cause{text: "the shape of the variable " + name + " is not known"}}
	}
	v := &value{ranked: true, axes: make([]axis, s.Rank()), pad: make([]fact, s.Rank()), real: fact{finite: true, tame: true}}
	for i, d := range s.Dims() {
		v.axes[i] = fixedAxis(d, "")
		if d < 0 {
			v.axes[i] = fixedAxis(-1, name)
		}
	}
	return v
}

// constantOf returns the value of a constant.
func constantOf(p *tensorpb.TensorProto) *value {
	v := known(graph.Shape(p.GetTensorShape()), "a constant")
	n, ok := graph.Shape(p.GetTensorShape()).NumElements()
	if !ok || v.why != nil {
		return v
	}
	if p.GetDtype() == typespb.DataType_DT_STRING {
		if list := p.GetStringVal(); len(list) == 1 {
			return full(v.axes, constantText(string(list[0])))
		}
		return v
	}
	values, ok := numbersOf(p)
	switch {
	case len(p.GetTensorContent()) > maxBytes:
		return v
	case !ok || len(values) == 0:
		v.real = fact{unclear: true}
		return v
	case len(values) > 1:
		v.real = fact{finite: true, tame: true, nonneg: true, positive: true}
		for _, x := range values {
			v.real = v.real.join(constant(x))
		}
	default:
		v = full(v.axes, constant(values[0]))
	}
	if v.rank() > 1 || n > maxNums {
		return v
	}
	nums := make([]num, n)
	for i := range nums {
		x := values[min(i, len(values)-1)]
		if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
			return v
		}
		nums[i] = number(int64(x))
	}
	v.nums = nums
	return v
}

// numbersOf reads the numbers of a constant. A single number stands for all.
func numbersOf(p *tensorpb.TensorProto) (list []float64, ok bool) {
	if raw := p.GetTensorContent(); len(raw) > 0 {
		d := graph.DType(p.GetDtype())
		size := d.Size()
		if size == 0 || len(raw)%size != 0 || len(raw) > maxBytes {
			return nil, false
		}
		for ; len(raw) > 0; raw = raw[size:] {
			x, ok := decoded(d, raw)
			if !ok {
				return nil, false
			}
			list = append(list, x)
		}
		return list, true
	}
	for _, x := range p.GetFloatVal() {
		list = append(list, float64(x))
	}
	list = append(list, p.GetDoubleVal()...)
	for _, x := range p.GetIntVal() {
		list = append(list, float64(x))
	}
	for _, x := range p.GetInt64Val() {
		list = append(list, float64(x))
	}
	for _, x := range p.GetBoolVal() {
		list = append(list, float64(when(x, 1)))
	}
	for _, x := range p.GetHalfVal() {
		switch p.GetDtype() {
		case typespb.DataType_DT_HALF:
			list = append(list, float64(tensor.F16(x).Float32())) //nolint:gosec // 16 bits of it are used
		case typespb.DataType_DT_BFLOAT16:
			list = append(list, float64(tensor.BF16(x).Float32())) //nolint:gosec // 16 bits of it are used
		}
	}
	if len(list) == 0 && isPlain(graph.DType(p.GetDtype())) {
		list = []float64{0} // zeros may be left out
	}
	return list, len(list) > 0
}

func floating(d typespb.DataType) bool {
	switch graph.DType(d) {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.Bfloat16:
		return true
	}
	return false
}
