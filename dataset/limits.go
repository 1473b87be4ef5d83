package dataset

import (
	"context"
	"errors"
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

// The limits that this package and the readers below it know, by the names that [LimitError] has
// for them.
const (
	LimitRowBytes = "RowBytes" // the bytes of a row as its file holds it
	LimitDepth    = "Depth"    // how deep JSON nests
	LimitElements = "Elements" // the values of one component of a row
	LimitLength   = "Length"   // the size of an axis that the spec leaves open
)

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

// placed is an iterator that knows where in its file the row stands that it returned last.
type placed interface {
	place() SyntaxError
}

// Placed is what a [RowReader] may have in addition: the file, and the line or the number within
// the file, of the row that Next returned last.
type Placed interface {
	// Place returns an error without a field or a message.
	Place() SyntaxError
}

func (it *readRows) place() SyntaxError {
	if p, ok := it.r.(Placed); ok {
		return p.Place()
	}
	return SyntaxError{}
}

func (it *textLines) place() SyntaxError { return SyntaxError{File: it.l.name, Line: it.l.line} }

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
	var s SyntaxError
	if p, ok := it.in.(placed); ok {
		s = p.place()
	} else {
		s.FileRow = e.Row + 1
	}
	s.Row, s.Field, s.Msg, s.Err = e.Row, field, err.Error(), err
	return &s
}

// place passes on what the input knows, for a check of a check.
func (it *checked) place() SyntaxError {
	if p, ok := it.in.(placed); ok {
		return p.place()
	}
	return SyntaxError{}
}

func (it *checked) close() { it.in.close() }

// limitOf returns err as the cause of a SyntaxError where it is that of a limit.
func limitOf(err error) error {
	var limit *LimitError
	if errors.As(err, &limit) {
		return limit
	}
	return nil
}
