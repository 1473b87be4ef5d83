package runner

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// limited refuses rows beyond the limits, as they were read: before they are padded.
func (p *Predictor) limited(rows *dataset.Dataset) *dataset.Dataset {
	l := p.o.Limits
	if n, ok := p.RowBytes(); ok && n <= l.BatchBytes && n <= l.Elements {
		return rows // all alike, none of them too large
	}
	paths := p.spec.Paths()
	return rows.Check(func(e dataset.Element) (string, error) {
		total := int64(0)
		for c, t := range e.Tensors {
			if err := p.checkSize(l, c, &e); err != nil {
				return paths[c], err
			}
			total = plus(total, p.fedBytes(c, t))
		}
		if total > l.BatchBytes {
			return "", &dataset.LimitError{Limit: dataset.LimitBatchBytes, Msg: fmt.Sprintf("the row takes %d bytes as it is fed; a batch may take %d", total, l.BatchBytes)}
		}
		return "", nil
	})
}

// RowBytes returns the bytes that every row takes as it is fed. ok is false where rows differ, or
// are padded to more than they hold.
func (p *Predictor) RowBytes() (n int64, ok bool) {
	if len(p.o.PadTo) > 0 || len(p.o.PaddedShapes) > 0 {
		return 0, false
	}
	for _, c := range p.components {
		size, ok := tensor.NumElements(c.Shape.Dims())
		if !ok || !c.Shape.FullyKnown() || c.Ragged || c.DType == tensor.String {
			return 0, false
		}
		n = plus(n, times(times(size, int64(c.DType.Size())), max(p.fixed, 1)))
	}
	return n, true
}

// checkSize checks component c of a row.
func (p *Predictor) checkSize(l dataset.Limits, c int, e *dataset.Element) error {
	t := e.Tensors[c]
	if int64(t.Len()) > l.Elements {
		return &dataset.LimitError{Limit: dataset.LimitElements, Msg: fmt.Sprintf("%d values are more than %d", t.Len(), l.Elements)}
	}
	longest := int64(0)
	for i, n := range t.Dims() {
		if shape := p.components[c].Shape; p.components[c].Ragged || i >= shape.Rank() || shape.Dim(i) == tensor.Unknown {
			longest = max(longest, n)
		}
	}
	if e.Splits != nil {
		for _, s := range e.Splits[c] {
			longest = max(longest, int64(s.Len())-1)
		}
	}
	if longest > l.Length {
		return &dataset.LimitError{Limit: dataset.LimitLength, Msg: fmt.Sprintf("a sequence of %d entries is longer than %d", longest, l.Length)}
	}
	return nil
}

// fedBytes returns the bytes of component c of a row as they are fed: padded to the sizes that the
// options give, and as often as the signature has rows where it fixes their number.
func (p *Predictor) fedBytes(c int, t tensor.Tensor) int64 {
	n := int64(1)
	path := p.spec.Paths()[c]
	want := p.o.PaddedShapes[path]
	for i, d := range t.Dims() {
		if i == 0 {
			d = max(d, p.o.PadTo[path])
		}
		if i < len(want) && want[i] != dataset.None {
			d = max(d, want[i])
		}
		n = times(n, d)
	}
	size := int64(t.DType().Size())
	if t.DType() == tensor.String {
		size = stringBytes
	}
	n = times(times(n, size), max(p.fixed, 1))
	for _, s := range t.Strings() {
		n = plus(n, int64(len(s)))
	}
	return n
}

// stringBytes is what a string takes in a tensor beside its bytes, at least.
const stringBytes = 16

// times returns a product, or the largest int64 where that is less.
func times(a, b int64) int64 {
	if hi, lo := bits.Mul64(uint64(a), uint64(b)); hi == 0 && lo <= math.MaxInt64 { //nolint:gosec // sizes are not negative
		return int64(lo)
	}
	return math.MaxInt64
}

// plus returns a sum, or the largest int64 where that is less.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
