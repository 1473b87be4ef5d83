package shape

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// Of returns the shape of an operation's output by the operation's rule.
func Of(c *Call, out int) tensor.Shape {
	if out < 0 {
		return unknown
	}
	switch r := rules[c.Node.Op]; {
	case r == nil:
		return unknown
	default:
		return r(c, out)
	}
}

// Has reports whether there is a rule for an operation.
func Has(op string) bool { return rules[op] != nil }

type rule func(c *Call, out int) tensor.Shape

// rules holds what operations make of shapes, after TensorFlow's core/ops/*.cc and
// core/framework/common_shape_fns.cc.
var rules = map[string]rule{}

// broadcasting lists the operations that stretch their inputs to one shape, value by value.
const broadcasting = `
		Add AddV2 Sub Mul RealDiv Div DivNoNan MulNoNan Maximum Minimum Pow FloorDiv FloorMod Mod TruncateDiv TruncateMod
		SquaredDifference Atan2 Xdivy Xlogy Xlog1py Complex NextAfter Igamma Igammac Zeta Polygamma Betainc Greater GreaterEqual Less
		LessEqual Equal NotEqual ApproximateEqual LogicalAnd LogicalOr SelectV2 BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift`

// Broadcasts reports whether an operation stretches its inputs to one shape, value by value.
func Broadcasts(op string) bool { return slices.Contains(strings.Fields(broadcasting), op) }

// kinds lists operations by what they do with shapes.
var kinds = []struct {
	rule rule
	ops  string
}{
	{func(c *Call, out int) tensor.Shape { return c.in(out) }, `
		Identity IdentityN StopGradient PreventGradient CheckNumerics CheckNumericsV2 Snapshot Cast Relu Relu6 Elu Selu LeakyRelu Softplus
		Softsign Sigmoid Tanh Softmax LogSoftmax Exp Expm1 Log Log1p Neg Abs Sign Sqrt Rsqrt Square Reciprocal Inv Round Rint Floor Ceil
		Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Erf Erfc Erfinv Ndtri Lgamma Digamma LogicalNot Invert Real Imag Conj
		ComplexAbs Angle IsNan IsInf IsFinite ReverseV2 Reverse ReverseSequence Cumsum Cumprod CumulativeLogsumexp Roll ZerosLike OnesLike
		AsString StringLower StringUpper StringStrip StringLength StringToNumber StringToHashBucketFast StringToHashBucketStrong
		StringToHashBucket StaticRegexReplace StaticRegexFullMatch RegexReplace RegexFullMatch EncodeBase64 DecodeBase64
		UnicodeTranscode UnicodeScript DecodeCompressed Bucketize InvertPermutation BiasAdd BiasAddV1 MatrixBandPart MatrixSetDiag
		MatrixSetDiagV2 MatrixSetDiagV3 MatrixInverse Cholesky LRN ClipByValue TensorScatterUpdate TensorScatterAdd TensorScatterSub
		TensorScatterMin TensorScatterMax AdjustContrastv2 AdjustHue AdjustSaturation RGBToHSV HSVToRGB FFT FFT2D FFT3D IFFT IFFT2D IFFT3D
		Print DebugIdentityV3 FakeQuantWithMinMaxVars FakeQuantWithMinMaxArgs
		FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 BesselI0e BesselI1e`},
	{func(c *Call, _ int) tensor.Shape { return Broadcast(c.ins(0, 3)...) }, broadcasting},
	{func(*Call, int) tensor.Shape { return tensor.MakeShape() }, `
		Rank Size VarHandleOp VarIsInitializedOp IsVariableInitialized LookupTableSizeV2 TensorListLength HashTableV2 MutableHashTableV2
		TensorListFromTensor TensorListReserve TensorListSetItem EmptyTensorList TensorListPushBack StringFormat`},
	{func(c *Call, _ int) tensor.Shape { return c.given(0) }, `
		Fill RandomUniform RandomStandardNormal RandomUniformInt TruncatedNormal StatelessRandomUniform StatelessRandomNormal
		StatelessRandomUniformInt StatelessRandomUniformFullInt StatelessTruncatedNormal StatelessRandomUniformV2 StatelessRandomNormalV2
		StatelessRandomUniformIntV2 StatelessRandomUniformFullIntV2 StatelessTruncatedNormalV2 Conv3DBackpropInputV2
		DepthwiseConv2dNativeBackpropInput Empty`},
	{func(c *Call, _ int) tensor.Shape { return c.given(1) }, `BroadcastTo SparseToDense`},
	{reduced, `Mean Sum Max Min Prod All Any EuclideanNorm ReduceJoin ArgMax ArgMin`},
	{windowed, `Conv2D Conv3D DepthwiseConv2dNative MaxPool AvgPool MaxPool3D AvgPool3D`},
	{func(c *Call, _ int) tensor.Shape {
		a, b := c.in(0), c.in(1)
		if c.Node.Op == "MatMul" {
			a, b = Merge(a, open(2)), Merge(b, open(2))
		}
		return MatMul(a, b, c.attr("transpose_a").GetB() || c.attr("adj_x").GetB(), c.attr("transpose_b").GetB() || c.attr("adj_y").GetB())
	}, `MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3`},
	{func(c *Call, _ int) tensor.Shape { return c.resized(c.ints(1)) }, `
		ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea`},
	{func(c *Call, _ int) tensor.Shape { return c.resized(c.ints(2)) }, `ImageProjectiveTransformV2 ImageProjectiveTransformV3`},
	{padded, `Pad PadV2 MirrorPad`},
	{gathered, `GatherV2 Gather ResourceGather`},
	{blocks, `SpaceToDepth DepthToSpace SpaceToBatchND BatchToSpaceND`},
}

func init() {
	for _, k := range kinds {
		for op := range strings.FieldsSeq(k.ops) {
			rules[op] = k.rule
		}
	}
	for op, r := range more {
		rules[op] = r
	}
}

// more holds the operations that are no others' like.
var more = map[string]rule{
	"Const": func(c *Call, _ int) tensor.Shape { return graph.Shape(c.attr("value").GetTensor().GetTensorShape()) },
	"Bitcast": func(c *Call, _ int) tensor.Shape {
		if graph.DType(c.attr("T").GetType()).Size() != graph.DType(c.attr("type").GetType()).Size() {
			return unknown
		}
		return c.in(0)
	},
	"EnsureShape":    func(c *Call, _ int) tensor.Shape { return Merge(c.in(0), graph.Shape(c.attr("shape").GetShape())) },
	"ReadVariableOp": func(c *Call, _ int) tensor.Shape { return c.Held(0).Shape },
	"Shape": func(c *Call, _ int) tensor.Shape {
		if rank := c.in(0).Rank(); rank >= 0 {
			return tensor.MakeShape(int64(rank))
		}
		return open(1)
	},
	"Select": func(c *Call, _ int) tensor.Shape { return Merge(c.in(1), c.in(2)) },
	"AddN": func(c *Call, _ int) tensor.Shape {
		s := unknown
		for _, in := range c.ins(0, len(c.Node.Inputs)) {
			s = Merge(s, in)
		}
		return s
	},
	"StringJoin": func(c *Call, _ int) tensor.Shape {
		return Broadcast(slices.DeleteFunc(c.ins(0, len(c.Node.Inputs)), func(s tensor.Shape) bool { return s.Rank() == 0 })...)
	},
	"Einsum": func(c *Call, _ int) tensor.Shape {
		return Einsum(c.Node.AttrString("equation"), c.ins(0, len(c.Node.Inputs)))
	},
	"Reshape": func(c *Call, _ int) tensor.Shape {
		if list := c.some(1); list != nil {
			return Reshape(c.in(0), list)
		}
		return open(c.listed(1))
	},
	"Transpose": func(c *Call, _ int) tensor.Shape {
		if order := c.ints(1); order != nil {
			return Transpose(c.in(0), order)
		}
		return open(max(c.in(0).Rank(), c.listed(1)))
	},
	"ConcatV2": func(c *Call, _ int) tensor.Shape {
		last := len(c.Node.Inputs) - 1
		return joined(c.ins(0, last), c.ints(last))
	},
	"Concat": func(c *Call, _ int) tensor.Shape { return joined(c.ins(1, len(c.Node.Inputs)), c.ints(0)) },
	"Conv2DBackpropInput": func(c *Call, _ int) tensor.Shape {
		s, batch := c.given(0), cut(Merge(c.in(2), open(4)), 0, 1)
		if s.Rank() != 4 {
			return open(4) // of two sizes, the channels are the filter's
		}
		return Join(batch, cut(s, 1, 4))
	},
	"Pack":   packed,
	"Unpack": func(c *Call, _ int) tensor.Shape { return Reduce(c.in(0), []int64{c.attr("axis").GetI()}, false) },
	"Split":  func(c *Call, _ int) tensor.Shape { return c.split(c.in(1), c.ints(0), nil, 0) },
	"SplitV": func(c *Call, out int) tensor.Shape { return c.split(c.in(0), c.ints(2), c.some(1), out) },
	"ExpandDims": func(c *Call, _ int) tensor.Shape {
		if at, ok := c.one(1); ok {
			return Insert(c.in(0), at, 1)
		}
		return unknown
	},
	"Squeeze":      func(c *Call, _ int) tensor.Shape { return Squeeze(c.in(0), c.Node.AttrInts("squeeze_dims")) },
	"StridedSlice": stridedSlice,
	"Slice":        sliced,
	"GatherNd": func(c *Call, _ int) tensor.Shape {
		x, at := c.in(0), c.in(1)
		if at.Rank() < 1 || at.Dim(-1) == tensor.Unknown || !x.Ranked() {
			return unknown
		}
		return Join(cut(at, 0, at.Rank()-1), cut(x, int(min(at.Dim(-1), MaxRank)), x.Rank()))
	},
	"Tile": func(c *Call, _ int) tensor.Shape {
		by := c.some(1)
		return eachAxis(c.in(0), len(by), func(i int, d int64) int64 { return times(d, by[i]) })
	},
	"OneHot": func(c *Call, _ int) tensor.Shape {
		depth, ok := c.one(1)
		if !ok {
			depth = tensor.Unknown
		}
		axis := int64(-1)
		if a := c.attr("axis"); a != nil {
			axis = a.GetI()
		}
		return Insert(c.in(0), axis, depth)
	},
	"Range": func(c *Call, _ int) tensor.Shape {
		from, ok := c.one(0)
		to, ok2 := c.one(1)
		by, ok3 := c.one(2)
		if !ok || !ok2 || !ok3 || by == 0 {
			return open(1)
		}
		sign := int64(1)
		if by < 0 {
			sign = -1
		}
		return tensor.MakeShape(max(0, (to-from+by-sign)/by))
	},
	"Where": func(c *Call, _ int) tensor.Shape { return tensor.MakeShape(tensor.Unknown, int64(c.in(0).Rank())) },
	"TopKV2": func(c *Call, _ int) tensor.Shape {
		k, ok := c.one(1)
		if x := c.in(0); ok && x.Rank() > 0 {
			return With(x, x.Rank()-1, k)
		}
		return open(c.in(0).Rank())
	},
	"FusedBatchNormV3": func(c *Call, out int) tensor.Shape {
		switch {
		case out == 0:
			return c.in(0)
		case out < 5:
			return Merge(c.in(1), open(1))
		}
		return unknown
	},
	"LookupTableFindV2": func(c *Call, _ int) tensor.Shape { return Join(c.in(1), c.in(2)) },
	"DenseBincount": func(c *Call, _ int) tensor.Shape {
		x := c.in(0)
		if size, ok := c.one(1); ok && (x.Rank() == 1 || x.Rank() == 2) {
			return With(x, x.Rank()-1, size)
		}
		return open(x.Rank())
	},
	"SparseTensorDenseMatMul": func(c *Call, _ int) tensor.Shape {
		a := c.given(2)
		return MatMul(a, c.in(3), c.attr("adjoint_a").GetB(), c.attr("adjoint_b").GetB())
	},
	"CropAndResize": func(c *Call, _ int) tensor.Shape {
		if s := Join(cut(c.in(1), 0, 1), c.given(3), cut(c.in(0), 3, 4)); s.Rank() == 4 {
			return s
		}
		return open(4)
	},
	"UnsortedSegmentSum": func(c *Call, _ int) tensor.Shape {
		n, ok := c.one(2)
		if x, at := c.in(0), c.in(1); ok && at.Ranked() && at.Rank() <= x.Rank() {
			return Join(tensor.MakeShape(n), cut(x, at.Rank(), x.Rank()))
		}
		return unknown
	},
	"TensorListGetItem": func(c *Call, _ int) tensor.Shape {
		if held := c.Held(0); !held.Mixed {
			return Merge(held.Shape, c.element(2))
		}
		return c.element(2)
	},
	"TensorListStack": func(c *Call, _ int) tensor.Shape {
		held := c.Held(0)
		if n := c.attr("num_elements"); n != nil && n.GetI() >= 0 && held.Len < 0 {
			held.Len = n.GetI()
		}
		return Join(tensor.MakeShape(held.Len), Merge(held.Shape, c.element(1)))
	},
}

// joined is Concat where the axis may not be known.
func joined(in []tensor.Shape, axis []int64) tensor.Shape {
	if len(axis) == 1 {
		return Concat(in, axis[0])
	}
	for _, s := range in {
		if s.Ranked() {
			return open(s.Rank())
		}
	}
	return unknown
}

func packed(c *Call, _ int) tensor.Shape {
	s := c.in(0)
	for _, in := range c.ins(1, len(c.Node.Inputs)) {
		s = Merge(s, in)
	}
	return Insert(s, c.attr("axis").GetI(), int64(len(c.Node.Inputs)))
}

// split returns the shape of part out of x: as long as the others, or as the list of lengths has
// it.
func (c *Call) split(x tensor.Shape, axis, lengths []int64, out int) tensor.Shape {
	if len(axis) != 1 {
		return open(x.Rank())
	}
	at, ok := Place(axis[0], x.Rank())
	n := c.attr("num_split").GetI()
	if !ok || n < 1 {
		return unknown
	}
	if c.Node.Op == "Split" {
		return Split(x, axis[0], n)
	}
	if out >= len(lengths) {
		return With(x, at, tensor.Unknown)
	}
	d := lengths[out]
	if d == -1 && !slices.Contains(lengths, Missing) { // what the others leave
		d = x.Dim(at)
		for i, other := range lengths {
			if i != out && d != tensor.Unknown {
				d = max(0, d-other)
			}
		}
	}
	return With(x, at, d)
}

// eachAxis applies f to each size of a shape with n axes.
func eachAxis(s tensor.Shape, n int, f func(i int, d int64) int64) tensor.Shape {
	if s.Rank() != n {
		return open(s.Rank())
	}
	dims := s.Dims()
	for i, d := range dims {
		dims[i] = f(i, d)
	}
	return tensor.MakeShape(dims...)
}

func reduced(c *Call, _ int) tensor.Shape {
	keep := c.attr("keep_dims").GetB()
	axes := c.ints(1)
	switch {
	case c.Node.Op == "ReduceJoin" && len(axes) == 0: // of none it joins all
		return unknown
	case axes != nil:
		return Reduce(c.in(0), axes, keep)
	case keep:
		return open(c.in(0).Rank())
	}
	return unknown
}

// windowed is the rule of convolutions and pooling.
func windowed(c *Call, _ int) tensor.Shape {
	x, filter := c.in(0), c.in(1)
	format, padding := c.Node.AttrString("data_format"), c.Node.AttrString("padding")
	strides, kernel, dilations, pads := c.Node.AttrInts("strides"), c.Node.AttrInts("ksize"), c.Node.AttrInts("dilations"), c.Node.AttrInts("explicit_paddings")
	rank := len(strides)
	pooling := len(kernel) > 0
	if !x.Ranked() {
		x = open(rank)
	}
	if x.Rank() != rank || pooling && len(kernel) != rank || len(format) > rank || len(pads) > 0 && len(pads) != 2*rank {
		return unknown // such as NCHW_VECT_C
	}
	space, channels := 1, rank-1
	if strings.HasPrefix(format, "NC") {
		space, channels = 2, 1
	}
	dims := x.Dims()
	for i := space; i < space+rank-2; i++ {
		k, dilation := tensor.Unknown, int64(1)
		switch {
		case pooling:
			k = kernel[i]
		case filter.Rank() == rank:
			k = filter.Dim(i - space)
		}
		if len(dilations) == rank {
			dilation = dilations[i]
		}
		switch {
		case padding == "SAME":
			dims[i] = SameWindow(dims[i], strides[i])
		case k == tensor.Unknown:
			dims[i] = tensor.Unknown
		case padding == "VALID":
			dims[i] = Window(dims[i], k, strides[i], dilation, 0)
		case padding == "EXPLICIT" && len(pads) > 0:
			dims[i] = Window(dims[i], k, strides[i], dilation, pads[2*i]+pads[2*i+1])
		default:
			dims[i] = tensor.Unknown
		}
	}
	if !pooling {
		dims[channels] = tensor.Unknown
		if filter.Rank() == rank {
			dims[channels] = filter.Dim(-1)
			if strings.HasPrefix(c.Node.Op, "Depthwise") {
				dims[channels] = times(filter.Dim(-1), filter.Dim(-2))
			}
		}
	}
	return tensor.MakeShape(dims...)
}

// resized returns the shape of images of another height and width.
func (c *Call) resized(size []int64) tensor.Shape {
	x := c.in(0)
	if x.Rank() != 4 {
		x = open(4)
	}
	if len(size) != 2 {
		size = []int64{tensor.Unknown, tensor.Unknown}
	}
	return tensor.MakeShape(x.Dim(0), size[0], size[1], x.Dim(3))
}

func padded(c *Call, _ int) tensor.Shape {
	pads := c.some(1)
	return eachAxis(c.in(0), len(pads)/2, func(i int, d int64) int64 { return plus(plus(d, pads[2*i]), pads[2*i+1]) })
}

// gathered is the rule of rows taken from a table: the table's sizes before the axis, those of the
// indices behind the axes of the batch, the table's behind the axis.
func gathered(c *Call, _ int) tensor.Shape {
	table, at := c.in(0), c.in(1)
	axis, ok := int64(0), true
	switch c.Node.Op {
	case "GatherV2":
		axis, ok = c.one(2)
	case "ResourceGather":
		table = c.Held(0).Shape
	}
	batch := c.attr("batch_dims").GetI()
	if batch < 0 {
		batch += int64(at.Rank())
	}
	place, in := Place(axis, table.Rank())
	if !ok || !in || !at.Ranked() || batch < 0 || batch > int64(min(place, at.Rank())) {
		if table.Ranked() && at.Ranked() && batch >= 0 {
			return open(table.Rank() - 1 + at.Rank() - int(min(batch, MaxRank)))
		}
		return unknown
	}
	return Join(cut(table, 0, place), cut(at, int(batch), at.Rank()), cut(table, place+1, table.Rank()))
}

// span is what a slice takes of an axis: count places from one on. gone says that the axis does not
// stay, as in x[3]; fresh, that it is a new one.
type span struct {
	from, step, count int64
	gone, fresh       bool
}

// spans reads x[begin:end:stride, …], as ValidateStridedSliceOp of core/util/strided_slice_op.cc
// does; nil where it cannot be told which axes are meant.
func (c *Call) spans() []span {
	x, begin, end, strides := c.in(0), c.some(1), c.some(2), c.ints(3)
	if !x.Ranked() || strides == nil {
		return nil
	}
	mask := func(name string, i int) bool { return c.attr(name).GetI()>>i&1 == 1 }
	named := 0 // the axes that are named
	for i := range strides {
		if !mask("new_axis_mask", i) && !mask("ellipsis_mask", i) {
			named++
		}
	}
	in, all := x.Dims(), []span{}
	whole := func(n int) {
		for _, d := range in[:min(max(n, 0), len(in))] {
			all = append(all, span{0, 1, d, false, false})
		}
		in = in[min(max(n, 0), len(in)):]
	}
	for i, stride := range strides {
		known := i < len(begin) && i < len(end) && begin[i] != Missing && end[i] != Missing
		switch {
		case mask("ellipsis_mask", i):
			whole(x.Rank() - named)
			continue
		case mask("new_axis_mask", i):
			all = append(all, span{fresh: true, count: 1})
			continue
		case len(in) == 0:
			return nil
		}
		s := span{from: Missing, step: stride, count: tensor.Unknown, gone: mask("shrink_axis_mask", i)}
		from, to := mask("begin_mask", i), mask("end_mask", i)
		switch {
		case s.gone && known:
			s.from, s.count = begin[i], 1
		case s.gone:
		case known:
			s.from, s.count = Slice(in[0], begin[i], end[i], stride, from, to)
		case from && to:
			s.from, s.count = Slice(in[0], 0, 0, stride, from, to)
		}
		all, in = append(all, s), in[1:]
	}
	whole(len(in))
	return all
}

func stridedSlice(c *Call, _ int) tensor.Shape {
	spans := c.spans()
	if spans == nil {
		return unknown
	}
	dims := []int64{}
	for _, s := range spans {
		if !s.gone {
			dims = append(dims, s.count)
		}
	}
	return tensor.MakeShape(dims...)
}

// sliced is the rule of a slice that begins somewhere and has sizes; -1 is all that is left.
func sliced(c *Call, _ int) tensor.Shape {
	begin, size := c.some(1), c.some(2)
	x := c.in(0)
	if !x.Ranked() {
		x = open(max(len(size), c.listed(2), c.listed(1)))
	}
	return eachAxis(x, max(len(size), 0), func(i int, d int64) int64 {
		switch {
		case size[i] != -1:
			return size[i]
		case d == tensor.Unknown || i >= len(begin) || begin[i] == Missing:
			return tensor.Unknown
		}
		return d - begin[i]
	})
}

// blocks is the rule of operations that move blocks of places into another axis, or back.
func blocks(c *Call, _ int) tensor.Shape {
	x := c.in(0)
	if b := c.attr("block_size").GetI(); b > 0 {
		if format := c.Node.AttrString("data_format"); x.Rank() != 4 || format != "NHWC" && format != "" {
			return open(4)
		}
		if c.Node.Op == "SpaceToDepth" {
			return tensor.MakeShape(x.Dim(0), part(x.Dim(1), b), part(x.Dim(2), b), times(x.Dim(3), b*b))
		}
		return tensor.MakeShape(x.Dim(0), times(x.Dim(1), b), times(x.Dim(2), b), part(x.Dim(3), b*b))
	}
	sizes, around := c.ints(1), c.ints(2)
	if x.Rank() <= len(sizes) || sizes == nil || len(around) != 2*len(sizes) {
		return open(x.Rank())
	}
	dims := x.Dims()
	for i, b := range sizes {
		if c.Node.Op == "SpaceToBatchND" {
			dims[i+1] = part(plus(plus(dims[i+1], around[2*i]), around[2*i+1]), b)
			dims[0] = times(dims[0], b)
		} else {
			if dims[i+1] = times(dims[i+1], b); dims[i+1] != tensor.Unknown {
				dims[i+1] -= around[2*i] + around[2*i+1]
			}
			dims[0] = part(dims[0], b)
		}
	}
	return tensor.MakeShape(dims...)
}
