package dataset

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/tensor"
)

// padPlan is how the rows of a dataset are padded, as far as it is known before the first row.
type padPlan struct {
	comps []padComp
	spec  Spec // of the rows
	out   Spec // of the padded batches
	exact bool // nothing is padded: the rows must have equal shapes
}

// padComp says how one component is padded.
type padComp struct {
	dtype   tensor.DType
	size    int     // bytes of one value; 0 for strings
	shape   []int64 // sizes to pad to, -1 where the longest row decides
	fill    []byte  // a block of padding values, nil for zero bytes
	str     string  // the padding value of a string component
	ragged  bool    // the rows are ragged tensors, which are not padded
	stacked bool    // the rows are ragged batches, see Component.stacked
}

// padMode says which of tf.data's operations pads: their rules for padded shapes differ.
type padMode struct {
	op string
	// bucket: the rules of bucket_by_sequence_length. -1 is no size, and an empty structure stands
	// for the default.
	bucket bool
	// boundary: with bucket, unknown sizes become numbers only when a batch is made.
	boundary bool
	outRows  int64 // static batch size of the output, or -1
	ragged   bool  // ragged components are allowed, and not padded
}

// newPadPlan checks shapes and values against the spec in the order in which tf.data's padded_batch
// does.
func newPadPlan(spec Spec, shapes Shapes, values Values, mode padMode) (*padPlan, *Error) {
	fail := func(e *Error) (*padPlan, *Error) {
		e.Op = mode.op
		return nil, e
	}
	comps := spec.Flatten()
	if shapes.IsZero() || mode.bucket && emptyShape(shapes) {
		shapes = mapNest(spec, func(_ int, c Component) Dims { return dimsOf(c.Shape) })
		for i, c := range comps {
			if !c.Shape.Ranked() {
				return fail(buildErr(ValueError, "", "you must provide padded shapes because component %d has unknown rank", i))
			}
		}
	}
	for _, c := range comps {
		if c.Ragged && !mode.ragged {
			return fail(buildErr(TypeError, "", "only tensor components can be padded, but the spec of a component is RaggedTensorSpec: %v", c))
		}
	}
	values, err := defaultValues(spec, values)
	if err != nil {
		return fail(err)
	}
	flatShapes, err := flattenUpTo(spec, shapes, shapeTypeName)
	if err != nil {
		return fail(err)
	}
	p := &padPlan{spec: spec, comps: make([]padComp, len(comps))}
	for i, c := range comps {
		if err := p.comps[i].setShape(i, c, flatShapes[i], mode); err != nil {
			return fail(err)
		}
	}
	if err := p.setValues(comps, values); err != nil {
		return fail(err)
	}
	p.out = mapNest(spec, func(i int, c Component) Component {
		if c.Ragged {
			return c.batched(mode.outRows)
		}
		return Component{DType: c.DType, Shape: tensor.MakeShape(slices.Concat([]int64{mode.outRows}, p.comps[i].shape)...)}
	})
	return p, nil
}

// emptyShape reports whether Python takes the shape for false: [], a shape of unknown rank, or a
// structure without parts.
func emptyShape(s Shapes) bool {
	if s.IsLeaf() {
		return len(s.leaf) == 0
	}
	return len(s.items) == 0
}

func shapeTypeName(d Dims) string {
	if d == nil {
		return "TensorShape"
	}
	return "list"
}

// setShape checks one padded shape against its component, as _padded_shape_to_tensor does.
func (p *padComp) setShape(i int, c Component, shape Shapes, mode padMode) *Error {
	p.dtype, p.size, p.ragged = c.DType, c.DType.Size(), c.Ragged
	if shape.kind == nestTuple && len(shape.items) == 0 {
		shape = Shape()
	}
	if shape.nested() {
		if mode.bucket && (shape.kind == nestDict || !mode.boundary && hasNone(shape)) {
			return buildErr(TypeError, "", "component %d: the padded shape must be a list of sizes, got the structure %v", i, shape)
		}
		return buildErr(ValueError, "", "component %d: the padded shape must be a list of sizes, got the structure %v", i, shape)
	}
	d := shape.leaf
	if d == nil {
		return buildErr(ValueError, "", "component %d: the padded shape is a TensorShape of unknown rank: its sizes must be listed", i)
	}
	nones, minusOnes := 0, 0
	for _, v := range d {
		switch {
		case v == None:
			nones++
		case v == -1 && !mode.bucket:
			minusOnes++
		case v < 0:
			return buildErr(ValueError, "", "component %d: padded shape %v: dimension %d must be >= 0", i, d, v)
		}
	}
	if nones > 0 && minusOnes > 0 {
		return buildErr(ValueError, "", "component %d: padded shape %v: None and -1 both mean unknown; use one of them", i, d)
	}
	p.shape = make([]int64, len(d))
	for j, v := range d {
		p.shape[j] = max(v, -1)
	}
	if !fits(p.shape, c.Shape) {
		return buildErr(ValueError, "", "component %d: the padded shape %v is not compatible with the shape %v of the corresponding input component",
			i, tensor.MakeShape(p.shape...), c.Shape)
	}
	return nil
}

// hasNone reports whether an unknown size stands anywhere in the structure.
func hasNone(s Shapes) bool {
	return slices.ContainsFunc(s.Flatten(), func(d Dims) bool { return d == nil || slices.Contains(d, None) })
}

// fits is TensorFlow's _is_padded_shape_compatible_with: the same rank, and no known size smaller
// than a known size of the component.
func fits(padded []int64, in tensor.Shape) bool {
	if !in.Ranked() {
		return true
	}
	if len(padded) != in.Rank() {
		return false
	}
	for i, p := range padded {
		if d := in.Dim(i); p >= 0 && d >= 0 && p < d {
			return false
		}
	}
	return true
}

// defaultValues fills in the padding values that were not given, keeping the values' own structure
// as _padding_values_or_default does.
func defaultValues(spec Spec, values Values) (Values, *Error) {
	defaults := mapNest(spec, func(_ int, c Component) tensor.Tensor {
		zero, _ := tensor.New(c.DType)
		return zero
	})
	if values.IsZero() || values.IsLeaf() && values.leaf.DType() == tensor.Invalid {
		return defaults, nil
	}
	parts, err := flattenUpTo(values, defaults, valueTypeName)
	if err != nil {
		return values, err
	}
	i := 0
	var rec func(v Values) Values
	rec = func(v Values) Values {
		if !v.nested() {
			part := parts[i]
			if i++; v.IsZero() || v.leaf.DType() == tensor.Invalid {
				return part
			}
			return v
		}
		w := Values{kind: v.kind, keys: v.keys}
		for _, item := range v.items {
			w.items = append(w.items, rec(item))
		}
		return w
	}
	return rec(values), nil
}

func valueTypeName(t tensor.Tensor) string { return fmt.Sprintf("%v tensor", t.DType()) }

// setValues checks the padding values and stores them.
func (p *padPlan) setValues(comps []Component, values Values) *Error {
	if p.spec.nested() && !values.nested() {
		one := values.leaf
		values = mapNest(p.spec, func(int, Component) tensor.Tensor { return one })
	}
	parts, err := flattenUpTo(p.spec, values, valueTypeName)
	if err != nil {
		return err
	}
	for i, part := range parts {
		if part.nested() {
			return buildErr(TypeError, "", "component %d: the padding value must be a scalar, got the structure %v", i, part)
		}
		v := part.leaf
		if v.Rank() != 0 {
			return buildErr(ValueError, "", "component %d: padding values should be scalars, but got the shape %v", i, v.Shape())
		}
		if v.DType() != comps[i].DType {
			return buildErr(TypeError, "", "component %d: the padding value's type '%v' does not match the type '%v' of the corresponding input component",
				i, v.DType(), comps[i].DType)
		}
		if v.DType() == tensor.String {
			p.comps[i].str = v.Strings()[0]
		} else {
			p.comps[i].fill = fillBlock(v.Bytes())
		}
	}
	return nil
}

// fillBlockBytes is the size of the block that padding is copied from: small enough for the
// first-level cache.
const fillBlockBytes = 1 << 10

// fillBlock returns a block of copies of one value, or nil when all its bytes are zero.
func fillBlock(value []byte) []byte {
	if !slices.ContainsFunc(value, func(b byte) bool { return b != 0 }) {
		return nil
	}
	block := make([]byte, 0, fillBlockBytes)
	// A value's size divides the block's size.
	for len(block) < fillBlockBytes {
		block = append(block, value...)
	}
	return block
}
