package tensor

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Unknown is the size of a dimension that is not known before the model runs: None in Python, -1 in
// TensorShapeProto.
const Unknown int64 = -1

// Shape is a static shape: a list of dimensions, each a size or [Unknown], or no list at all where
// even the rank is unknown. It plays tf.TensorShape's part. The zero Shape has unknown rank. Shapes
// are immutable; compare them with [Shape.Equal].
type Shape struct {
	dims   []int64
	ranked bool
}

// MakeShape returns the shape with the given sizes. Any negative size means [Unknown]. MakeShape()
// is the shape of a scalar.
func MakeShape(dims ...int64) Shape {
	s := Shape{dims: slices.Clone(dims), ranked: true}
	for i, d := range s.dims {
		if d < 0 {
			s.dims[i] = Unknown
		}
	}
	return s
}

// UnknownShape returns the shape of unknown rank.
func UnknownShape() Shape { return Shape{} }

// Rank returns the number of dimensions, or -1 when it is unknown.
func (s Shape) Rank() int {
	if !s.ranked {
		return -1
	}
	return len(s.dims)
}

// Ranked reports whether the rank is known.
func (s Shape) Ranked() bool { return s.ranked }

// Dim returns the size of dimension i, or [Unknown]. A negative i counts from the end. A dimension
// that the shape does not have is [Unknown] too, as is any dimension of a shape of unknown rank:
// files whose parts contradict each other ask for such dimensions.
func (s Shape) Dim(i int) int64 {
	if i < 0 {
		i += len(s.dims)
	}
	if i < 0 || i >= len(s.dims) {
		return Unknown
	}
	return s.dims[i]
}

// Dims returns a copy of the sizes; nil when the rank is unknown, not nil (but empty) for a scalar.
func (s Shape) Dims() []int64 {
	if !s.ranked {
		return nil
	}
	return append([]int64{}, s.dims...)
}

// FullyKnown reports whether the rank and every size are known (tf.TensorShape.is_fully_defined).
func (s Shape) FullyKnown() bool {
	return s.ranked && !slices.Contains(s.dims, Unknown)
}

// NumElements returns the product of the sizes (1 for a scalar). ok is false when the shape is not
// fully known or the product does not fit an int64.
func (s Shape) NumElements() (n int64, ok bool) {
	if !s.FullyKnown() {
		return 0, false
	}
	return NumElements(s.dims)
}

// NumElements returns the product of dims, 1 for no dims. ok is false when a size is negative or
// the product does not fit an int64. A shape with a 0 has no elements, whatever its other sizes;
// but those must multiply to an int64 too, since TensorFlow aborts on shapes whose non-zero sizes
// overflow.
func NumElements(dims []int64) (n int64, ok bool) {
	n, zero := 1, false
	for _, d := range dims {
		switch {
		case d < 0:
			return 0, false
		case d == 0:
			zero = true
		case n > math.MaxInt64/d:
			return 0, false
		default:
			n *= d
		}
	}
	if zero {
		return 0, true
	}
	return n, true
}

// Equal reports whether both shapes have the same rank and sizes. Unknown equals unknown here.
func (s Shape) Equal(t Shape) bool {
	return s.ranked == t.ranked && slices.Equal(s.dims, t.dims)
}

// Admits reports whether a value with the given dims fits the shape: the same rank, and equal sizes
// wherever the shape knows one (tf.TensorShape.is_compatible_with).
func (s Shape) Admits(dims []int64) bool {
	if !s.ranked {
		return true
	}
	if len(s.dims) != len(dims) {
		return false
	}
	for i, d := range s.dims {
		if d != Unknown && dims[i] != Unknown && d != dims[i] {
			return false
		}
	}
	return true
}

// Drop returns the shape without its first n dimensions, for instance a row's shape from its
// batch's. A shape of unknown rank stays as it is; one with fewer than n dimensions becomes a
// scalar.
func (s Shape) Drop(n int) Shape {
	if !s.ranked {
		return s
	}
	return MakeShape(s.dims[min(n, len(s.dims)):]...)
}

// Prepend returns the shape with one more dimension in front. A shape of unknown rank stays as it
// is.
func (s Shape) Prepend(dim int64) Shape {
	if !s.ranked {
		return s
	}
	return MakeShape(append([]int64{dim}, s.dims...)...)
}

// String writes the shape as Keras' summary does: "(None, 64)", "(None,)", "()", or "<unknown>" for
// an unknown rank.
func (s Shape) String() string {
	if !s.ranked {
		return "<unknown>"
	}
	var b strings.Builder
	b.WriteByte('(')
	for i, d := range s.dims {
		if i > 0 {
			b.WriteString(", ")
		}
		if d == Unknown {
			b.WriteString("None")
		} else {
			b.WriteString(strconv.FormatInt(d, 10))
		}
	}
	if len(s.dims) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}

// MarshalJSON writes a list of sizes with null for an unknown one, or null for an unknown rank.
func (s Shape) MarshalJSON() ([]byte, error) {
	if !s.ranked {
		return []byte("null"), nil
	}
	b := []byte{'['}
	for i, d := range s.dims {
		if i > 0 {
			b = append(b, ',')
		}
		if d == Unknown {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendInt(b, d, 10)
		}
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads what [Shape.MarshalJSON] writes.
func (s *Shape) UnmarshalJSON(data []byte) error {
	var dims []*int64
	if err := json.Unmarshal(data, &dims); err != nil {
		return fmt.Errorf("shape %s: want a list of sizes or null: %w", data, err)
	}
	if dims == nil {
		*s = Shape{}
		return nil
	}
	sizes := make([]int64, len(dims))
	for i, d := range dims {
		if sizes[i] = Unknown; d != nil {
			sizes[i] = *d
		}
	}
	*s = MakeShape(sizes...)
	return nil
}
