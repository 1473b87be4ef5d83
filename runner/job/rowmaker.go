package job

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// rowMaker writes made-up rows.
type rowMaker struct {
	out     bytes.Buffer
	rng     *rand.Rand
	below   int64
	length  int64
	noBatch bool
	sizes   []int64
	ids     bool // floats are whole numbers
	values  int
}

// imageChannels is the size of an image's open last axis: those of red, green and blue.
const imageChannels = 3

// dims sets sizes to those of a row's value: every open axis has size length, but for the channels
// of an image.
func (w *rowMaker) dims(c dataset.Component) {
	if !c.Shape.Ranked() {
		w.sizes, w.ids = []int64{w.length}, true
		if w.noBatch {
			w.sizes = []int64{1, w.length}
		}
		return
	}
	w.sizes = slices.Clone(c.Shape.Dims())
	open := 0
	for i, d := range w.sizes {
		if d == tensor.Unknown {
			w.sizes[i] = w.length
			open++
			if w.noBatch && i == 0 {
				w.sizes[i], open = 1, open-1
			}
		}
	}
	axes := len(w.sizes)
	if w.noBatch {
		axes--
	}
	w.ids = open == 1 && axes == 1
	if last := len(w.sizes) - 1; axes == 3 && c.Shape.Dim(last) == tensor.Unknown && !channelsFirst(c.Shape.Dim(last-2)) {
		w.sizes[last] = imageChannels
	}
}

// channelsFirst reports whether an image's first axis is that of its channels, going by its size.
func channelsFirst(size int64) bool { return size != tensor.Unknown && size <= 4 }

// value writes nested lists of the given sizes. Lists along a ragged axis below the first have
// unequal lengths.
func (w *rowMaker) value(c dataset.Component, sizes []int64, seed int) {
	if len(sizes) == 0 {
		w.scalar(c)
		return
	}
	n := sizes[0]
	if depth := len(w.sizes) - len(sizes); c.Ragged && depth > 0 && depth <= c.RaggedRank {
		n = min(n, int64(1+seed%4))
	}
	w.out.WriteByte('[')
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.value(c, sizes[1:], seed+int(i))
	}
	w.out.WriteByte(']')
}

// scalar writes one value.
func (w *rowMaker) scalar(c dataset.Component) {
	w.values++
	switch {
	case c.DType == tensor.Bool:
		w.out.WriteString(strconv.FormatBool(w.rng.IntN(2) == 1))
	case c.DType == tensor.String:
		words := int64(1)
		if openAxes(c.Shape) == 0 || w.noBatch && c.Shape.Rank() == 1 {
			words = min(w.length, 1024) // a text, not a list of words
		}
		w.out.WriteByte('"')
		for i := range words {
			if i > 0 {
				w.out.WriteByte(' ')
			}
			w.out.WriteString(madeUpWords[w.rng.IntN(len(madeUpWords))])
		}
		w.out.WriteByte('"')
	case c.DType == tensor.Complex64, c.DType == tensor.Complex128:
		fmt.Fprintf(&w.out, "[%.3f,%.3f]", w.rng.Float64(), w.rng.Float64())
	case isFloat(c.DType) && !w.ids:
		fmt.Fprintf(&w.out, "%.3f", w.rng.Float64())
	case w.below <= 1:
		w.out.WriteByte('0')
	default:
		w.out.WriteString(strconv.FormatInt(1+w.rng.Int64N(w.below-1), 10))
	}
}

var madeUpWords = []string{"the", "a", "film", "was", "good", "bad", "and", "not", "very", "story", "with", "of", "it", "music", "we", "saw"}

func isFloat(d tensor.DType) bool {
	return d == tensor.Float32 || d == tensor.Float64 || d == tensor.Float16 || d == tensor.Bfloat16
}

// sparse writes a sparse value with at most 16 entries along its last axis, at index 0 of the
// others.
func (w *rowMaker) sparse(info savedmodel.TensorInfo) {
	dims := w.sparseDims(info.Shape)
	n := int64(1)
	if len(dims) > 0 {
		n = min(dims[len(dims)-1], 16)
	}
	c := dataset.Component{DType: info.DType, Shape: tensor.MakeShape(n)}
	w.out.WriteString(`{"indices":[`)
	at := make([]int64, len(dims))
	for i := range n {
		if len(at) > 0 {
			at[len(at)-1] = i
		}
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.integers(at)
	}
	w.out.WriteString(`],"values":[`)
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.scalar(c)
	}
	w.out.WriteString(`],"dense_shape":`)
	w.integers(dims)
	w.out.WriteByte('}')
}

// sparseDims returns the sizes of a sparse value in a row.
func (w *rowMaker) sparseDims(s tensor.Shape) []int64 {
	if !s.Ranked() {
		s = tensor.MakeShape(tensor.Unknown, tensor.Unknown)
	}
	dims := slices.Clone(s.Dims())
	for i, d := range dims {
		if d == tensor.Unknown {
			dims[i] = w.length
		}
	}
	if len(dims) == 0 {
		return nil
	}
	if !w.noBatch {
		return dims[1:]
	}
	if s.Dim(0) == tensor.Unknown {
		dims[0] = 1
	}
	return dims
}

func (w *rowMaker) integers(v []int64) {
	w.out.WriteByte('[')
	for i, x := range v {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.out.WriteString(strconv.FormatInt(x, 10))
	}
	w.out.WriteByte(']')
}

// openAxes returns the number of axes of unknown size.
func openAxes(s tensor.Shape) int {
	n := 0
	for _, d := range s.Dims() {
		if d == tensor.Unknown {
			n++
		}
	}
	return n
}
