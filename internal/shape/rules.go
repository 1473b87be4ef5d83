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

type rule func(c *Call, out int) tensor.Shape

// rules maps an operation to the rule for the shapes of its outputs, after TensorFlow's
// core/ops/*.cc and core/framework/common_shape_fns.cc.
var rules = map[string]rule{}

// broadcasting lists the operations that broadcast their inputs to one shape.
const broadcasting = `
		Add AddV2 Sub Mul RealDiv Div DivNoNan MulNoNan Maximum Minimum Pow FloorDiv FloorMod Mod TruncateDiv TruncateMod
		SquaredDifference Atan2 Xdivy Xlogy Xlog1py Complex NextAfter Igamma Igammac Zeta Polygamma Betainc Greater GreaterEqual Less
		LessEqual Equal NotEqual ApproximateEqual LogicalAnd LogicalOr SelectV2 BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift`

// kinds groups operations that share a rule.
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
		UnicodeTranscode UnicodeScript DecodeCompressed Bucketize InvertPermutation MatrixBandPart MatrixSetDiag
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
	{func(c *Call, _ int) tensor.Shape {
		if s := c.given(1); c.Node.Op == "SparseToDense" || Broadcast(c.in(0), s).Equal(s) || !c.in(0).Ranked() || !s.FullyKnown() {
			return s
		}
		return unknown
	}, `BroadcastTo SparseToDense`},
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

// more holds the rules of single operations.
var more = map[string]rule{
	"Const": func(c *Call, _ int) tensor.Shape { return graph.Shape(c.attr("value").GetTensor().GetTensorShape()) },
	"Bitcast": func(c *Call, _ int) tensor.Shape {
		if graph.DType(c.attr("T").GetType()).Size() != graph.DType(c.attr("type").GetType()).Size() {
			return unknown
		}
		return c.in(0)
	},
	"EnsureShape":    func(c *Call, _ int) tensor.Shape { return Same(c.in(0), graph.Shape(c.attr("shape").GetShape())) },
	"ReadVariableOp": func(c *Call, _ int) tensor.Shape { return c.Held(0).Shape },
	"Shape": func(c *Call, _ int) tensor.Shape {
		if rank := c.in(0).Rank(); rank >= 0 {
			return tensor.MakeShape(int64(rank))
		}
		return open(1)
	},
	"Select": func(c *Call, _ int) tensor.Shape { return Same(c.in(1), c.in(2)) },
	"AddN":   func(c *Call, _ int) tensor.Shape { return Same(c.ins(0, len(c.Node.Inputs))...) },
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
		s, batch := c.given(0), axesOf(Merge(c.in(2), open(4)), 0, 1)
		if s.Rank() != 4 {
			return open(4) // sizes of height and width do not follow
		}
		return Join(batch, axesOf(s, 1, 4))
	},
	"BiasAdd":   biased,
	"BiasAddV1": biased,
	"Pack":      packed,
	"Unpack": func(c *Call, _ int) tensor.Shape {
		x, axis := c.in(0), c.attr("axis").GetI()
		if at, ok := Place(axis, x.Rank()); ok && !Agree(x.Dim(at), c.attr("num").GetI()) {
			return unknown
		}
		return Reduce(x, []int64{axis}, false)
	},
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
		return Join(axesOf(at, 0, at.Rank()-1), axesOf(x, int(min(at.Dim(-1), MaxRank)), x.Rank()))
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
		x := c.in(0)
		if ok && x.Rank() > 0 && x.Dim(-1) != tensor.Unknown && k > x.Dim(-1) {
			return unknown
		}
		if ok && x.Rank() > 0 {
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
		if s := Join(axesOf(c.in(1), 0, 1), c.given(3), axesOf(c.in(0), 3, 4)); s.Rank() == 4 {
			return s
		}
		return open(4)
	},
	"UnsortedSegmentSum": func(c *Call, _ int) tensor.Shape {
		n, ok := c.one(2)
		if x, at := c.in(0), c.in(1); ok && at.Ranked() && at.Rank() <= x.Rank() {
			return Join(tensor.MakeShape(n), axesOf(x, at.Rank(), x.Rank()))
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

// joined is [Concat] for an axis that may be unknown.
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

// biased is the rule of adding a number to each channel.
func biased(c *Call, _ int) tensor.Shape {
	x, bias, channels := c.in(0), c.in(1), -1
	if c.Node.AttrString("data_format") == "NCHW" {
		channels = 1
	}
	if place, ok := Place(int64(channels), x.Rank()); ok && bias.Rank() == 1 && !Agree(x.Dim(place), bias.Dim(0)) {
		return unknown
	}
	return x
}

func packed(c *Call, _ int) tensor.Shape {
	return Insert(Same(c.ins(0, len(c.Node.Inputs))...), c.attr("axis").GetI(), int64(len(c.Node.Inputs)))
}

func reduced(c *Call, _ int) tensor.Shape {
	keep := c.attr("keep_dims").GetB()
	axes := c.ints(1)
	switch {
	case c.Node.Op == "ReduceJoin" && len(axes) == 0: // without axes all are joined
		return unknown
	case axes != nil:
		return Reduce(c.in(0), axes, keep)
	case keep:
		return open(c.in(0).Rank())
	}
	return unknown
}
