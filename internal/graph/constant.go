package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	tensorpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_go_proto"

	"github.com/tfrun/tfrun/tensor"
)

// maxConstant bounds the bytes of a tensor of which a file gives only some values, and the last one
// stands for the rest.
const maxConstant = 64 << 20

// Tensor decodes a TensorProto as TensorFlow's Tensor::FromProto does: from its bytes, or from a
// list of values, of which the last stands for those that are left out; an empty list means zeros.
// A type whose values a TensorProto does not hold as plain numbers or texts is an error.
func Tensor(p *tensorpb.TensorProto) (tensor.Tensor, error) {
	dtype, shape := DType(p.GetDtype()), Shape(p.GetTensorShape())
	n, ok := shape.NumElements()
	if !ok || n > maxConstant/int64(max(dtype.Size(), 1)) {
		return tensor.Tensor{}, fmt.Errorf("a constant of %s %v cannot be read", dtype, shape)
	}
	if content := p.GetTensorContent(); len(content) > 0 {
		return tensor.FromBytes(dtype, append([]byte{}, content...), shape.Dims()...)
	}
	t, err := tensor.New(dtype, shape.Dims()...)
	if err != nil {
		return t, err
	}
	if dtype == tensor.String {
		list := p.GetStringVal()
		for i := range t.Strings() {
			if len(list) > 0 {
				t.Strings()[i] = string(list[min(i, len(list)-1)])
			}
		}
		return t, nil
	}
	bits, err := listed(dtype, p)
	if err != nil || len(bits) == 0 {
		return t, err
	}
	var word [8]byte
	size := dtype.Size()
	for i := range t.Len() {
		binary.LittleEndian.PutUint64(word[:], bits[min(i, len(bits)-1)])
		copy(t.Bytes()[i*size:], word[:size])
	}
	return t, nil
}

// listed returns the values that a TensorProto lists, as bits; narrow types have theirs in the
// lowest bits.
func listed(dtype tensor.DType, p *tensorpb.TensorProto) (bits []uint64, err error) {
	switch dtype {
	case tensor.Float32:
		for _, x := range p.GetFloatVal() {
			bits = append(bits, uint64(math.Float32bits(x)))
		}
	case tensor.Float64:
		for _, x := range p.GetDoubleVal() {
			bits = append(bits, math.Float64bits(x))
		}
	case tensor.Int64:
		for _, x := range p.GetInt64Val() {
			bits = append(bits, uint64(x)) //nolint:gosec // these are its bits
		}
	case tensor.Uint64:
		bits = append(bits, p.GetUint64Val()...)
	case tensor.Uint32:
		for _, x := range p.GetUint32Val() {
			bits = append(bits, uint64(x))
		}
	case tensor.Bool:
		for _, x := range p.GetBoolVal() {
			if x {
				bits = append(bits, 1)
			} else {
				bits = append(bits, 0)
			}
		}
	case tensor.Int32, tensor.Int16, tensor.Int8, tensor.Uint16, tensor.Uint8:
		for _, x := range p.GetIntVal() {
			bits = append(bits, uint64(x)) //nolint:gosec // these are its bits
		}
	case tensor.Float16, tensor.Bfloat16:
		for _, x := range p.GetHalfVal() {
			bits = append(bits, uint64(x)) //nolint:gosec // these are its bits
		}
	default:
		return nil, fmt.Errorf("a constant of %s cannot be read", dtype)
	}
	return bits, nil
}

// Ints returns the values of a constant of whole numbers, or nil for any other node.
func Ints(n *Node) []int64 {
	if n == nil || n.Op != "Const" {
		return nil
	}
	t := n.Def.GetAttr()["value"].GetTensor()
	size, ok := Shape(t.GetTensorShape()).NumElements()
	if !ok || size > 64 {
		return nil
	}
	list := []int64{}
	switch raw := t.GetTensorContent(); {
	case len(raw) > 0 && DType(t.GetDtype()) == tensor.Int32:
		for ; len(raw) >= 4; raw = raw[4:] {
			list = append(list, int64(int32(binary.LittleEndian.Uint32(raw))))
		}
	case len(raw) > 0 && DType(t.GetDtype()) == tensor.Int64:
		for ; len(raw) >= 8; raw = raw[8:] {
			list = append(list, int64(binary.LittleEndian.Uint64(raw)))
		}
	default:
		for _, v := range t.GetIntVal() {
			list = append(list, int64(v))
		}
		list = append(list, t.GetInt64Val()...)
	}
	if len(list) == 1 && size > 1 { // one value stands for all
		list = slices.Repeat(list, int(size))
	}
	if int64(len(list)) != size {
		return nil
	}
	return list
}
