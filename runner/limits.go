package runner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Limits bounds what rows may ask for before TensorFlow sees them: a row from the internet can be a
// gigabyte long, or one that a few bytes of a compressed file stand for. A field of 0 means its
// default. What goes beyond a limit is a *[dataset.LimitError] that names the field, most often as
// the cause of a row's *[dataset.SyntaxError].
type Limits struct {
	// RowBytes bounds a row as its file holds it: a line, a record, the values of an npy row. 0:
	// [DefaultRowBytes].
	RowBytes int64
	// Depth bounds how deep a row's JSON nests. 0: [DefaultDepth].
	Depth int
	// Elements bounds the values of one tensor of a row. 0: [DefaultElements].
	Elements int64
	// Length bounds the axes whose size the signature leaves open: what a model's steps, and most
	// of its memory, grow with. 0: [DefaultLength].
	Length int64
	// BatchBytes bounds the memory of the inputs of a padded batch. A batch of more is split; a
	// single row of more is refused. What the model itself needs for a batch is its own affair and
	// not known here. 0: [DefaultBatchBytes].
	BatchBytes int64
	// Ratio bounds the size of a decompressed file by that of the compressed one, once there are 64
	// MiB of it. 0: [DefaultRatio].
	Ratio int64
}

// The limits unless told otherwise. A photograph of 2,000 × 2,000 as text is 100 MB; a minute of
// speech at 16 kHz is 960,000 values; rows that are zeros but for one value in 10,000 compress 780
// times, and gzip reaches 1,030 where all bytes are equal.
const (
	DefaultRowBytes   = dataset.DefaultMaxLine
	DefaultDepth      = 64
	DefaultElements   = 1 << 27
	DefaultLength     = 1 << 20
	DefaultBatchBytes = 512 << 20
	DefaultRatio      = 1000
)

// The limits of this package, as [dataset.LimitError] names them beside those of package dataset.
const (
	LimitBatchBytes = "BatchBytes"
	LimitRatio      = "Ratio"
)

// orDefaults puts the defaults in the place of zeros.
func (l Limits) orDefaults() Limits {
	for _, f := range []struct {
		field *int64
		or    int64
	}{{&l.RowBytes, DefaultRowBytes}, {&l.Elements, DefaultElements}, {&l.Length, DefaultLength}, {&l.BatchBytes, DefaultBatchBytes}, {&l.Ratio, DefaultRatio}} {
		if *f.field == 0 {
			*f.field = f.or
		}
	}
	if l.Depth == 0 {
		l.Depth = DefaultDepth
	}
	return l
}

// validate refuses what makes no sense.
func (l Limits) validate() error {
	if min(l.RowBytes, int64(l.Depth), l.Elements, l.Length, l.BatchBytes, l.Ratio) < 0 {
		return &OptionError{Option: "Limits", Msg: "want limits ≥ 0"}
	}
	return nil
}

// mostValues returns the most values that any component of a row within the limits has.
func (l Limits) mostValues(spec dataset.Spec) int64 {
	most := int64(0)
	for _, c := range spec.Flatten() {
		n := int64(1)
		for _, d := range c.Shape.Dims() {
			if d == tensor.Unknown {
				d = l.Length
			}
			n = times(n, d)
		}
		if !c.Shape.Ranked() {
			n = l.Elements
		}
		most = max(most, min(n, l.Elements))
	}
	return most
}

// limited lets only rows within the limits through. They come as they were read, before anything is
// padded.
func (p *Predictor) limited(rows *dataset.Dataset) *dataset.Dataset {
	l := p.o.Limits
	if n, ok := p.rowBytes(); ok && n <= l.BatchBytes && n <= l.Elements {
		return rows // all alike, none of them too large
	}
	paths := p.spec.Paths()
	return rows.Check(func(e dataset.Element) (string, error) {
		total := int64(0)
		for c, t := range e.Tensors {
			if err := p.checkSize(l, c, &e); err != nil {
				return paths[c], err
			}
			total = plus(total, p.padded(c, t))
		}
		if total > l.BatchBytes {
			return "", &dataset.LimitError{Limit: LimitBatchBytes, Msg: fmt.Sprintf("the row takes %d bytes as it is fed; a batch may take %d", total, l.BatchBytes)}
		}
		return "", nil
	})
}

// rowBytes returns the bytes that every row takes as it is fed; ok is false where rows differ, or a
// limit is left to be looked at.
func (p *Predictor) rowBytes() (n int64, ok bool) {
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
func (p *Predictor) checkSize(l Limits, c int, e *dataset.Element) error {
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

// idBytes is how much text, in bytes, an id may stand for on average. Those of English words stand
// for four.
const idBytes = 32

// checkText refuses texts that would become sequences that are too long, before they are encoded.
func (p *Predictor) checkText(texts []string) error {
	if most := times(p.o.Limits.Length, idBytes); len(texts) > 0 && int64(len(texts[0])) > most {
		return &dataset.LimitError{Limit: dataset.LimitLength, Msg: fmt.Sprintf("a text of %d bytes would become more than %d ids", len(texts[0]), p.o.Limits.Length)}
	}
	return nil
}

// padded returns the bytes of component c of a row as they are fed: padded to the sizes that the
// options give, and as often as the signature has rows where it fixes their number.
func (p *Predictor) padded(c int, t tensor.Tensor) int64 {
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

// times and plus stop at the largest number there is.
func times(a, b int64) int64 {
	if hi, lo := bits.Mul64(uint64(a), uint64(b)); hi == 0 && lo <= math.MaxInt64 { //nolint:gosec // sizes are not negative
		return int64(lo)
	}
	return math.MaxInt64
}

func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// ratioFrom is how much of a decompressed file comes before its size is held against that of the
// compressed one.
const ratioFrom = 64 << 20

// bounded is a decompressor that stops where a small file becomes too large.
type bounded struct {
	io.Reader
	name      string
	how       compression
	in        *countedReader // of the compressed file
	out, most int64          // bytes so far; the limit
}

// Read decompresses.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.out += int64(n)
	if b.out > ratioFrom && b.out/b.most > b.in.taken() {
		return 0, &dataset.LimitError{
			Limit: LimitRatio,
			Msg:   fmt.Sprintf("%s: %d bytes became %d, more than %d times as many", b.name, b.in.taken(), b.out, b.most),
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && b.in.err == nil {
		err = b.how.explain(err, b.out == 0)
	}
	return n, err
}

// countedReader counts what is read.
type countedReader struct {
	io.Reader
	n     int64
	err   error         // of reading, and not its end
	ahead *bufio.Reader // between the reader and who reads, or nil
}

// taken returns how many bytes have left the buffer, too.
func (c *countedReader) taken() int64 {
	if c.ahead == nil {
		return c.n
	}
	return c.n - int64(c.ahead.Buffered())
}

// Read reads and counts.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}
