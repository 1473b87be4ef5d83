package sequence

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// PadTo pads inputs along their first axis to at least the given sizes, with their values in pad,
// or 0: pad_to_size of TensorFlow's tutorial. Longer values stay as they are.
func PadTo(rows *dataset.Dataset, spec dataset.Spec, sizes map[string]int64, pad map[string]tensor.Tensor) *dataset.Dataset {
	if len(sizes) == 0 {
		return rows
	}
	least := map[int]int64{} // least sizes, by component
	for name, n := range sizes {
		if c := spec.Index(name); c >= 0 {
			least[c] = n
		}
	}
	return rows.Map(spec, func(e dataset.Element) (dataset.Element, error) {
		e.Tensors = slices.Clone(e.Tensors)
		for c, n := range least {
			t, err := extend(e.Tensors[c], n, pad[spec.Paths()[c]])
			if err != nil {
				return e, fmt.Errorf("input %q: %w", spec.Paths()[c], err)
			}
			e.Tensors[c] = t
		}
		return e, nil
	})
}

// extend returns t padded along its first axis to n entries, or t itself if it has as many:
// pad_to_size.
func extend(t tensor.Tensor, n int64, pad tensor.Tensor) (tensor.Tensor, error) {
	if t.Rank() == 0 || t.Dims()[0] >= n {
		return t, nil
	}
	dims := slices.Clone(t.Dims())
	dims[0] = n
	out, err := tensor.New(t.DType(), dims...)
	if err != nil {
		return out, err
	}
	copy(out.Strings(), t.Strings())
	have := copy(out.Bytes(), t.Bytes())
	for i := t.Len(); i < out.Len() && pad.Len() == 1; i++ {
		if t.DType() == tensor.String {
			out.Strings()[i] = pad.Strings()[0]
		} else {
			have += copy(out.Bytes()[have:], pad.Bytes())
		}
	}
	return out, nil
}

// toEnd moves the first n entries of a padded value behind the padding, in place.
func toEnd(t tensor.Tensor, n int) {
	steps := int(t.Dims()[0])
	if t.DType() == tensor.String {
		moveToEnd(t.Strings(), n, steps)
		return
	}
	moveToEnd(t.Bytes(), n, steps)
}

// moveToEnd moves the first n of a row's steps behind the other steps, which are padding and all
// alike.
func moveToEnd[T any](row []T, n, steps int) {
	if n >= steps || steps == 0 {
		return
	}
	size := len(row) / steps
	pad := slices.Clone(row[(steps-1)*size:])
	copy(row[(steps-n)*size:], row[:n*size])
	for i := range steps - n {
		copy(row[i*size:], pad)
	}
}

// PadFirst moves the rows of a padded batch behind their padding, in place.
func PadFirst[T any](dst []T, b *dataset.Batch, c int) {
	dims := b.Dims(c)
	if len(dims) < 2 || b.Len() == 0 {
		return
	}
	size := len(dst) / b.Len()
	for i := range b.Len() {
		moveToEnd(dst[i*size:(i+1)*size], int(b.Row(i).Tensors[c].Dims()[0]), int(dims[1]))
	}
}

// filled returns a vector of n times the number v; it fails for dtypes without that number.
func filled(d tensor.DType, n int64, v float64) (tensor.Tensor, error) {
	list := make([]float64, n)
	for i := range list {
		list[i] = v
	}
	switch d {
	case tensor.Int32:
		return vectorOf(list, func(v float64) int32 { return int32(v) }), nil
	case tensor.Int64:
		return vectorOf(list, func(v float64) int64 { return int64(v) }), nil
	case tensor.Float32:
		return vectorOf(list, func(v float64) float32 { return float32(v) }), nil
	case tensor.Float64:
		return tensor.Vector(list...), nil
	case tensor.Bool:
		return vectorOf(list, func(v float64) bool { return v != 0 }), nil
	}
	return tensor.Tensor{}, fmt.Errorf("lengths and masks are int32, int64, float32, float64 or bool, not %s", d)
}

func vectorOf[T tensor.Value](list []float64, of func(float64) T) tensor.Tensor {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return tensor.Vector(out...)
}

// oneElement returns sizes of one value that fit the shape.
func oneElement(s tensor.Shape) ([]int64, bool) {
	dims := slices.Repeat([]int64{1}, len(s.Dims()))
	return dims, s.Admits(dims)
}
