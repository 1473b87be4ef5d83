package shape

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// MaxRank bounds the axes of a shape, and the values of a list of sizes.
const MaxRank = 64

// unknown is the shape of which nothing is known.
var unknown = tensor.UnknownShape()

// Place returns the index of an axis, which may count from the end (negative), in a tensor of rank
// axes.
func Place(axis int64, rank int) (place int, ok bool) {
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), axis >= 0 && axis < int64(rank)
}

// axisSet returns the indices of axes as a set, nil unless all are axes of the tensor.
func axisSet(axes []int64, rank int) map[int]bool {
	all := make(map[int]bool, len(axes))
	for _, a := range axes {
		place, ok := Place(a, rank)
		if !ok {
			return nil
		}
		all[place] = true
	}
	return all
}

// With returns the shape with size d in place i.
func With(s tensor.Shape, i int, d int64) tensor.Shape {
	dims := s.Dims()
	dims[i] = d
	return tensor.MakeShape(dims...)
}

// open returns a shape of the given rank with no size known.
func open(rank int) tensor.Shape {
	if rank < 0 {
		return unknown
	}
	return tensor.MakeShape(slices.Repeat([]int64{tensor.Unknown}, rank)...)
}

// Join returns a shape with the sizes of several shapes, one after the other.
func Join(all ...tensor.Shape) tensor.Shape {
	dims := []int64{}
	for _, s := range all {
		if !s.Ranked() {
			return unknown
		}
		dims = append(dims, s.Dims()...)
	}
	return tensor.MakeShape(dims...)
}

// axesOf returns the axes from ≤ i < to of s as a shape; it is unknown where s does not have them.
func axesOf(s tensor.Shape, from, to int) tensor.Shape {
	if from < 0 || to < from || to > s.Rank() {
		return unknown
	}
	return tensor.MakeShape(s.Dims()[from:to]...)
}

// Merge combines what two sources say about one shape. Where they contradict each other, a is
// taken.
func Merge(a, b tensor.Shape) tensor.Shape {
	switch {
	case !a.Ranked():
		return b
	case a.Rank() != b.Rank():
		return a
	}
	dims := a.Dims()
	for i := range dims {
		if dims[i] == tensor.Unknown {
			dims[i] = b.Dim(i)
		}
	}
	return tensor.MakeShape(dims...)
}

// Common returns a shape with the sizes in which two shapes agree, the others unknown.
func Common(a, b tensor.Shape) tensor.Shape {
	if a.Rank() != b.Rank() {
		return unknown
	}
	dims := a.Dims()
	for i := range dims {
		if dims[i] != b.Dim(i) {
			dims[i] = tensor.Unknown
		}
	}
	return tensor.MakeShape(dims...)
}

// Broadcast returns the shape that shapes are broadcast to, aligned at their last axes. As in
// TensorFlow's own inference, an unknown size beside one above 1 must be that size. The result is
// unknown where one of the shapes is, or where they do not fit each other.
func Broadcast(in ...tensor.Shape) tensor.Shape {
	var dims []int64
	for _, s := range in {
		if !s.Ranked() {
			return unknown
		}
		a, b := dims, s.Dims()
		if len(a) < len(b) {
			a, b = b, a
		}
		for i, d := range b {
			at := &a[len(a)-len(b)+i]
			switch {
			case *at == 1, *at == tensor.Unknown && d > 1:
				*at = d
			case d > 1 && *at != d || d == 0 && *at > 1:
				return unknown
			}
		}
		dims = a
	}
	return tensor.MakeShape(dims...)
}

// Concat returns the shape of tensors concatenated along an axis; it is unknown where they differ
// in another.
func Concat(in []tensor.Shape, axis int64) tensor.Shape {
	if len(in) == 0 {
		return unknown
	}
	dims := in[0].Dims()
	at, ok := Place(axis, len(dims))
	for _, s := range in {
		if ok = ok && s.Rank() == len(dims); !ok {
			return unknown
		}
	}
	for _, s := range in[1:] {
		for i := range dims {
			switch d := s.Dim(i); {
			case !ok:
			case i == at && (d == tensor.Unknown || dims[i] == tensor.Unknown):
				dims[i] = tensor.Unknown
			case i == at:
				dims[i] += d
			case dims[i] == tensor.Unknown:
				dims[i] = d
			case d != tensor.Unknown && d != dims[i]:
				return unknown
			}
		}
	}
	if !ok {
		return unknown
	}
	return tensor.MakeShape(dims...)
}

// Insert returns the shape with a new axis of size d at index axis; -1 puts it last.
func Insert(s tensor.Shape, axis, d int64) tensor.Shape {
	at, ok := Place(axis, s.Rank()+1)
	if !ok || !s.Ranked() {
		return unknown
	}
	return tensor.MakeShape(slices.Insert(s.Dims(), at, d)...)
}

// Squeeze removes the given axes, or, where none are given, all axes of size 1.
func Squeeze(s tensor.Shape, axes []int64) tensor.Shape {
	gone := axisSet(axes, s.Rank())
	if gone == nil || len(axes) == 0 && !s.FullyKnown() {
		return unknown
	}
	dims := []int64{}
	for i, d := range s.Dims() {
		switch {
		case gone[i] && d != 1 && d != tensor.Unknown:
			return unknown
		case !gone[i] && (len(axes) > 0 || d != 1):
			dims = append(dims, d)
		}
	}
	return tensor.MakeShape(dims...)
}

// Reduce removes axes, or keeps them with size 1.
func Reduce(s tensor.Shape, axes []int64, keep bool) tensor.Shape {
	gone := axisSet(axes, s.Rank())
	if gone == nil || !s.Ranked() {
		return unknown
	}
	dims := []int64{}
	for i, d := range s.Dims() {
		if !gone[i] {
			dims = append(dims, d)
		} else if keep {
			dims = append(dims, 1)
		}
	}
	return tensor.MakeShape(dims...)
}

// AllAxes lists the indices of all axes of a tensor.
func AllAxes(rank int) []int64 {
	axes := make([]int64, max(rank, 0))
	for i := range axes {
		axes[i] = int64(i)
	}
	return axes
}

// Reshape returns the target shape for the elements of s. One size of target may be negative; it
// follows from the number of elements, where that is known. The result is unknown where the
// elements do not fill the target.
func Reshape(s tensor.Shape, target []int64) tensor.Shape {
	whole, known := s.NumElements()
	left, at := int64(1), -1
	for i, d := range target {
		switch {
		case d >= 0 && d > 0 && left > maxElements/d:
			return tensor.MakeShape(target...)
		case d >= 0:
			left *= d
		case at >= 0: // a second open size
			return tensor.MakeShape(target...)
		default:
			at = i
		}
	}
	switch {
	case !known, at >= 0 && left == 0 && whole == 0:
		return tensor.MakeShape(target...)
	case at < 0 && whole != left, at >= 0 && (left == 0 || whole%left != 0):
		return unknown
	case at < 0:
		return tensor.MakeShape(target...)
	}
	return With(tensor.MakeShape(target...), at, whole/left)
}

// maxElements bounds products of sizes.
const maxElements = 1 << 50

// Split returns the shape of each of n equal parts along an axis; it is unknown where that does not
// work out.
func Split(s tensor.Shape, axis, n int64) tensor.Shape {
	at, ok := Place(axis, s.Rank())
	if !ok || s.Dim(at) != tensor.Unknown && part(s.Dim(at), n) == tensor.Unknown {
		return unknown
	}
	return With(s, at, part(s.Dim(at), n))
}

// Transpose returns the shape whose axis i is axis order[i] of s.
func Transpose(s tensor.Shape, order []int64) tensor.Shape {
	if !s.Ranked() || len(order) != s.Rank() || len(axisSet(order, s.Rank())) != len(order) {
		return unknown
	}
	dims := make([]int64, len(order))
	for i, a := range order {
		at, _ := Place(a, len(order))
		dims[i] = s.Dim(at)
	}
	return tensor.MakeShape(dims...)
}

// MatMul returns the shape of a product of matrices. turnA and turnB say which matrices are
// transposed; axes before the last two are broadcast. It is unknown where the matrices do not fit
// each other.
func MatMul(a, b tensor.Shape, turnA, turnB bool) tensor.Shape {
	if a.Rank() < 2 || b.Rank() < 2 {
		return unknown
	}
	rows, depthA, depthB, columns := a.Dim(-2), a.Dim(-1), b.Dim(-2), b.Dim(-1)
	if turnA {
		rows, depthA = depthA, rows
	}
	if turnB {
		depthB, columns = columns, depthB
	}
	if !Agree(depthA, depthB) {
		return unknown
	}
	return Join(Broadcast(axesOf(a, 0, a.Rank()-2), axesOf(b, 0, b.Rank()-2)), tensor.MakeShape(rows, columns))
}

// Einsum returns the shape of a product written as an equation of letters. Axes under "..." are
// broadcast. It is unknown where one letter stands for two sizes.
func Einsum(equation string, in []tensor.Shape) tensor.Shape {
	inputs, output, ok := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	parts := strings.Split(inputs, ",")
	if !ok || len(parts) != len(in) {
		return unknown
	}
	sizes, fit := map[byte]int64{}, true
	note := func(letters string, dims []int64) {
		for i := range len(letters) {
			d, ok := sizes[letters[i]]
			if fit = fit && (!ok || Agree(d, dims[i])); !ok || d == tensor.Unknown {
				sizes[letters[i]] = dims[i]
			}
		}
	}
	var dots []tensor.Shape
	for k, part := range parts {
		before, after, found := strings.Cut(part, "...")
		dims := in[k].Dims()
		rest := len(dims) - len(before) - len(after)
		if rest < 0 || rest > 0 && !found || !in[k].Ranked() {
			return unknown
		}
		note(before, dims[:len(before)])
		note(after, dims[len(dims)-len(after):])
		dots = append(dots, tensor.MakeShape(dims[len(before):len(dims)-len(after)]...))
	}
	if !fit {
		return unknown
	}
	of := func(letters string) tensor.Shape {
		dims := make([]int64, len(letters))
		for i := range dims {
			dims[i] = sizes[letters[i]]
		}
		return tensor.MakeShape(dims...)
	}
	before, after, found := strings.Cut(output, "...")
	if !found {
		return of(output)
	}
	return Join(of(before), Broadcast(dots...), of(after))
}

// Slice returns the first index and the number of elements that the slice begin:end:stride takes
// from n, by Python's rule. fromStart and toEnd say that begin, or end, is left out.
func Slice(n, begin, end, stride int64, fromStart, toEnd bool) (from, count int64) {
	switch {
	case n == tensor.Unknown && fromStart && toEnd && (stride == 1 || stride == -1):
		return 0, n
	case n == tensor.Unknown || stride == 0:
		return 0, tensor.Unknown
	}
	first, last := int64(0), n // first index, and limit of the last one
	if stride < 0 {
		first, last = n-1, -1
	}
	bound := func(at int64) int64 {
		if at < 0 {
			at += n
		}
		return min(max(at, min(first, last)), max(first, last))
	}
	from, to := bound(begin), bound(end)
	if fromStart {
		from = first
	}
	if toEnd {
		to = last
	}
	if stride < 0 {
		return from, max(0, (from-to-stride-1)/-stride)
	}
	return from, max(0, (to-from+stride-1)/stride)
}

// Window returns how many positions a window has along n places and pad more. It moves by stride,
// and covers kernel places that are dilation apart. [TooFew] says that there are too few places
// even for no position, which TensorFlow refuses.
func Window(n, kernel, stride, dilation, pad int64) int64 {
	if n == tensor.Unknown || stride < 1 {
		return tensor.Unknown
	}
	if count := (n + pad - (kernel-1)*dilation + stride - 1) / stride; count >= 0 {
		return count
	}
	return TooFew
}

// TooFew is a size that no axis can have.
const TooFew = tensor.Unknown - 1

// SameWindow is [Window] with the padding that keeps n positions for a stride of 1 ("SAME").
func SameWindow(n, stride int64) int64 { return Window(n, 1, stride, 1, 0) }

// Agree reports whether two sizes may be one: they are the same, or one is unknown.
func Agree(a, b int64) bool { return a == b || a == tensor.Unknown || b == tensor.Unknown }

// Same is [Merge] for tensors that must have one shape: the result is unknown where they cannot.
func Same(all ...tensor.Shape) tensor.Shape {
	s := unknown
	for _, in := range all {
		if s.Ranked() && in.Ranked() && (s.Rank() != in.Rank() || !slices.EqualFunc(s.Dims(), in.Dims(), Agree)) {
			return unknown
		}
		s = Merge(s, in)
	}
	return s
}

// plus adds sizes, of which each may be unknown.
func plus(a, b int64) int64 {
	if a < 0 || b == tensor.Unknown {
		return tensor.Unknown
	}
	return a + b
}

// times multiplies sizes, of which each may be unknown.
func times(a, b int64) int64 {
	switch {
	case a == 0 || b == 0:
		return 0
	case a < 0 || b < 0 || a > maxElements/b:
		return tensor.Unknown
	}
	return a * b
}

// part divides a size into equal parts; unknown where that does not work out.
func part(n, by int64) int64 {
	if n < 0 || by < 1 || n%by != 0 {
		return tensor.Unknown
	}
	return n / by
}
