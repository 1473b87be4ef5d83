package parquet

import (
	"encoding/binary"
	"math"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/sample"
	"github.com/tfrun/tfrun/tensor"
)

// fieldOf returns Arrow's field for a column that is written.
func fieldOf(c sample.Column) ar.Field {
	f := ar.Field{Type: leafType(c.DType, c.Text)}
	if c.Type != nil {
		f = c.Type.Written()
	}
	for range c.Depth {
		f.Type = ar.ListOfNonNullable(f.Type)
	}
	f.Name, f.Nullable = c.Name, true
	return f
}

// leafType returns Arrow's type for the values of a component.
func leafType(d tensor.DType, isText bool) ar.DataType {
	types := map[tensor.DType]ar.DataType{
		tensor.Bool: ar.FixedWidthTypes.Boolean, tensor.Int8: ar.PrimitiveTypes.Int8, tensor.Int16: ar.PrimitiveTypes.Int16, tensor.Int32: ar.PrimitiveTypes.Int32,
		tensor.Int64: ar.PrimitiveTypes.Int64, tensor.Uint8: ar.PrimitiveTypes.Uint8, tensor.Uint16: ar.PrimitiveTypes.Uint16, tensor.Uint32: ar.PrimitiveTypes.Uint32,
		tensor.Uint64: ar.PrimitiveTypes.Uint64, tensor.Float64: ar.PrimitiveTypes.Float64, tensor.Complex128: ar.PrimitiveTypes.Float64, tensor.String: ar.BinaryTypes.String,
	}
	if d == tensor.String && !isText {
		return ar.BinaryTypes.Binary
	}
	if t, ok := types[dtypes.Carrier(d)]; ok {
		return t
	}
	return ar.PrimitiveTypes.Float32 // float16, bfloat16 and complex64 too
}

// tensor adds the value of a component, which lies in lists of the given depth. The column itself
// is optional, and so are its lists: an empty list has the definition level of its depth, counted
// from 1, and a value one more than the depth.
func (w *leafWriter) tensor(t tensor.Tensor, splits []tensor.Tensor, depth int) error {
	t, err := sample.Parts(t)
	if err != nil {
		return err
	}
	dims := t.Dims()
	var list func(level, rep int, at int64)
	list = func(level, rep int, at int64) {
		if level == depth {
			w.entry(rep, depth+1)
			return
		}
		lo, hi := sample.Entries(dims, splits, level, at)
		if lo == hi {
			w.entry(rep, level+1)
			return
		}
		for k := lo; k < hi; k++ {
			list(level+1, rep, k)
			rep = level + 1
		}
	}
	list(0, 0, 0)
	w.data = appendPlain(w.data, t)
	return nil
}

// appendPlain appends the values of a tensor in the encoding PLAIN, but booleans a byte each. The
// tensor is not complex.
func appendPlain(dst []byte, t tensor.Tensor) []byte {
	switch dtypes.Carrier(t.DType()) {
	case tensor.String:
		for _, s := range t.Strings() {
			dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...) //nolint:gosec // rows are far smaller
		}
	case tensor.Int8:
		for _, v := range t.Bytes() {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(int8(v))) //nolint:gosec // the bits are meant
		}
	case tensor.Uint8:
		for _, v := range t.Bytes() {
			dst = append(dst, v, 0, 0, 0)
		}
	case tensor.Int16:
		for b := t.Bytes(); len(b) > 0; b = b[2:] {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(int16(binary.LittleEndian.Uint16(b)))) //nolint:gosec // the bits are meant
		}
	case tensor.Uint16:
		for b := t.Bytes(); len(b) > 0; b = b[2:] {
			dst = append(dst, b[0], b[1], 0, 0)
		}
	case tensor.Float16:
		for b := t.Bytes(); len(b) > 0; b = b[2:] {
			dst = appendFloat(dst, tensor.F16(binary.LittleEndian.Uint16(b)).Float32())
		}
	case tensor.Bfloat16:
		for b := t.Bytes(); len(b) > 0; b = b[2:] {
			dst = appendFloat(dst, tensor.BF16(binary.LittleEndian.Uint16(b)).Float32())
		}
	default:
		dst = append(dst, t.Bytes()...)
	}
	return dst
}

func appendFloat(dst []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
}
