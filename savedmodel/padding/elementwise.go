package padding

import (
	"math"
	"slices"
	"strings"

	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// scalarRule is what an operation does with one value of each input.
type scalarRule struct {
	eval   func(x []float64) float64 // nil: constants are not followed
	finite bool                      // finite values stay finite
	nonneg bool                      // no value is below 0
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

// scalarRules has the operations that make each value of their result of one value of each input,
// whatever stands elsewhere.
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

// samePassOps give their first input as it is.
var samePassOps = []string{
	"Identity", "StopGradient", "PreventGradient", "Snapshot", "CheckNumerics", "EnsureShape", "DeepCopy", "DebugGradientIdentity", "PlaceholderWithDefault",
}

func init() {
	for op := range scalarRules {
		rules[op] = elementwise
	}
	for _, op := range samePassOps {
		rules[op] = func(c *call) []*value { return c.in[:min(1, len(c.in))] }
	}
	rules["IdentityN"] = func(c *call) []*value { return c.in }
	rules["Cast"] = cast
	rules["SelectV2"], rules["Select"] = choose, choose
	rules["BiasAdd"] = biasAdd
	rules["ZerosLike"] = func(c *call) []*value { return c.filled(0) }
	rules["OnesLike"] = func(c *call) []*value { return c.filled(1) }
	rules["NoOp"] = func(*call) []*value { return nil }
	for _, op := range []string{"Assert", "Print", "PrintV2"} {
		rules[op] = func(c *call) []*value { return c.in[:min(1, len(c.in))] }
	}
}

// filled has the first input's axes, and one value everywhere.
func (c *call) filled(x float64) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	return []*value{full(c.in[0].axes, constant(x))}
}

// inRange forgets constants that a dtype does not hold: they become others.
func (c *call) inRange(v *value) {
	lo, hi := limitsOf(c.n.Def.GetAttr()["T"].GetType())
	check := func(f *fact) {
		if f.known && !f.isText && (f.c < lo || f.c > hi) {
			*f = fact{unclear: true}
		}
	}
	check(&v.real)
	for j := range v.pad {
		check(&v.pad[j])
	}
}

// limitsOf are the smallest and the largest number of a dtype, as far as they matter here.
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

// unchanged is the state that a sum or a product leaves as it is: 0 is added, or it is multiplied
// by 1.
func (c *call) unchanged(axes []axis) int {
	neutral, ok := map[string]float64{"AddV2": 0, "Add": 0, "Sub": 0, "Mul": 1}[c.n.Op]
	for i, in := range c.in {
		if ok && in.state > 0 && len(c.in) == 2 && c.in[1-i].whole().is(neutral) && (i == 0 || c.n.Op != "Sub") && slices.EqualFunc(in.axes, axes, slices.Equal[axis]) {
			return in.state
		}
	}
	return 0
}

// diagonal tells of a comparison of numbers of steps along two axes that are alike, as a causal
// mask is made of, that it is true where both are the same: for each place of one there is one of
// the other.
func (c *call) diagonal(v *value) {
	if len(c.in) != 2 || c.in[0].real.place == 0 || c.in[1].real.place == 0 {
		return
	}
	ahead := c.in[0].real.offset - c.in[1].real.offset
	switch c.n.Op {
	case "GreaterEqual":
	case "LessEqual":
		ahead = -ahead
	case "Greater":
		ahead--
	case "Less":
		ahead = -ahead - 1
	default:
		return
	}
	p, q := c.in[0].real.place-1+v.rank()-c.in[0].rank(), c.in[1].real.place-1+v.rank()-c.in[1].rank()
	if ahead >= 0 && p != q && max(p, q) == v.rank()-1 && slices.Equal(v.axes[p], v.axes[q]) {
		v.real.some = 1
	}
}

// mayCancel reports whether two inputs depend on padding or other rows, each in its own way.
func (c *call) mayCancel() bool {
	var first *cause
	for _, in := range c.in {
		switch {
		case in.why == nil || in.why.answer != Depends:
		case first != nil && first != in.why:
			return true
		default:
			first = in.why
		}
	}
	return false
}

// same reports whether two axes have the same entries. Padded axes of two inputs do where each row
// has as many entries along one as along the other, which is then needed.
func (w *walker) same(a, b axis) bool {
	if slices.Equal(a, b) || a.isFixed() && b.isFixed() {
		return true // or TensorFlow refuses it
	}
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		first, ok1 := w.inputAxis(x.name)
		second, ok2 := w.inputAxis(y.name)
		if x.kind != steps || y.kind != steps || x.shift != y.shift || x.front != y.front || !ok1 || !ok2 {
			return false
		}
		need := Need{Input: first.Input, Axis: first.Axis, Other: second.Input, OtherAxis: second.Axis}
		if !slices.Contains(w.needs, need) {
			w.needs = append(w.needs, need)
		}
	}
	return true
}

// at is what is true of an input's entries where axis j, of rank axes, is padding.
func at(v *value, j, rank int) fact {
	if k := j - (rank - v.rank()); k >= 0 && len(v.axes[k]) > 0 {
		return v.pad[k]
	}
	return v.whole()
}

// arities are the numbers of inputs of those scalarRules that do not take two.
var arities = map[string]int{"ClipByValue": 3, "Substr": 3, "Betainc": 3}

func init() {
	for _, op := range strings.Fields(`Abs Neg Sign Square Sqrt Rsqrt Exp Expm1 Log Log1p Sin Cos Tanh Sigmoid Erf Erfc Floor Ceil Round Rint Relu Relu6 Elu Selu LeakyRelu
		Softplus Softsign Inv Reciprocal Atan Sinh Cosh Asinh Acos Asin Acosh Atanh Digamma Lgamma Erfinv Ndtri Tan IsNan IsInf IsFinite Invert LogicalNot Bucketize
		StringLower StringUpper StringStrip StringLength StaticRegexReplace StaticRegexFullMatch StringToHashBucketFast StringToHashBucketStrong StringToHashBucket AsString
		StringToNumber EncodeBase64 DecodeBase64 UnicodeTranscode UnicodeScript Real Imag Conj ComplexAbs Angle`) {
		arities[op] = 1
	}
}

func elementwise(c *call) []*value {
	arity := arities[c.n.Op]
	if arity == 0 {
		arity = 2
	}
	if list := c.n.Op == "AddN" || c.n.Op == "StringJoin"; list && len(c.in) == 0 || !list && len(c.in) != arity {
		return c.unknown("has too many inputs, or too few")
	}
	if !c.ranked(-1) {
		return c.unknown("has an input of unknown rank")
	}
	axes, ok := c.stretched(c.in)
	if !ok {
		return c.unknown("lines up axes of which it is not known that they have the same sizes")
	}
	square := len(c.n.Inputs) == 2 && c.n.Inputs[0] == c.n.Inputs[1]
	v := mapped(axes, c.in, func(facts []fact) fact {
		f := combine(c.n.Op, facts)
		f.nonneg = f.nonneg || square && c.n.Op == "Mul"
		return f
	})
	c.inRange(v)
	c.diagonal(v)
	if nums := c.arithmetic(v.rank()); nums != nil {
		return []*value{c.counted(v, nums)}
	}
	if v.real.known { // whatever the inputs are
		return []*value{v}
	}
	v.state = c.unchanged(axes)
	out := c.made(v, c.in...)
	if c.mayCancel() {
		v.why = &cause{text: "puts together two values that depend on padding or other rows, which may make up for each other", node: c.n}
	}
	return out
}

// combine is what is true of the results of an operation for values of which facts are true.
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

// texts compares texts.
func texts(op string, in []fact) (fact, bool) {
	if len(in) != 2 || !in[0].known || !in[1].known || !in[0].isText || !in[1].isText || op != "Equal" && op != "NotEqual" {
		return fact{}, false
	}
	if (in[0].text == in[1].text) == (op == "Equal") {
		return constant(1), true
	}
	return constant(0), true
}

// special adds to the result of combine what is true of one operation.
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
		for i, f := range in { // a mask of ones and zeros, times the lowest number there is
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
		out.unclear = true // which it is, depends on the values
		compared(op, a, b, out)
		if out.known {
			return
		}
		compared(op, b, a, out)
	case "Less", "LessEqual", "Greater", "GreaterEqual":
		out.unclear = true // which it is, depends on the values
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

// compared is what is true of a comparison with the padding value, of values that are assumed to be
// none.
func compared(op string, a, b fact, out *fact) {
	if !a.padless || !b.is(a.c) {
		return
	}
	switch {
	case a.over == 0 && op == "NotEqual":
		*out = constant(1)
	case a.over == 0:
		*out = constant(0)
	case op == "NotEqual":
		out.some = a.over
	}
}

// cast changes the dtype.
func cast(c *call) []*value {
	if !c.ranked(1) {
		return c.unknown("has an input of unknown rank")
	}
	u := *c.in[0]
	u.pad, u.state = slices.Clone(u.pad), 0
	dst := c.n.Def.GetAttr()["DstT"].GetType()
	lo, hi := limitsOf(dst)
	trunc := func(f fact) fact {
		if f.known && dst == typespb.DataType_DT_BOOL {
			return constant(float64(when(f.c != 0, 1)))
		}
		if f.known && (f.c != math.Trunc(f.c) || f.c < lo || f.c > hi) {
			return fact{finite: f.finite, held: f.held, unclear: true}
		}
		f.positive = f.positive && (f.known || f.integer) // 0.5 becomes 0
		f.padless = f.padless && f.integer
		return f
	}
	if !floating(dst) {
		u.real = trunc(u.real)
		for i, f := range u.pad {
			u.pad[i] = trunc(f)
		}
	}
	return []*value{&u}
}

// choose takes each value from one of two inputs.
func choose(c *call) []*value {
	if !c.ranked(3) {
		return c.unknown("has an input of unknown rank")
	}
	cond, yes, no := c.in[0], c.in[1], c.in[2]
	// Select chooses for each entry of the first axis, where the condition has that alone
	if c.n.Op == "Select" && cond.rank() == 1 && yes.rank() > 1 {
		u := cond.with(slices.Clone(cond.axes), slices.Clone(cond.pad))
		for range yes.rank() - 1 {
			u.axes, u.pad = append(u.axes, nil), append(u.pad, fact{})
		}
		cond = u
	}
	in := []*value{cond, yes, no}
	axes, ok := c.stretched(in)
	if !ok {
		return c.unknown("lines up axes of which it is not known that they have the same sizes")
	}
	v := mapped(axes, in, func(f []fact) fact {
		switch {
		case f[0].is(1):
			return unheld(f[1], f)
		case f[0].is(0):
			return unheld(f[2], f)
		}
		out := unheld(f[1].join(f[2]), f)
		out.peak = when(f[1].tame, f[0].some)
		return out
	})
	from := in
	all := cond.whole()
	switch {
	case cond.real.is(1):
		from = in[1:2]
	case cond.real.is(0):
		from = in[2:]
	}
	for i, branch := range []*value{yes, no} {
		// only then is it the branch itself, and not just the same for the row
		if all.is(float64(1-i)) && slices.EqualFunc(branch.axes, axes, slices.Equal[axis]) {
			v.state = branch.state
		}
	}
	return c.made(v, from...)
}

// unheld is a fact of a choice: padding is what the last entry of the row is only where the choice
// is, too.
func unheld(f fact, of []fact) fact {
	f.held = of[0].held && of[1].held && of[2].held
	return f
}

func biasAdd(c *call) []*value {
	if !c.ranked(2) || c.in[1].rank() != 1 || c.in[0].rank() < 2 {
		return c.unknown("has an input of unknown rank")
	}
	bias := c.in[1]
	if c.n.AttrString("data_format") == "NCHW" {
		u := bias.with(slices.Clone(bias.axes), slices.Clone(bias.pad))
		for range c.in[0].rank() - 2 {
			u.axes, u.pad = append(u.axes, nil), append(u.pad, fact{})
		}
		bias = u
	}
	in := []*value{c.in[0], bias}
	axes, ok := c.stretched(in)
	if !ok || len(axes) != c.in[0].rank() {
		return c.unknown("lines up axes of which it is not known that they have the same sizes")
	}
	return c.made(mapped(axes, in, func(f []fact) fact { return combine("AddV2", f) }), in...)
}
