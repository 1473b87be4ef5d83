package rules

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/shape"
	"github.com/tfrun/tfrun/tensor"
)

// keras3Operations has the rules of the functions of keras.ops that TensorFlow has not, or has with
// other arguments. [Operations] holds the rest.
var keras3Operations = func() map[string]operationRule {
	rules := map[string]operationRule{
		"append": appendOperation, "cumsum": cumulated, "cumprod": cumulated, "nancumsum": cumulated, "nancumprod": cumulated,
		"argsort": argsortOperation, "average": averageOperation, "repeat": repeatOperation, "tile": tileOperation, "take": takeOperation,
		"moveaxis": moveAxisOperation, "swapaxes": swapOperation, "rot90": rot90Operation, "diagonal": diagonalOperation,
		"trace": traceOperation, "diff": diffOperation, "pad": padOperation, "quantile": quantileOperation, "percentile": quantileOperation,
		"nanquantile": quantileOperation, "nanpercentile": quantileOperation, "tensordot": tensordotOperation, "dot": dotOperation,
		"outer": outerOperation, "inner": scalarOperation, "vdot": scalarOperation, "ravel": ravelOperation, "split": splitAtOperation,
		"arraysplit": arraySplitOperation, "hsplit": fixedSplit(1), "vsplit": fixedSplit(0), "dsplit": fixedSplit(2),
		"hstack": stackedOperation(1), "vstack": stackedOperation(0), "dstack": depthOperation, "squeeze": squeezeOnesOperation,
		"expanddims": expandManyOperation, "broadcastto": broadcastToOperation, "slice": sliceToOperation, "unstack": unstackOperation,
		"topk": topKOperation, "onehot": oneHotAtOperation, "multihot": multiHotOperation, "glu": gluOperation,
		"moments": momentsOperation, "maxpool": likeLayer(poolRule), "averagepool": likeLayer(poolRule),
		"resize":     resizeOperation,
		"cropimages": marginOperation("cropping", -1), "padimages": marginOperation("padding", 1), "extractpatches": patchesOperation,
		"spacetodepth": blockOperation(false), "depthtospace": blockOperation(true), "extractsequences": sequencesOperation,
		"rgbtograyscale": grayOperation, "viewascomplex": complexOperation, "viewasreal": realOperation, "intopk": func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) { return in[:1], true },
	}
	for _, name := range strings.Fields(`arccos arccosh arcsin arcsinh arctan arctanh bitwiseinvert bitwisenot cbrt celu conjugate
		converttotensor deg2rad rad2deg erfc erfinv exp2 fabs fliplr flipud fulllike emptylike hardshrink hardtanh i0 isneginf isposinf
		isreal saturatecast signbit sinc softshrink sparseplus sparsesigmoid sparsemax squareplus tanhshrink threshold trunc
		gaussianblur hsvtorgb rgbtohsv argpartition isin cholesky choleskyinverse inv layernorm rmsnorm elastictransform`) {
		rules[name] = func(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) { return in[:1], true }
	}
	for _, name := range strings.Fields(`fmax fmin fmod gcd lcm heaviside hypot isclose ldexp logaddexp logaddexp2 nextafter`) {
		rules[name] = broadcastOperation
	}
	for _, name := range strings.Fields("and or xor rightshift leftshift") {
		rules["bitwise"+name] = bitwiseOperation
	}
	rules["leftshift"], rules["rightshift"] = bitwiseOperation, bitwiseOperation
	for _, name := range strings.Fields(`argmax argmin nanargmax nanargmin nanmean nansum nanmax nanmin nanprod nanstd nanvar nanmedian ptp`) {
		rules[name] = reduceOperation
	}
	return rules
}()

// bitwiseOperation stretches two tensors to one shape, of which Keras prints that of the first.
func bitwiseOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if c.misprinted() {
		return in[:1], true
	}
	return broadcastOperation(c, in)
}

// product multiplies sizes; [tensor.Unknown] where one is.
func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		if d == tensor.Unknown || d > 0 && n > maxElements/d {
			return tensor.Unknown
		}
		n *= d
	}
	return n
}

// maxElements bounds the sizes that files of others may ask for.
const maxElements = 1 << 48

// total adds sizes; [tensor.Unknown] where one is.
func total(dims ...int64) int64 {
	sum := int64(0)
	for _, d := range dims {
		if d == tensor.Unknown || d > maxElements {
			return tensor.Unknown
		}
		sum += d
	}
	return sum
}

// axisOf returns the place of the axis that an argument names; said is false where it names none.
func (c Config) axisOf(name string, otherwise any, rank int) (place int, said, ok bool) {
	v := c.arg(name, -1)
	if v == nil {
		v = otherwise
	}
	f, isNumber := v.(float64)
	if v == nil || !isNumber {
		return 0, v != nil, v == nil
	}
	place, ok = shape.Place(int64(f), rank)
	return place, true, ok
}

func ravelOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	return single(tensor.MakeShape(product(in[0].Dims())))
}

// cumulated keeps the shape along an axis, and makes a list of everything without one.
func cumulated(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if c.arg("axis", -1) == nil {
		return ravelOperation(c, in)
	}
	return in[:1], true
}

func argsortOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if _, given := c["axis"]; given {
		return cumulated(c, in)
	}
	return in[:1], true
}

func appendOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || !in[1].Ranked() {
		return nil, false
	}
	if c.arg("axis", -1) == nil {
		return single(tensor.MakeShape(total(product(in[0].Dims()), product(in[1].Dims()))))
	}
	return concatOperation(c, in)
}

func averageOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	return reduceOperation(Config{"axis": c["axis"]}, in)
}

func repeatOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	n := Numbers(c["repeats"])
	axis, said, ok := c.axisOf("axis", nil, in[0].Rank())
	if len(n) == 0 || !ok {
		return nil, false
	}
	of := func(d int64) int64 {
		switch {
		case d == tensor.Unknown:
			return d
		case len(n) == 1:
			return product([]int64{d, n[0]})
		}
		return total(n...)
	}
	if !said {
		return single(tensor.MakeShape(of(product(in[0].Dims()))))
	}
	return single(shape.With(in[0], axis, of(in[0].Dim(axis))))
}

func tileOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	n, dims := Numbers(c["repeats"]), in[0].Dims()
	if n == nil {
		return nil, false
	}
	longest := max(len(n), len(dims))
	n = append(slices.Repeat([]int64{1}, longest-len(n)), n...)
	dims = append(slices.Repeat([]int64{1}, longest-len(dims)), dims...)
	for i := range dims {
		dims[i] = product([]int64{dims[i], n[i]})
	}
	return single(tensor.MakeShape(dims...))
}

// takeOperation is the rule of take with indices among the arguments: a number, or lists of them.
func takeOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, said, ok := c.axisOf("axis", nil, in[0].Rank())
	if !ok {
		return nil, false
	}
	var of []int64
	switch v := Plain(c.arg("indices", 1)).(type) {
	case float64:
	case []any:
		if of, ok = listShape(v); !ok {
			return nil, false
		}
	default:
		if len(in) != 2 || !in[1].Ranked() {
			return nil, false
		}
		of = in[1].Dims()
	}
	if !said {
		return single(tensor.MakeShape(of...))
	}
	dims := in[0].Dims()
	return single(tensor.MakeShape(slices.Concat(dims[:axis], of, dims[axis+1:])...))
}

// moveAxisOperation puts axes in other places, and the rest into those that are left.
func moveAxisOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	from, to := Numbers(c["source"]), Numbers(c["destination"])
	rank := in[0].Rank()
	if len(from) != len(to) || from == nil {
		return nil, false
	}
	order := slices.Repeat([]int64{-1}, rank)
	moved := map[int]bool{}
	for i := range from {
		source, ok := shape.Place(from[i], rank)
		target, ok2 := shape.Place(to[i], rank)
		if !ok || !ok2 || moved[source] || order[target] >= 0 {
			return nil, false
		}
		order[target], moved[source] = int64(source), true
	}
	next := 0
	for i := range order {
		for order[i] < 0 {
			if !moved[next] {
				order[i] = int64(next)
			}
			next++
		}
	}
	return single(shape.Transpose(in[0], order))
}

func swapped(x tensor.Shape, a, b int64) ([]tensor.Shape, bool) {
	i, ok := shape.Place(a, x.Rank())
	j, ok2 := shape.Place(b, x.Rank())
	if !ok || !ok2 {
		return nil, false
	}
	dims := x.Dims()
	dims[i], dims[j] = dims[j], dims[i]
	return single(tensor.MakeShape(dims...))
}

func swapOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	return swapped(in[0], c.Num("axis1", maxElements), c.Num("axis2", maxElements))
}

// rot90Operation is the rule of a quarter turn. Keras prints that of a half turn like it.
func rot90Operation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axes := c.Nums("axes")
	if len(axes) != 2 {
		return nil, false
	}
	if c.Num("k", 1)%2 == 0 && !c.misprinted() {
		return in[:1], true
	}
	return swapped(in[0], axes[0], axes[1])
}

// withoutPair takes two axes of a shape away.
func withoutPair(c Config, x tensor.Shape) (rest []int64, a, b int64, ok bool) {
	i, ok := shape.Place(c.Num("axis1", 0), x.Rank())
	j, ok2 := shape.Place(c.Num("axis2", 1), x.Rank())
	if !ok || !ok2 || i == j {
		return nil, 0, 0, false
	}
	for k, d := range x.Dims() {
		if k != i && k != j {
			rest = append(rest, d)
		}
	}
	return rest, x.Dim(i), x.Dim(j), true
}

func traceOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	rest, _, _, ok := withoutPair(c, in[0])
	return []tensor.Shape{tensor.MakeShape(rest...)}, ok
}

func diagonalOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	rest, rows, columns, ok := withoutPair(c, in[0])
	if !ok {
		return nil, false
	}
	n := tensor.Unknown
	if rows != tensor.Unknown && columns != tensor.Unknown {
		offset := c.Num("offset", 0)
		n = max(0, min(rows, columns, rows+offset, columns-offset))
		if c.misprinted() && offset > 0 {
			n = max(0, min(rows, columns, columns-offset))
		}
	}
	return single(tensor.MakeShape(append(rest, n)...))
}

func diffOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	axis, _, ok := c.axisOf("axis", -1.0, in[0].Rank())
	if !ok {
		return nil, false
	}
	d := in[0].Dim(axis)
	if d != tensor.Unknown {
		d = max(0, d-c.Num("n", 1))
	}
	return single(shape.With(in[0], axis, d))
}

func padOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	list, _ := Plain(c["pad_width"]).([]any)
	dims := in[0].Dims()
	switch by := c.Nums("pad_width"); { // one number, or one pair, for all axes
	case len(by) == 1:
		list = []any{[]any{float64(by[0]), float64(by[0])}}
	case len(by) == 2:
		list = []any{list}
	}
	if len(list) == 0 || len(list) != 1 && len(list) != len(dims) {
		return nil, false
	}
	for i := range dims {
		by := Numbers(list[min(i, len(list)-1)])
		if len(by) != 2 {
			return nil, false
		}
		dims[i] = total(dims[i], by[0], by[1])
	}
	return single(tensor.MakeShape(dims...))
}

// complexOperation makes pairs of numbers one.
func complexOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	dims := in[0].Dims()
	return []tensor.Shape{tensor.MakeShape(dims[:max(0, len(dims)-1)]...)}, len(dims) > 0
}

// realOperation makes numbers pairs.
func realOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	return single(tensor.MakeShape(append(in[0].Dims(), 2)...))
}

// quantileOperation reduces, and gives one result for each of several quantiles.
func quantileOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	out, ok := reduceOperation(Config{"axis": c["axis"], "keepdims": c["keepdims"]}, in[:1])
	if !ok {
		return nil, false
	}
	switch q := Plain(c.arg("q", 1)).(type) {
	case float64:
		return out, true
	case []any:
		if len(q) == 1 && c.misprinted() {
			return out, true
		}
		return single(shape.Insert(out[0], 0, int64(len(q))))
	}
	return nil, false
}

func tensordotOperation(c Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || !in[1].Ranked() {
		return nil, false
	}
	a, b := in[0].Dims(), in[1].Dims()
	if n, ok := c["axes"].(float64); ok {
		k := int(n)
		if k < 0 || k > len(a) || k > len(b) {
			return nil, false
		}
		return single(tensor.MakeShape(append(a[:len(a)-k:len(a)-k], b[k:]...)...))
	}
	pair, _ := Plain(c["axes"]).([]any)
	if len(pair) != 2 {
		return nil, false
	}
	var rest []int64
	for i, dims := range [][]int64{a, b} {
		taken := map[int]bool{}
		for _, axis := range Numbers(pair[i]) {
			place, ok := shape.Place(axis, len(dims))
			if !ok {
				return nil, false
			}
			taken[place] = true
		}
		for k, d := range dims {
			if !taken[k] {
				rest = append(rest, d)
			}
		}
	}
	return single(tensor.MakeShape(rest...))
}

func dotOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || !in[1].Ranked() {
		return nil, false
	}
	a, b := in[0].Dims(), in[1].Dims()
	switch {
	case len(a) == 0 || len(b) == 0:
		return single(shape.Broadcast(in...))
	case len(b) == 1:
		return single(tensor.MakeShape(a[:len(a)-1]...))
	}
	return single(tensor.MakeShape(slices.Concat(a[:len(a)-1], b[:len(b)-2], b[len(b)-1:])...))
}

func outerOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || !in[1].Ranked() {
		return nil, false
	}
	return single(tensor.MakeShape(product(in[0].Dims()), product(in[1].Dims())))
}

// scalarOperation is the rule of products of two lists of numbers.
func scalarOperation(_ Config, in []tensor.Shape) ([]tensor.Shape, bool) {
	if len(in) != 2 || in[0].Rank() != 1 || in[1].Rank() != 1 {
		return nil, false
	}
	return []tensor.Shape{tensor.MakeShape()}, true
}
