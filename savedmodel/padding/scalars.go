package padding

import (
	"math"
	"slices"
	"strings"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// scalarRule says what an operation makes of one value of each input.
type scalarRule struct {
	eval   func(x []float64) float64 // nil: results for constants are not computed
	finite bool                      // finite inputs give finite results
	nonneg bool                      // no result is negative
}

func unary(f func(float64) float64) func([]float64) float64 {
	return func(x []float64) float64 { return f(x[0]) }
}

func holds(f func(a, b float64) bool) func([]float64) float64 {
	return func(x []float64) float64 {
		if f(x[0], x[1]) {
			return 1
		}
		return 0
	}
}

// scalarRules has the operations that compute each value of their result from one value of each
// input.
var scalarRules = map[string]scalarRule{
	"Abs":     {unary(math.Abs), true, true},
	"Neg":     {unary(func(x float64) float64 { return -x }), true, false},
	"Sign":    {nil, true, false},
	"Square":  {unary(func(x float64) float64 { return x * x }), true, true},
	"Sqrt":    {unary(math.Sqrt), false, true},
	"Rsqrt":   {unary(func(x float64) float64 { return 1 / math.Sqrt(x) }), false, true},
	"Exp":     {unary(math.Exp), false, true},
	"Expm1":   {unary(math.Expm1), false, false},
	"Log":     {unary(math.Log), false, false},
	"Log1p":   {unary(math.Log1p), false, false},
	"Sin":     {unary(math.Sin), true, false},
	"Cos":     {unary(math.Cos), true, false},
	"Tanh":    {unary(math.Tanh), true, false},
	"Sigmoid": {unary(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }), true, true},
	"Erf":     {unary(math.Erf), true, false},
	"Erfc":    {unary(math.Erfc), true, true},
	"Floor":   {unary(math.Floor), true, false},
	"Ceil":    {unary(math.Ceil), true, false},
	"Round":   {unary(math.RoundToEven), true, false},
	"Rint":    {unary(math.RoundToEven), true, false},
	"Relu":    {unary(func(x float64) float64 { return max(x, 0) }), true, true},
	"Relu6":   {unary(func(x float64) float64 { return min(max(x, 0), 6) }), true, true},
	"Elu": {unary(func(x float64) float64 {
		if x < 0 {
			return math.Expm1(x)
		}
		return x
	}), true, false},
	"Selu": {nil, true, false}, "LeakyRelu": {nil, true, false}, "Softplus": {nil, true, true},
	"Softsign": {nil, true, false}, "Inv": {nil, false, false}, "Reciprocal": {nil, false, false},
	"Atan": {nil, true, false}, "Sinh": {nil, false, false}, "Cosh": {nil, false, true}, "Asinh": {nil, true, false},
	"Acos": {nil, false, false}, "Asin": {nil, false, false}, "Acosh": {nil, false, false}, "Atanh": {nil, false, false},
	"Digamma": {nil, false, false}, "Lgamma": {nil, false, false}, "Erfinv": {nil, false, false}, "Ndtri": {nil, false, false}, "Tan": {nil, false, false},
	"IsNan": {nil, true, true}, "IsInf": {nil, true, true}, "IsFinite": {nil, true, true}, "Invert": {nil, true, false},
	"LogicalNot": {unary(func(x float64) float64 { return 1 - x }), true, true},

	"AddV2": {func(x []float64) float64 { return x[0] + x[1] }, true, false},
	"Add":   {func(x []float64) float64 { return x[0] + x[1] }, true, false},
	"AddN": {func(x []float64) float64 {
		s := 0.0
		for _, v := range x {
			s += v
		}
		return s
	}, true, false},
	"Sub": {func(x []float64) float64 { return x[0] - x[1] }, true, false},
	"Mul": {func(x []float64) float64 { return x[0] * x[1] }, true, false},

	"MulNoNan":          {nil, true, false},
	"RealDiv":           {func(x []float64) float64 { return x[0] / x[1] }, false, false},
	"Div":               {nil, false, false},
	"DivNoNan":          {nil, false, false},
	"Xdivy":             {nil, false, false},
	"FloorDiv":          {nil, false, false},
	"TruncateDiv":       {nil, false, false},
	"FloorMod":          {nil, false, false},
	"TruncateMod":       {nil, false, false},
	"Mod":               {nil, false, false},
	"Pow":               {nil, false, false},
	"Atan2":             {nil, false, false},
	"SquaredDifference": {func(x []float64) float64 { return (x[0] - x[1]) * (x[0] - x[1]) }, true, true},
	"Maximum":           {func(x []float64) float64 { return max(x[0], x[1]) }, true, false},
	"Minimum":           {func(x []float64) float64 { return min(x[0], x[1]) }, true, false},
	"ClipByValue":       {func(x []float64) float64 { return min(max(x[0], x[1]), x[2]) }, true, false},

	"Equal":            {holds(func(a, b float64) bool { return a == b }), true, true},
	"NotEqual":         {holds(func(a, b float64) bool { return a != b }), true, true},
	"Less":             {holds(func(a, b float64) bool { return a < b }), true, true},
	"LessEqual":        {holds(func(a, b float64) bool { return a <= b }), true, true},
	"Greater":          {holds(func(a, b float64) bool { return a > b }), true, true},
	"GreaterEqual":     {holds(func(a, b float64) bool { return a >= b }), true, true},
	"LogicalAnd":       {func(x []float64) float64 { return x[0] * x[1] }, true, true},
	"LogicalOr":        {func(x []float64) float64 { return max(x[0], x[1]) }, true, true},
	"BitwiseAnd":       {nil, true, false},
	"BitwiseOr":        {nil, true, false},
	"BitwiseXor":       {nil, true, false},
	"LeftShift":        {nil, true, false},
	"RightShift":       {nil, true, false},
	"Bucketize":        {nil, true, true},
	"ApproximateEqual": {nil, true, true},

	"StringLower": {nil, true, false}, "StringUpper": {nil, true, false}, "StringStrip": {nil, true, false}, "StringLength": {nil, true, true},
	"StaticRegexReplace": {nil, true, false}, "StaticRegexFullMatch": {nil, true, true}, "StringToHashBucketFast": {nil, true, true},
	"StringToHashBucketStrong": {nil, true, true}, "StringToHashBucket": {nil, true, true}, "StringJoin": {nil, true, false}, "AsString": {nil, true, false},
	"StringToNumber": {nil, false, false}, "EncodeBase64": {nil, true, false}, "DecodeBase64": {nil, true, false}, "Substr": {nil, true, false},
	"UnicodeTranscode": {nil, true, false}, "UnicodeScript": {nil, true, true},

	"Complex": {nil, true, false}, "Real": {nil, true, false}, "Imag": {nil, true, false}, "Conj": {nil, true, false},
	"ComplexAbs": {nil, true, true}, "Angle": {nil, true, false}, "Betainc": {nil, false, false}, "Zeta": {nil, false, false},
}

// arities maps operations to the number of their inputs, where that is not two.
var arities = map[string]int{"ClipByValue": 3, "Substr": 3, "Betainc": 3}

func init() {
	for _, op := range strings.Fields(`Abs Neg Sign Square Sqrt Rsqrt Exp Expm1 Log Log1p Sin Cos Tanh Sigmoid Erf Erfc Floor Ceil Round Rint Relu Relu6 Elu Selu LeakyRelu
		Softplus Softsign Inv Reciprocal Atan Sinh Cosh Asinh Acos Asin Acosh Atanh Digamma Lgamma Erfinv Ndtri Tan IsNan IsInf IsFinite Invert LogicalNot Bucketize
		StringLower StringUpper StringStrip StringLength StaticRegexReplace StaticRegexFullMatch StringToHashBucketFast StringToHashBucketStrong StringToHashBucket AsString
		StringToNumber EncodeBase64 DecodeBase64 UnicodeTranscode UnicodeScript Real Imag Conj ComplexAbs Angle`) {
		arities[op] = 1
	}
}

// limitsOf returns the smallest and the largest number of a dtype, as far as they matter here.
func limitsOf(d typespb.DataType) (lo, hi float64) {
	switch graph.DType(d) {
	case tensor.Int8:
		return math.MinInt8, math.MaxInt8
	case tensor.Uint8:
		return 0, math.MaxUint8
	case tensor.Int16:
		return math.MinInt16, math.MaxInt16
	case tensor.Uint16:
		return 0, math.MaxUint16
	case tensor.Int32:
		return math.MinInt32, math.MaxInt32
	case tensor.Uint32:
		return 0, math.MaxUint32
	case tensor.Int64:
		return -1 << 53, 1 << 53
	case tensor.Uint64:
		return 0, 1 << 53
	case tensor.Float16:
		return -65504, 65504
	}
	return math.Inf(-1), math.Inf(1)
}

// combine returns what is true of an operation's results for inputs of which the facts are true.
func combine(op string, in []fact) fact {
	rule := scalarRules[op]
	out := fact{finite: rule.finite, tame: rule.finite, held: true, nonneg: rule.nonneg}
	constants := true
	x := make([]float64, len(in))
	for i, f := range in {
		out.finite, out.tame, out.held = out.finite && f.finite, out.tame && f.tame, out.held && f.held
		out.unclear = out.unclear || f.unclear
		constants = constants && f.known && !f.isText
		x[i] = f.c
	}
	if constants && rule.eval != nil {
		k := constant(rule.eval(x))
		k.held = out.held
		return k
	}
	if f, ok := texts(op, in); ok {
		f.held = out.held
		return f
	}
	out.unclear = out.unclear || constants
	special(op, in, &out)
	return out
}

// texts is combine for comparisons of texts.
func texts(op string, in []fact) (fact, bool) {
	if len(in) != 2 || !in[0].known || !in[1].known || !in[0].isText || !in[1].isText || op != "Equal" && op != "NotEqual" {
		return fact{}, false
	}
	if (in[0].text == in[1].text) == (op == "Equal") {
		return constant(1), true
	}
	return constant(0), true
}

// special adds to out what is true of the results of single operations.
func special(op string, in []fact, out *fact) {
	become := func(f fact) {
		f.held = out.held
		*out = f
	}
	a := in[0]
	b := in[len(in)-1]
	switch op {
	case "Mul":
		for i, f := range in {
			if other := in[1-i]; f.is(0) && other.finite {
				become(constant(0))
				return
			}
		}
		out.nonneg, out.positive = a.nonneg && b.nonneg, a.positive && b.positive
		// A mask of ones and zeros, times the lowest number of the dtype.
		for i, f := range in {
			if other := in[1-i]; f.known && f.c < 0 && !math.IsInf(f.c, -1) && other.nonneg && other.tame {
				out.bounded = true
			}
		}
		out.low = a.low && b.known && b.c >= 1 || b.low && a.known && a.c >= 1
		out.zero = max(when(b.finite, a.zero), when(a.finite, b.zero))
	case "LogicalAnd":
		if a.is(0) || b.is(0) {
			become(constant(0))
			return
		}
		out.some = max(when(a.is(1), b.some), when(b.is(1), a.some))
	case "LogicalNot":
		out.zero = a.some
	case "LogicalOr":
		if a.is(1) || b.is(1) {
			become(constant(1))
			return
		}
		out.some = max(a.some, b.some)
	case "AddV2", "Add", "AddN":
		lows, tame := 0, true
		for _, f := range in {
			lows += int(when(f.low, 1))
			tame = tame && (f.low || f.tame)
		}
		out.low = lows > 0 && tame
		out.bounded = !slices.ContainsFunc(in, func(f fact) bool { return !f.bounded && !f.finite })
		out.nonneg = !slices.ContainsFunc(in, func(f fact) bool { return !f.nonneg })
		out.positive = out.nonneg && slices.ContainsFunc(in, func(f fact) bool { return f.positive })
		out.peak = max(when(b.tame, max(a.zero, a.peak)), when(a.tame, max(b.zero, b.peak)))
	case "Sub":
		out.low = a.low && b.tame || a.tame && b.known && b.c >= hugeFrom
		out.zero, out.peak = when(a.is(1), b.some), max(when(a.tame, b.zero), when(b.tame, a.peak))
	case "RealDiv":
		out.finite, out.tame = a.finite && b.positive, a.tame && b.positive
		out.nonneg = a.nonneg && b.positive
		if a.is(0) && b.positive {
			become(constant(0))
		}
	case "Sqrt":
		out.finite, out.tame, out.positive = a.finite && a.nonneg, a.tame && a.nonneg, a.positive
	case "Rsqrt":
		out.finite, out.tame = a.finite && a.positive, a.tame && a.positive
	case "Maximum":
		out.nonneg, out.positive = a.nonneg || b.nonneg, a.positive || b.positive
	case "Minimum":
		out.nonneg, out.positive = a.nonneg && b.nonneg, a.positive && b.positive
		out.low = a.low || b.low
	case "Pow":
		whole := b.known && b.c == math.Trunc(b.c) && b.c >= 0
		out.finite, out.tame = a.finite && whole, a.tame && whole
	case "Relu", "Relu6", "Sigmoid", "Exp":
		if a.low {
			become(constant(0))
		}
	case "Equal", "NotEqual":
		out.unclear = true // the values decide which of both
		compared(op, a, b, out)
		if out.known {
			return
		}
		compared(op, b, a, out)
	case "Less", "LessEqual", "Greater", "GreaterEqual":
		out.unclear = true // the values decide which of both
		switch {
		case op == "Greater" && a.positive && b.is(0), op == "Less" && a.is(0) && b.positive:
			*out = constant(1)
		case op == "LessEqual" && a.positive && b.is(0), op == "GreaterEqual" && a.is(0) && b.positive:
			*out = constant(0)
		case op == "GreaterEqual" && a.nonneg && b.is(0), op == "LessEqual" && a.is(0) && b.nonneg:
			*out = constant(1)
		case op == "Less" && a.nonneg && b.is(0), op == "Greater" && a.is(0) && b.nonneg:
			*out = constant(0)
		}
	case "Erfc", "Softplus":
		out.unclear = true
	}
}
