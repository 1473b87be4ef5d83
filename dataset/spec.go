package dataset

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// None is an unknown size in a padded shape, Python's None: the batch's longest row decides. It is
// a number of its own because tf.data tells None and -1 apart: padded_batch takes either (but not
// both in one shape), bucket_by_sequence_length None alone.
const None int64 = math.MinInt64

// Dims is one padded shape: sizes, [None] or -1 for an unknown one. The nil Dims has unknown rank.
type Dims []int64

// Shapes is a structure of padded shapes. The zero Shapes means "not given": the elements' own
// shapes.
type Shapes = Nest[Dims]

// Shape returns one padded shape. Shape() is a scalar's.
func Shape(dims ...int64) Shapes { return Leaf(append(Dims{}, dims...)) }

// String writes the shape as tf.TensorShape does: "(None, 3)".
func (d Dims) String() string {
	if d == nil {
		return "<unknown>"
	}
	var b strings.Builder
	b.WriteByte('(')
	for i, v := range d {
		if i > 0 {
			b.WriteString(", ")
		}
		if v == None {
			b.WriteString("None")
		} else {
			fmt.Fprint(&b, v)
		}
	}
	if len(d) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}

// Values is a structure of padding values, each a scalar tensor of its component's very dtype. A
// part that is not given, or a leaf that is the zero [tensor.Tensor], takes the default: 0, "" or
// false. One leaf for a structure of components goes to all of them.
type Values = Nest[tensor.Tensor]

// Value returns one padding value: Value(int64(-1)), Value("<pad>").
func Value[T tensor.Value](v T) Values { return Leaf(tensor.Scalar(v)) }

// Component is what is known beforehand of one component of the elements: tf.TensorSpec, or
// tf.RaggedTensorSpec where Ragged is set.
type Component struct {
	DType tensor.DType
	// Shape holds the sizes that all elements share; unknown where they may differ. The zero Shape
	// has unknown rank.
	Shape tensor.Shape
	// Ragged says that the component is a tf.RaggedTensor, of RaggedRank nested row splits of type
	// SplitsDType.
	Ragged      bool
	RaggedRank  int
	SplitsDType tensor.DType
	// stacked: the elements are ragged batches, which tf.data can only batch again when they have
	// equal numbers of rows.
	stacked bool
	// undecodable: tf.data fails to hand the elements over, see [Dataset.RaggedBatch].
	undecodable bool
}

// String describes the component as Python's repr does, shortly: "int64(None,)", "ragged
// int64(None, None)".
func (c Component) String() string {
	s := c.DType.String() + c.Shape.String()
	if c.Ragged {
		return "ragged " + s
	}
	return s
}

// Spec is the structure of a dataset's elements, with each component's dtype and static shape:
// tf.data's element_spec.
type Spec = Nest[Component]

// TensorSpec returns the spec of one dense component. A negative size is unknown; without sizes the
// component is a scalar. For an unknown rank use [UnknownRankSpec].
func TensorSpec(dtype tensor.DType, dims ...int64) Spec {
	return Leaf(Component{DType: dtype, Shape: tensor.MakeShape(dims...)})
}

// UnknownRankSpec returns the spec of one dense component of unknown rank.
func UnknownRankSpec(dtype tensor.DType) Spec { return Leaf(Component{DType: dtype}) }

// RaggedSpec returns the spec of one ragged component with the given number of nested row splits,
// of type int64.
func RaggedSpec(dtype tensor.DType, raggedRank int, dims ...int64) Spec {
	return Leaf(Component{DType: dtype, Shape: tensor.MakeShape(dims...), Ragged: true, RaggedRank: raggedRank, SplitsDType: tensor.Int64})
}

// OutputShapes returns the static shapes of the dataset's elements, as
// tf.compat.v1.data.get_output_shapes does: the padded shapes that [Dataset.PaddedBatch] takes by
// itself.
func OutputShapes(ds *Dataset) Shapes {
	return mapNest(ds.spec, func(_ int, c Component) Dims { return dimsOf(c.Shape) })
}

// dimsOf returns the shape with None for what is unknown.
func dimsOf(s tensor.Shape) Dims {
	if !s.Ranked() {
		return nil
	}
	d := append(Dims{}, s.Dims()...)
	for i := range d {
		if d[i] < 0 {
			d[i] = None
		}
	}
	return d
}

// check returns what is wrong with a tensor as a value of the component, or nil.
func (c Component) check(t tensor.Tensor) error {
	if t.DType() != c.DType {
		return fmt.Errorf("want %s, got %s", c.DType, t.DType())
	}
	if !c.Ragged && !c.Shape.Admits(t.Dims()) {
		return fmt.Errorf("want shape %s, got %s", c.Shape, t.Shape())
	}
	return nil
}

// batched returns the component's spec with one more axis of the given size in front (or unknown),
// as TensorSpec._batch does.
func (c Component) batched(size int64) Component {
	c.Shape = c.Shape.Prepend(size)
	if c.Ragged {
		c.RaggedRank++
	}
	return c
}

func equalSpecs(a, b Spec) bool {
	pa, pb := a.Flatten(), b.Flatten()
	return slices.Equal(a.Paths(), b.Paths()) && slices.EqualFunc(pa, pb, func(x, y Component) bool {
		return x.DType == y.DType && x.Shape.Equal(y.Shape) && x.Ragged == y.Ragged && x.RaggedRank == y.RaggedRank
	})
}
