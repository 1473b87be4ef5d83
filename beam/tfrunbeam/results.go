package tfrunbeam

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// filler returns a function that sets a value of type t to what a model gave for a row, whose
// outputs have the given names.
func filler(t reflect.Type, outputs []string) (func(dst reflect.Value, values []runner.Value) error, error) {
	if t.Kind() != reflect.Struct {
		if len(outputs) != 1 {
			return nil, fmt.Errorf("results of type %v: want a struct, since the model gives several outputs: %q", t, outputs)
		}
		return func(dst reflect.Value, values []runner.Value) error { return set(dst, outputs[0], values[0]) }, nil
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	at := make([]int, len(fields))
	for i, f := range fields {
		if at[i] = slices.Index(outputs, f.name); at[i] < 0 {
			return nil, fmt.Errorf("results of type %v: %w", t, &runner.NameError{Kind: "output", Name: f.name, Have: outputs})
		}
	}
	return func(dst reflect.Value, values []runner.Value) error {
		for i, f := range fields {
			if err := set(dst.Field(f.index), f.name, values[at[i]]); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// set puts an output's value for a row into dst.
func set(dst reflect.Value, output string, v runner.Value) error {
	err := errors.New("a sparse tensor has no Go type")
	if v.Sparse == nil {
		var flat reflect.Value
		if flat, err = flatten(v.Tensor); err == nil {
			err = nest(dst, flat, v.Tensor.Dims(), v.Splits)
		}
	}
	if err != nil {
		return fmt.Errorf("output %q: %w", output, err)
	}
	return nil
}

// nest puts values into slices of slices, by their sizes. The first axes of a ragged tensor are
// those of its splits.
func nest(dst, flat reflect.Value, dims []int64, splits []tensor.Tensor) error {
	list := dst.Kind() == reflect.Array || dst.Kind() == reflect.Slice && (dst.Type().Elem().Kind() != reflect.Uint8 || flat.Type().Elem().Kind() == reflect.Uint8)
	switch {
	case !list && flat.Len() == 1:
		return convert(dst, flat.Index(0))
	case !list || len(dims) == 0:
		return fmt.Errorf("%d values of shape %v do not go into a field of type %v", flat.Len(), tensor.MakeShape(dims...), dst.Type())
	}
	n, part := int(dims[0]), func(i int) (reflect.Value, []int64, []tensor.Tensor) {
		size := flat.Len() / int(dims[0])
		return flat.Slice(i*size, (i+1)*size), dims[1:], nil
	}
	if len(splits) > 0 {
		starts := startsOf(splits[0])
		n, part = len(starts)-1, func(i int) (reflect.Value, []int64, []tensor.Tensor) {
			return ragged(flat, dims, splits, starts[i], starts[i+1])
		}
	}
	switch {
	case dst.Kind() == reflect.Array && dst.Len() != n:
		return fmt.Errorf("%d entries do not go into a field of type %v", n, dst.Type())
	case dst.Kind() == reflect.Slice:
		dst.Set(reflect.MakeSlice(dst.Type(), n, n))
	}
	if len(dims) == 1 && len(splits) == 0 && dst.Type().Elem() == flat.Type().Elem() {
		reflect.Copy(dst, flat)
		return nil
	}
	for i := range n {
		flat, dims, splits := part(i)
		if err := nest(dst.Index(i), flat, dims, splits); err != nil {
			return err
		}
	}
	return nil
}

// ragged returns the entries from lo to hi of a ragged tensor's second axis.
func ragged(flat reflect.Value, dims []int64, splits []tensor.Tensor, lo, hi int64) (reflect.Value, []int64, []tensor.Tensor) {
	var rest []tensor.Tensor
	for _, s := range splits[1:] {
		starts := startsOf(s)[lo : hi+1]
		shifted := make([]int64, len(starts))
		for i, x := range starts {
			shifted[i] = x - starts[0]
		}
		rest, lo, hi = append(rest, tensor.Vector(shifted...)), starts[0], starts[len(starts)-1]
	}
	size := int64(0)
	if dims[0] > 0 {
		size = int64(flat.Len()) / dims[0]
	}
	return flat.Slice(int(lo*size), int(hi*size)), append([]int64{hi - lo}, dims[1:]...), rest
}

// startsOf returns row splits.
func startsOf(t tensor.Tensor) []int64 {
	starts, _ := tensor.Values[int64](t)
	narrow, _ := tensor.Values[int32](t)
	for _, x := range narrow {
		starts = append(starts, int64(x))
	}
	return starts
}

// flatten returns the values of a tensor as a slice.
func flatten(t tensor.Tensor) (reflect.Value, error) {
	for _, of := range []func(tensor.Tensor) (reflect.Value, bool){
		valuesOf[float32], valuesOf[float64], valuesOf[int64], valuesOf[int32], valuesOf[string], valuesOf[bool],
		valuesOf[int8], valuesOf[int16], valuesOf[uint8], valuesOf[uint16], valuesOf[uint32], valuesOf[uint64],
		valuesOf[complex64], valuesOf[complex128],
	} {
		if v, ok := of(t); ok {
			return v, nil
		}
	}
	if half, ok := tensor.Values[tensor.F16](t); ok {
		return reflect.ValueOf(wide(half)), nil
	}
	if half, ok := tensor.Values[tensor.BF16](t); ok {
		return reflect.ValueOf(wide(half)), nil
	}
	return reflect.Value{}, fmt.Errorf("a tensor of %v has no Go type", t.DType())
}

func valuesOf[T tensor.Value](t tensor.Tensor) (reflect.Value, bool) {
	v, ok := tensor.Values[T](t)
	return reflect.ValueOf(v), ok
}

// wide returns 16-bit floats as 32-bit ones.
func wide[T interface{ Float32() float32 }](half []T) []float32 {
	list := make([]float32, len(half))
	for i, h := range half {
		list[i] = h.Float32()
	}
	return list
}

// convert sets dst to a single value, where its type can hold the value as it is.
func convert(dst, v reflect.Value) error {
	fits := false
	switch {
	case v.CanInt() && dst.CanInt():
		if fits = !dst.OverflowInt(v.Int()); fits {
			dst.SetInt(v.Int())
		}
	case v.CanInt() && dst.CanUint():
		if fits = v.Int() >= 0 && !dst.OverflowUint(uint64(v.Int())); fits {
			dst.SetUint(uint64(v.Int()))
		}
	case v.CanUint() && dst.CanUint():
		if fits = !dst.OverflowUint(v.Uint()); fits {
			dst.SetUint(v.Uint())
		}
	case v.CanUint() && dst.CanInt():
		if fits = v.Uint() <= math.MaxInt64 && !dst.OverflowInt(int64(v.Uint())); fits {
			dst.SetInt(int64(v.Uint()))
		}
	case v.CanFloat() && dst.CanFloat():
		if fits = v.Type().Bits() <= dst.Type().Bits(); fits {
			dst.SetFloat(v.Float())
		}
	case v.CanComplex() && dst.CanComplex():
		if fits = v.Type().Bits() <= dst.Type().Bits(); fits {
			dst.SetComplex(v.Complex())
		}
	case v.Kind() == reflect.Bool && dst.Kind() == reflect.Bool:
		fits = true
		dst.SetBool(v.Bool())
	case v.Kind() == reflect.String && dst.Kind() == reflect.String:
		fits = true
		dst.SetString(v.String())
	case v.Kind() == reflect.String && dst.Kind() == reflect.Slice:
		fits = true
		dst.SetBytes([]byte(v.String()))
	}
	if !fits {
		return fmt.Errorf("%v of type %v does not go into a field of type %v", v, v.Type(), dst.Type())
	}
	return nil
}
