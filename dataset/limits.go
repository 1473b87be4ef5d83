package dataset

import (
	"context"
	"errors"

	"github.com/tfrun/tfrun/tensor"
)

// LimitError says that rows ask for more than a limit grants. It is the cause of a *[SyntaxError]
// where the place in the file is known.
type LimitError struct {
	// Limit is the name of the option that raises the limit: a field of the options of whoever set
	// it.
	Limit string
	Msg   string
}

// Error returns what was asked for and what the limit is.
func (e *LimitError) Error() string { return e.Msg }

// The limits by the names that [LimitError] has for them: the fields of [Limits].
const (
	LimitRowBytes = "RowBytes" // the bytes of a row as its file holds it
	LimitDepth    = "Depth"    // how deep JSON nests
	LimitElements = "Elements" // the values of one component of a row
	LimitLength   = "Length"   // the size of an axis that the spec leaves open

	LimitBatchBytes = "BatchBytes" // the memory of a padded batch
	LimitRatio      = "Ratio"      // of what was decompressed to what was compressed
)

// Limits bounds what rows may ask for before TensorFlow sees them: a row from the internet can be a
// gigabyte long, or one that a few bytes of a compressed file stand for. A field of 0 means its
// default. What goes beyond a limit is a *[LimitError] that names the field, most often as
// the cause of a row's *[SyntaxError].
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
	// Ratio bounds the size of a decompressed file, or of an array of an npz archive, by that of
	// the compressed one, once there are [RatioFrom] bytes of it. 0: [DefaultRatio].
	Ratio int64
}

// The limits unless told otherwise. A photograph of 2,000 × 2,000 as text is 100 MB; a minute of
// speech at 16 kHz is 960,000 values; rows that are zeros but for one value in 10,000 compress 780
// times, and gzip reaches 1,030 where all bytes are equal.
const (
	DefaultRowBytes   = DefaultMaxLine
	DefaultDepth      = 64
	DefaultElements   = 1 << 27
	DefaultLength     = 1 << 20
	DefaultBatchBytes = 512 << 20
	DefaultRatio      = 1000
)

// RatioFrom is how much comes of a compressed file before the ratio counts.
const RatioFrom = 64 << 20

// OrDefaults puts the defaults in the place of zeros.
func (l Limits) OrDefaults() Limits {
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

// Validate refuses what makes no sense.
func (l Limits) Validate() error {
	if min(l.RowBytes, int64(l.Depth), l.Elements, l.Length, l.BatchBytes, l.Ratio) < 0 {
		return errors.New("want limits ≥ 0")
	}
	return nil
}

// MostValues returns the most values that any component of a row within the limits has.
func (l Limits) MostValues(spec Spec) int64 {
	most := int64(0)
	for _, c := range spec.Flatten() {
		n := int64(1)
		for _, d := range c.Shape.Dims() {
			if d == tensor.Unknown {
				d = l.Length
			}
			if d > 0 && n > l.Elements/d {
				n = l.Elements
				continue
			}
			n *= d
		}
		if !c.Shape.Ranked() {
			n = l.Elements
		}
		most = max(most, min(n, l.Elements))
	}
	return most
}

// Check calls fn with each row as it comes from its reader, and passes on those for which it
// returns no error. The others become a *[SyntaxError] with the row's place in its file, the field
// that fn names, and its error as the cause; the iteration may go on. The row is fn's only during
// the call. A dataset that is no reader's has no file to name.
func (ds *Dataset) Check(fn func(e Element) (field string, err error)) *Dataset {
	if ds.err != nil {
		return ds
	}
	return newDataset(ds.spec, ds.card, func(o openOptions) (iterator, error) {
		in, err := ds.open(o)
		if err != nil {
			return nil, err
		}
		return &checked{in: in, fn: fn}, nil
	})
}

type checked struct {
	in iterator
	fn func(Element) (string, error)
}

func (it *checked) next(ctx context.Context, e *Element) error {
	if err := it.in.next(ctx, e); err != nil {
		return err
	}
	field, err := it.fn(*e)
	if err == nil {
		return nil
	}
	s := SyntaxError{File: e.Place.File, Line: e.Place.Line, FileRow: e.Place.Row}
	if s.File == "" {
		s.FileRow = e.Row + 1
	}
	s.Row, s.Field, s.Msg, s.Err, s.Extra = e.Row, field, err.Error(), err, e.Clone().Extra
	return &s
}

func (it *checked) close() { it.in.close() }

// causeOf returns err as the cause of a SyntaxError where it is that of a limit, or says that the
// value has too many axes.
func causeOf(err error) error {
	if limit, ok := errors.AsType[*LimitError](err); ok {
		return limit
	}
	if nesting, ok := errors.AsType[*NestingError](err); ok {
		return nesting
	}
	return nil
}
