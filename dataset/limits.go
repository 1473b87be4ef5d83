package dataset

import (
	"context"
	"errors"
	"fmt"

	"github.com/tfrun/tfrun/tensor"
)

// LimitError says that rows ask for more than a limit grants. It is the cause of a *[SyntaxError]
// where the place in the file is known.
type LimitError struct {
	// Limit is the name of the option that raises the limit, as the setter of the limit calls it: a
	// field of [Limits], or of another package's options.
	Limit string
	Msg   string
}

// Error returns what was asked for and what the limit is.
func (e *LimitError) Error() string { return e.Msg }

// Names of limits for [LimitError.Limit]: the fields of [Limits].
const (
	LimitRowBytes = "RowBytes" // the bytes of a row in its file
	LimitDepth    = "Depth"    // how deep JSON nests
	LimitElements = "Elements" // the values of one component of a row
	LimitLength   = "Length"   // the size of an axis that the spec leaves open

	LimitBatchBytes = "BatchBytes" // the memory of a padded batch
	LimitRatio      = "Ratio"      // decompressed size over compressed size
)

// Limits bounds what one row may ask for, before TensorFlow sees it. A row from the internet can be
// a gigabyte long, or a few bytes of a compressed file can stand for it. A field of 0 means its
// default. A row beyond a limit is a *[LimitError] that names the field, most often as the cause of
// the row's *[SyntaxError].
type Limits struct {
	// RowBytes bounds a row's size in its file: that of a line, a record, the values of an npy row.
	// In bytes; 0: [DefaultRowBytes].
	RowBytes int64
	// Depth bounds how deep a row's JSON nests. 0: [DefaultDepth].
	Depth int
	// Elements bounds the values of one tensor of a row. 0: [DefaultElements].
	Elements int64
	// Length bounds the size of axes that the signature leaves open: a model's steps, and most of
	// its memory, grow with these. 0: [DefaultLength].
	Length int64
	// BatchBytes bounds the memory of a padded batch's inputs. A larger batch is split; a single
	// row that is larger is refused. Memory that the model itself takes for a batch is not counted.
	// 0: [DefaultBatchBytes].
	BatchBytes int64
	// Ratio bounds the size of a decompressed file, or of an array of an npz archive, as a multiple
	// of its compressed size. It counts from [RatioFrom] decompressed bytes on. 0: [DefaultRatio].
	Ratio int64
}

// The limits of [Limits] whose field is 0. For comparison: a photograph of 2,000 × 2,000 as text is
// 100 MB; a minute of speech at 16 kHz is 960,000 values; rows of zeros but for one value in 10,000
// compress 780 times; gzip reaches 1,030 where all bytes are equal.
const (
	DefaultRowBytes   = 128 << 20
	DefaultDepth      = 64
	DefaultElements   = 1 << 27
	DefaultLength     = 1 << 20
	DefaultBatchBytes = 512 << 20
	DefaultRatio      = 1000

	// DefaultKeptBytes is a quarter of DefaultRowBytes, see [Limits.KeptBytes].
	DefaultKeptBytes = DefaultRowBytes / 4

	// MostKeys bounds the keys of JSON rows, and the features of records, that are listed so that
	// all of them are kept.
	MostKeys = 1 << 14

	RatioFrom = 64 << 20 // the decompressed bytes from which on [Limits.Ratio] counts
)

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

// KeptBytes is what the values that a row keeps beside its tensors may take: a quarter of RowBytes.
// They are there some ten times while a row is read, run and written.
func (l Limits) KeptBytes() int64 { return l.OrDefaults().RowBytes / 4 }

// KeptError returns the error of a row that keeps more than most bytes.
func KeptError(most int64) error {
	return &LimitError{Limit: LimitRowBytes, Msg: fmt.Sprintf("what is kept of the row comes to more than %d bytes, a quarter of what a row may take", most)}
}

// Validate refuses negative limits.
func (l Limits) Validate() error {
	if min(l.RowBytes, int64(l.Depth), l.Elements, l.Length, l.BatchBytes, l.Ratio) < 0 {
		return errors.New("want limits of at least 0")
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

// Check calls fn with each row as it comes from its reader, and passes on the rows for which fn
// returns no error. Any other row becomes a *[SyntaxError] with the row's place in its file, the
// field that fn names, and fn's error as the cause; the iteration may go on. The row is valid
// during the call. The rows of a dataset that is no reader's have no place in a file.
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
	return e.Syntax(field, err)
}

func (it *checked) close() { it.in.close() }

// causeOf returns err where it belongs into [SyntaxError.Err]: an error of a limit, or of a value
// with too many axes; otherwise nil.
func causeOf(err error) error {
	if limit, ok := errors.AsType[*LimitError](err); ok {
		return limit
	}
	if nesting, ok := errors.AsType[*NestingError](err); ok {
		return nesting
	}
	if key, ok := errors.AsType[*KeyError](err); ok {
		return key
	}
	return nil
}
