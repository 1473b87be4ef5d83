package dataset_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"math/bits"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// encodeElement writes an element as the golden files do.
func encodeElement(t *testing.T, ds *dataset.Dataset, e dataset.Element, hash bool) map[string]goldenTensor {
	t.Helper()
	out := map[string]goldenTensor{}
	for i, path := range ds.ElementSpec().Paths() {
		c := ds.ElementSpec().Flatten()[i]
		if !c.Ragged && !c.Shape.Admits(e.Tensors[i].Dims()) {
			t.Errorf("component %q of shape %v does not fit its spec %v", path, e.Tensors[i].Shape(), c)
		}
		r, ok := e.Ragged(i)
		if !ok {
			out[path] = encodeTensor(t, e.Tensors[i], hash)
			continue
		}
		flat := encodeTensor(t, r.Values, hash)
		g := goldenTensor{DType: flat.DType, Ragged: &goldenRagged{RowSplitsDType: r.Splits[0].DType().String(), FlatValues: flat}}
		g.Ragged.FlatValues.DType = ""
		for _, s := range r.Splits {
			g.Ragged.NestedRowSplits = append(g.Ragged.NestedRowSplits, ints(t, s))
		}
		out[path] = g
	}
	return out
}

func ints(t *testing.T, x tensor.Tensor) []int64 {
	t.Helper()
	if v, ok := tensor.Values[int64](x); ok {
		return slices.Clone(v)
	}
	v, ok := tensor.Values[int32](x)
	if !ok {
		t.Fatalf("%v is neither int64 nor int32", x)
	}
	var out []int64
	for _, n := range v {
		out = append(out, int64(n))
	}
	return out
}

// hashAbove is the number of values from which the golden files hold a digest only.
const hashAbove = 600

func encodeTensor(t *testing.T, x tensor.Tensor, hash bool) goldenTensor {
	t.Helper()
	g := goldenTensor{DType: x.DType().String(), Shape: slices.Clone(x.Dims())}
	if hash || x.Len() > hashAbove {
		h := sha256.New()
		h.Write(x.Bytes())
		for _, s := range x.Strings() {
			var n [8]byte
			binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
			h.Write(n[:])
			io.WriteString(h, s)
		}
		g.SHA256 = hex.EncodeToString(h.Sum(nil))
		return g
	}
	var err error
	if g.Values, err = json.Marshal(values(t, x)); err != nil {
		t.Fatal(err)
	}
	return g
}

// values returns the tensor's values as the golden files write them.
func values(t *testing.T, x tensor.Tensor) []any {
	t.Helper()
	out := make([]any, 0, x.Len())
	b := x.Bytes()
	for i := range x.Len() {
		n := x.DType().Size()
		var v []byte
		if n > 0 {
			v = b[i*n : (i+1)*n]
		}
		switch x.DType() {
		case tensor.String:
			s := x.Strings()[i]
			if utf8.ValidString(s) {
				out = append(out, s)
			} else {
				out = append(out, map[string]string{"b64": base64.StdEncoding.EncodeToString([]byte(s))})
			}
		case tensor.Bool:
			out = append(out, v[0] == 1)
		case tensor.Float16:
			out = append(out, floatJSON(float64(tensor.F16(binary.LittleEndian.Uint16(v)).Float32())))
		case tensor.Bfloat16:
			out = append(out, floatJSON(float64(tensor.BF16(binary.LittleEndian.Uint16(v)).Float32())))
		case tensor.Float32:
			out = append(out, floatJSON(float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))))
		case tensor.Float64:
			out = append(out, floatJSON(math.Float64frombits(binary.LittleEndian.Uint64(v))))
		case tensor.Complex64:
			out = append(out, []any{floatJSON(float64(math.Float32frombits(binary.LittleEndian.Uint32(v)))), floatJSON(float64(math.Float32frombits(binary.LittleEndian.Uint32(v[4:]))))})
		case tensor.Complex128:
			out = append(out, []any{floatJSON(math.Float64frombits(binary.LittleEndian.Uint64(v))), floatJSON(math.Float64frombits(binary.LittleEndian.Uint64(v[8:])))})
		default:
			out = append(out, intJSON(x.DType(), v))
		}
	}
	return out
}

func floatJSON(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0 && math.Signbit(f):
		return json.Number("-0.0")
	}
	return f
}

func intJSON(d tensor.DType, v []byte) any {
	var u uint64
	for i, b := range v {
		u |= uint64(b) << (8 * i)
	}
	switch d {
	case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		return u
	}
	unused := bits.UintSize - 8*len(v)
	return int64(u<<unused) >> unused
}
