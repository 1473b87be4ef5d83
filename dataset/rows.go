package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// RowReader reads a source of rows one by one. A file format implements it for [FromReader].
type RowReader interface {
	// Next sets e to the next row, which must fit the spec: Tensors, Row and, where there are any,
	// Splits and Extra. e comes empty, its Tensors slice with the room of earlier rows. It returns
	// io.EOF, bare, after the last row. After a *[SyntaxError] it is called again and goes on with
	// the next row; any other error is final, and Next is not called after it.
	Next(ctx context.Context, e *Element) error
	// Close releases what the reader holds. It is called once.
	Close()
}

// ReadOptions says what the consumer of a [RowReader] does with its rows.
type ReadOptions struct {
	// Keep: rows must stay valid after the following call of Next. Without it a reader may use
	// their memory again.
	Keep bool
}

// FromReader returns a dataset of the rows that a reader of open's gives. open is called for each
// iteration. cardinality is the number of rows, or [UnknownCardinality]. Errors are passed on as
// they are; the iteration ends after any but a *[SyntaxError].
func FromReader(spec Spec, cardinality int64, open func(ReadOptions) (RowReader, error)) *Dataset {
	return newDataset(spec, cardinality, func(o openOptions) (iterator, error) {
		r, err := open(ReadOptions{Keep: o.keep})
		if err != nil {
			return nil, err
		}
		return &readRows{r: r}, nil
	})
}

type readRows struct {
	r     RowReader
	ended bool
}

func (it *readRows) next(ctx context.Context, e *Element) error {
	if it.ended {
		return io.EOF
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	e.reset(0)
	err := it.r.Next(ctx, e)
	it.ended = isFinal(err)
	return err
}

// isFinal reports whether err ends the reading. A reader of another package might return its last
// error again and again, and a consumer that goes on after errors would never end.
func isFinal(err error) bool {
	if err == nil {
		return false
	}
	_, bad := errors.AsType[*SyntaxError](err)
	return !bad
}

func (it *readRows) close() { it.r.Close() }

// BlockReader reads rows many at a time, from a source that stores them in columns. It is used by
// one goroutine at a time.
type BlockReader interface {
	// NextBlock returns the next rows, at least one and at most limit (0: as many as the source has
	// at hand), or io.EOF, bare, after the last one. The block is valid until the next call. Rows
	// before a bad one come first, then its *[SyntaxError], after which the reading may go on; any
	// other error is final.
	NextBlock(ctx context.Context, limit int) (RowBlock, error)
	// Close releases what the reader holds. It is called once.
	Close()
}

// RowBlock is a run of rows in which each component has one shape.
type RowBlock struct {
	// Tensors holds one tensor per component, the rows along its first axis.
	Tensors []tensor.Tensor
	// Row is the number of the first row; those of the others follow it.
	Row int64
	// Extra holds each row's kept columns; nil where none are kept.
	Extra [][]Field
	// Places says where the rows are in their file.
	Places Places
}

// Len returns the number of rows.
func (b RowBlock) Len() int { return int(b.Tensors[0].Dims()[0]) }

// Get sets e to row i, without its place, sharing memory. It uses the slice of e's tensors again.
func (b RowBlock) Get(i int, e *Element) {
	*e = Element{Row: b.Row + int64(i), Tensors: e.Tensors[:0]}
	for _, t := range b.Tensors {
		e.Tensors = append(e.Tensors, t.Index(i))
	}
	if b.Extra != nil {
		e.Extra = b.Extra[i]
	}
}

// From returns the rows from row i on, without their places, sharing memory.
func (b RowBlock) From(i int) RowBlock {
	rest := RowBlock{Row: b.Row + int64(i), Tensors: make([]tensor.Tensor, len(b.Tensors))}
	for k, t := range b.Tensors {
		rest.Tensors[k] = t.Slice(i, b.Len())
	}
	if b.Extra != nil {
		rest.Extra = b.Extra[i:]
	}
	return rest
}

// Places says where rows that follow each other are in one file. The zero Places is for rows of no
// file.
type Places struct {
	File string
	// Lines holds each row's line number, from 1; nil for a file that has no lines.
	Lines []int64
	// First is the number of the first row within a file that has no lines, from 1.
	First int64
}

// Of returns the place of row i of the run.
func (p Places) Of(i int) Place {
	switch {
	case p.File == "":
		return Place{}
	case p.Lines != nil:
		return Place{File: p.File, Line: p.Lines[i]}
	}
	return Place{File: p.File, Row: p.First + int64(i)}
}

// Blocks returns a reader of the dataset's rows by the block. ok is false where there is none: the
// dataset is made out of another dataset, its source reads row by row, or a component of its spec
// is ragged or of unknown size. An error of opening the source is returned with ok true.
func (ds *Dataset) Blocks() (r BlockReader, ok bool, err error) {
	if ds.err != nil {
		return nil, false, ds.err
	}
	for _, c := range ds.comps {
		if c.Ragged || !c.Shape.FullyKnown() {
			return nil, false, nil
		}
	}
	it, err := ds.open(openOptions{})
	if err != nil {
		return nil, true, positioned(err, AtIterator)
	}
	if rows, isReader := it.(*readRows); isReader {
		if b, isBlocks := rows.r.(BlockReader); isBlocks {
			return &endingBlocks{BlockReader: b}, true, nil
		}
	}
	if rows, isJSON := it.(*jsonlRows); isJSON && rows.fixed != nil {
		rows.blocks = true
		return jsonlBlocks{rows}, true, nil
	}
	it.close()
	return nil, false, nil
}

// endingBlocks is a BlockReader that returns io.EOF after its final error.
type endingBlocks struct {
	BlockReader
	ended bool
}

// NextBlock returns the next rows.
func (b *endingBlocks) NextBlock(ctx context.Context, limit int) (RowBlock, error) {
	if b.ended {
		return RowBlock{}, io.EOF
	}
	rows, err := b.BlockReader.NextBlock(ctx, limit)
	b.ended = isFinal(err)
	return rows, err
}

// Column describes a column of a file, from the file's own schema.
type Column struct {
	Name string
	// Type is the type in the file format's words: "list<int64>", "<f4 (1000, 32)".
	Type string
	// DType is the dtype of a tensor of the column's values, Invalid where no tensor holds them.
	DType tensor.DType
	// Shape is the shape of one row's value, with unknown sizes where rows may differ. The zero
	// Shape means that it is not known.
	Shape tensor.Shape
	// Of is the name of the file's column that this one is a field of; empty for a column itself.
	Of string
}

// ColumnError says that a file of columns lacks the column that a component is read from, or that
// the column does not fit the component.
type ColumnError struct {
	File string
	// Component is the path of the component, empty for a column that is to be kept.
	Component string
	// Column is the column that was looked for.
	Column string
	// Have lists the file's columns; Near is the one most like Column, if any is.
	Have []string
	Near string
	// Msg says what is wrong; empty: there is no such column.
	Msg string
}

// maxListed bounds the columns that an error message lists.
const maxListed = 20

// Error names the file, the component, the column, and the columns that there are:
// `rows.csv: no column "tokens"; the columns are "id", "token"; did you mean "token"?`.
func (e *ColumnError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	b.WriteString(": ")
	if e.Component != "" && e.Component != e.Column {
		fmt.Fprintf(&b, "input %q: ", e.Component)
	}
	switch {
	case e.Msg != "" && e.Column != "":
		fmt.Fprintf(&b, "column %q: %s", e.Column, e.Msg)
	case e.Msg != "":
		b.WriteString(e.Msg)
	default:
		fmt.Fprintf(&b, "no column %q", e.Column)
	}
	if len(e.Have) > 0 {
		b.WriteString("; the columns are ")
		for i, name := range e.Have[:min(len(e.Have), maxListed)] {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(strconv.Quote(name))
		}
		if more := len(e.Have) - maxListed; more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
	}
	if e.Near != "" {
		fmt.Fprintf(&b, "; did you mean %q?", e.Near)
	}
	return b.String()
}

// ValueParser reads values of one component from JSON texts, such as the cells of a table, by the
// rules of [JSONL]. It is used by one goroutine at a time.
type ValueParser struct {
	d *rowDecoder
	e Element
}

// NewValueParser returns a parser of the component's values. null takes the place of a null; with
// the zero Tensor a null is an error.
func NewValueParser(c Component, null tensor.Tensor, o ReadOptions) (*ValueParser, error) {
	var nulls Nulls
	if null.DType() != tensor.Invalid {
		nulls = Nulls{".": null}
	}
	d, err := newRowDecoder(Leaf(c), JSONLOptions{Nulls: nulls})
	if err != nil {
		return nil, err
	}
	d.arena.Keep = o.Keep
	return &ValueParser{d: d}, nil
}

// Parse reads one value: its tensor and, for a ragged component, its splits. Without Keep they are
// valid until the next call.
func (p *ValueParser) Parse(text []byte) (t tensor.Tensor, splits []tensor.Tensor, err error) {
	p.e.reset(0)
	if err := p.d.decode(text, &p.e); err != nil {
		return tensor.Tensor{}, nil, err
	}
	if p.e.Splits != nil {
		splits = p.e.Splits[0]
	}
	return p.e.Tensors[0], splits, nil
}
