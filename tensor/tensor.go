// Package tensor holds the vocabulary that every part of tfrun shares: [DType], [Shape] and
// [Tensor].
//
// A [DType] is one of TensorFlow's data types, a [Shape] a static shape whose sizes or rank may be
// unknown, and a [Tensor] a dense array of values in Go's memory. The package is pure Go and
// imports nothing of the project.
//
// # Ownership
//
// A [Tensor] is a small value that refers to its values' memory, as a slice does: copying it copies
// no values, and [FromSlice] and [Values] share memory with the caller's slice. Nothing in this
// package writes to a Tensor's values after it was built.
package tensor

import (
	"fmt"
	"slices"
)

// Tensor is a dense array: a dtype, a shape whose sizes are all known, and the values in row-major
// order. The zero Tensor has dtype [Invalid] and no values.
type Tensor struct {
	dtype DType
	shape []int64
	data  []byte   // values of the fixed-size dtypes, little-endian, as in a TF_Tensor
	strs  []string // values of String
}

// DTypeOf returns the dtype whose values have Go type T.
func DTypeOf[T Value]() DType {
	var v T
	switch any(v).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case complex64:
		return Complex64
	case complex128:
		return Complex128
	case string:
		return String
	case F16:
		return Float16
	default:
		return Bfloat16
	}
}

// New returns a tensor of zeros (empty strings, false) with the given sizes. It fails when dtype
// has no values in Go memory ([Resource], [Variant]), a size is negative, or the sizes overflow.
func New(dtype DType, dims ...int64) (Tensor, error) {
	n, ok := NumElements(dims)
	if !ok {
		return Tensor{}, &ShapeError{Dims: slices.Clone(dims), Msg: "want sizes of at least 0 whose product fits 63 bits"}
	}
	t := Tensor{dtype: dtype, shape: append([]int64{}, dims...)}
	switch size := dtype.Size(); {
	case dtype == String:
		t.strs = make([]string, n)
	case size == 0:
		return Tensor{}, fmt.Errorf("tensor of dtype %s: it has no values in memory", dtype)
	case n > maxBytes/int64(size):
		return Tensor{}, &ShapeError{Dims: t.shape, Msg: "too many elements"}
	default:
		t.data = make([]byte, n*int64(size))
	}
	return t, nil
}

// maxBytes bounds one tensor's memory, well below what an int64 can count.
const maxBytes = 1 << 46

// FromSlice returns a tensor over values, which it shares: the caller must not change them while
// the tensor is in use. Without dims the tensor is a vector. A *[ShapeError] says that dims ask for
// another number of values.
func FromSlice[T Value](values []T, dims ...int64) (Tensor, error) {
	if dims == nil {
		dims = []int64{int64(len(values))}
	}
	if n, ok := NumElements(dims); !ok || n != int64(len(values)) {
		return Tensor{}, &ShapeError{Dims: slices.Clone(dims), Msg: fmt.Sprintf("does not hold %d values", len(values))}
	}
	t := Tensor{dtype: DTypeOf[T](), shape: append([]int64{}, dims...)}
	if s, ok := any(values).([]string); ok {
		t.strs = s
	} else {
		t.data = bytesOf(values)
	}
	return t, nil
}

// Vector returns a tensor of rank 1 over values, which it shares.
func Vector[T Value](values ...T) Tensor {
	t, err := FromSlice(values, int64(len(values)))
	if err != nil {
		panic(err) // unreachable: the size is the slice's own
	}
	return t
}

// Scalar returns a tensor of rank 0.
func Scalar[T Value](v T) Tensor {
	t := Vector(v)
	t.shape = []int64{}
	return t
}

// FromBytes returns a tensor over data, the values' little-endian bytes, which it shares. len(data)
// must be what dtype and dims ask for (a *[ShapeError] otherwise). data of a type with more than
// one byte must be aligned for it if [Values] is to be used; memory that make([]byte, n) returned
// for the whole tensor is.
func FromBytes(dtype DType, data []byte, dims ...int64) (Tensor, error) {
	size := dtype.Size()
	if size == 0 {
		return Tensor{}, fmt.Errorf("tensor of dtype %s: its values are not plain bytes", dtype)
	}
	n, ok := NumElements(dims)
	if !ok || n > maxBytes/int64(size) || n*int64(size) != int64(len(data)) {
		return Tensor{}, &ShapeError{Dims: slices.Clone(dims), Msg: fmt.Sprintf("does not hold %d bytes of %s", len(data), dtype)}
	}
	return Tensor{dtype: dtype, shape: append([]int64{}, dims...), data: data}, nil
}

// ShapeError says that a shape is impossible, or does not fit the values it came with.
type ShapeError struct {
	Dims []int64
	Msg  string
}

// Error returns the shape and what is wrong with it.
func (e *ShapeError) Error() string { return fmt.Sprintf("shape %v: %s", e.Dims, e.Msg) }

// DType returns the type of the values.
func (t Tensor) DType() DType { return t.dtype }

// Shape returns the tensor's sizes as a [Shape], always fully known.
func (t Tensor) Shape() Shape { return Shape{dims: t.shape, ranked: true} }

// Dims returns the sizes. The slice is the tensor's own: it must not be changed.
func (t Tensor) Dims() []int64 { return t.shape }

// Rank returns the number of dimensions.
func (t Tensor) Rank() int { return len(t.shape) }

// Len returns the number of values.
func (t Tensor) Len() int {
	if t.dtype == String {
		return len(t.strs)
	}
	if size := t.dtype.Size(); size > 0 {
		return len(t.data) / size
	}
	return 0
}

// Bytes returns the values as little-endian bytes in row-major order, nil for [String]. The memory
// is the tensor's own.
func (t Tensor) Bytes() []byte { return t.data }

// Strings returns the values of a [String] tensor in row-major order, nil for any other. The slice
// is the tensor's own.
func (t Tensor) Strings() []string { return t.strs }

// Values returns the values in row-major order as Go's type for the dtype; the slice shares the
// tensor's memory. ok is false when T is not the Go type of the tensor's dtype ([DTypeOf]).
func Values[T Value](t Tensor) (values []T, ok bool) {
	if DTypeOf[T]() != t.dtype {
		return nil, false
	}
	if t.dtype == String {
		return any(t.strs).([]T), true
	}
	return sliceOf[T](t.data), true
}

// Reshape returns a tensor over the same values with other sizes, whose product must be the same.
func (t Tensor) Reshape(dims ...int64) (Tensor, error) {
	if n, ok := NumElements(dims); !ok || n != int64(t.Len()) {
		return Tensor{}, &ShapeError{Dims: slices.Clone(dims), Msg: fmt.Sprintf("does not hold the %d values of shape %v", t.Len(), t.shape)}
	}
	t.shape = append([]int64{}, dims...)
	return t, nil
}

// Index returns element i along the first axis, sharing memory: a tensor of one rank less.
// It panics when the tensor is a scalar or i is out of range, as a slice does.
func (t Tensor) Index(i int) Tensor {
	if i < 0 || int64(i) >= t.shape[0] {
		panic(fmt.Sprintf("tensor: index %d is outside the first axis of %d", i, t.shape[0]))
	}
	r := Tensor{dtype: t.dtype, shape: t.shape[1:]}
	if t.dtype == String {
		n := len(t.strs) / int(t.shape[0])
		r.strs = t.strs[i*n : (i+1)*n]
	} else {
		n := len(t.data) / int(t.shape[0])
		r.data = t.data[i*n : (i+1)*n]
	}
	return r
}

// Slice returns the elements lo ≤ i < hi along the first axis, sharing memory.
// It panics when the tensor is a scalar or the range does not lie within it, as a slice does.
func (t Tensor) Slice(lo, hi int) Tensor {
	if lo < 0 || hi < lo || int64(hi) > t.shape[0] {
		panic(fmt.Sprintf("tensor: slice [%d:%d] is outside the first axis of %d", lo, hi, t.shape[0]))
	}
	n, _ := NumElements(t.shape[1:])
	r := Tensor{dtype: t.dtype, shape: slices.Concat([]int64{int64(hi - lo)}, t.shape[1:])}
	if t.dtype == String {
		r.strs = t.strs[int64(lo)*n : int64(hi)*n]
	} else {
		n *= int64(t.dtype.Size())
		r.data = t.data[int64(lo)*n : int64(hi)*n]
	}
	return r
}

// Gather returns the elements at the given places along the first axis, in that order, as tf.gather
// does. The result has memory of its own. It panics when the tensor is a scalar or a place is out
// of range, as a slice does.
func (t Tensor) Gather(at []int) Tensor {
	n, _ := NumElements(t.shape[1:])
	r := Tensor{dtype: t.dtype, shape: slices.Concat([]int64{int64(len(at))}, t.shape[1:])}
	if t.dtype == String {
		r.strs = gather(t.strs, at, int(n))
	} else {
		r.data = gather(t.data, at, int(n)*t.dtype.Size())
	}
	return r
}

// gather copies elements of n entries each.
func gather[T any](from []T, at []int, n int) []T {
	to := make([]T, len(at)*n)
	for i, k := range at {
		copy(to[i*n:(i+1)*n], from[k*n:(k+1)*n])
	}
	return to
}

// Equal reports whether both tensors have the same dtype, shape and values, bit for bit: NaNs with
// the same bits are equal, 0 and -0 are not.
func (t Tensor) Equal(u Tensor) bool {
	return t.dtype == u.dtype && slices.Equal(t.shape, u.shape) && slices.Equal(t.data, u.data) && slices.Equal(t.strs, u.strs)
}

// String describes the tensor without its values: "float32(2, 3)".
func (t Tensor) String() string { return t.dtype.String() + t.Shape().String() }

// Share is [FromBytes] without a copy of dims, for code that makes many tensors and wants no
// allocation for each. Neither data nor dims may change while the tensor is in use.
func Share(dtype DType, data []byte, dims []int64) (t Tensor, err error) {
	err = t.SetShared(dtype, data, dims)
	return t, err
}

// SetShared makes t the tensor that [Share] returns. It is for loops over many small rows, where
// returning a Tensor by value takes longer than making it.
func (t *Tensor) SetShared(dtype DType, data []byte, dims []int64) error {
	size := dtype.Size()
	n, ok := NumElements(dims)
	if size == 0 || !ok || n > maxBytes/int64(size) || n*int64(size) != int64(len(data)) {
		_, err := FromBytes(dtype, data, dims...)
		return err
	}
	t.dtype, t.shape, t.data, t.strs = dtype, dims, data, nil
	return nil
}

// ShareSlice is [FromSlice] without a copy of dims, as [Share] is [FromBytes] without one. Neither
// values nor dims may change while the tensor is in use.
func ShareSlice[T Value](values []T, dims []int64) (Tensor, error) {
	if n, ok := NumElements(dims); !ok || n != int64(len(values)) {
		return FromSlice(values, slices.Concat([]int64{}, dims)...)
	}
	t := Tensor{dtype: DTypeOf[T](), shape: dims}
	if s, ok := any(values).([]string); ok {
		t.strs = s
	} else {
		t.data = bytesOf(values)
	}
	return t, nil
}
