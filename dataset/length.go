package dataset

import (
	"math"

	"github.com/tfrun/tfrun/tensor"
)

// Length says what the length of an element is: element_length_func of bucket_by_sequence_length.
// The zero Length is the number of steps of the longest component: its number of values, divided by
// the sizes that the spec knows.
type Length struct {
	// Component is the path of the component to look at, "." for a bare element. It goes with Axis
	// or Value.
	Component string
	// Axis: the length is the component's size along this axis, counted from the end if negative.
	Axis int
	// Value: the length is the component itself, a scalar.
	Value bool
	// DType is the dtype of the length in TensorFlow: int32 by default. tf.data refuses any other,
	// as does BucketBySequenceLength.
	DType tensor.DType
	// Func computes the length, in place of all the above. The element is only valid during the
	// call.
	Func func(Element) (int64, error)
}

// lengthFunc is a [Length] compiled for one spec.
type lengthFunc func(e *Element) (int64, error)

// compile checks the length against the spec and returns its function.
func (l Length) compile(op string, spec Spec) (lengthFunc, *Error) {
	switch {
	case l.Func != nil:
		return func(e *Element) (int64, error) { return l.Func(*e) }, nil
	case l.Component == "":
		return stepsOf(spec.Flatten()), nil
	}
	c := spec.Index(l.Component)
	if c < 0 {
		return nil, buildErr(ValueError, op, "length: no component has the path %q; there are %q", l.Component, spec.Paths())
	}
	comp := spec.Flatten()[c]
	if l.Value {
		return valueLength(op, c, comp)
	}
	if l.DType != tensor.Invalid && l.DType != tensor.Int32 {
		return nil, buildErr(TypeError, op, "length: the sizes are of type %v, the boundaries of type int32", l.DType)
	}
	return axisLength(op, c, comp, l.Axis)
}

// axisLength returns the function that gives the component's size along the axis.
func axisLength(op string, c int, comp Component, axis int) (lengthFunc, *Error) {
	inRange := func(rank int) bool { return axis < rank && axis >= -rank }
	if comp.Shape.Ranked() && !inRange(comp.Shape.Rank()) {
		return nil, buildErr(ValueError, op, "length: axis: slice index %d of dimension 0 out of bounds: component %d has rank %d", axis, c, comp.Shape.Rank())
	}
	return func(e *Element) (int64, error) {
		d := e.Tensors[c].Dims()
		if !inRange(len(d)) {
			return 0, runErr(InvalidArgument, op, c, e.Row, "length: slice index %d of dimension 0 out of bounds: component %d has rank %d", axis, c, len(d))
		}
		if axis < 0 {
			return d[len(d)+axis], nil
		}
		return d[axis], nil
	}, nil
}

// valueLength returns the function that gives the component itself. tf.data takes int32 alone here,
// because it compares the length with int32 boundaries.
func valueLength(op string, c int, comp Component) (lengthFunc, *Error) {
	if comp.DType != tensor.Int32 {
		return nil, buildErr(TypeError, op, "length: component %d is of type %v, the boundaries of type int32", c, comp.DType)
	}
	return func(e *Element) (int64, error) {
		v, ok := tensor.Values[int32](e.Tensors[c])
		if !ok || len(v) != 1 {
			return 0, runErr(InvalidArgument, op, c, e.Row, "length: component %d is no scalar: its shape is %v", c, e.Tensors[c].Shape())
		}
		return int64(v[0]), nil
	}, nil
}

// stepsOf returns the zero Length's function.
func stepsOf(comps []Component) lengthFunc {
	static := make([]int, len(comps))
	for i, c := range comps {
		static[i] = 1
		for _, d := range c.Shape.Dims() {
			if d > 1 && d < math.MaxInt32 && c.Shape.Rank() > 1 {
				static[i] *= int(d)
			}
		}
	}
	return func(e *Element) (int64, error) {
		n := 0
		for i, t := range e.Tensors {
			n = max(n, t.Len()/static[i])
		}
		return int64(n), nil
	}
}
