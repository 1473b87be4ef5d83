package block

import (
	"context"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Source reads blocks of rows. No block is empty.
type Source interface {
	// Next returns the next block, valid until the following call unless the source was made to
	// keep its blocks; io.EOF, bare, after the last.
	Next(ctx context.Context) (*Block, error)
	// Close ends the reading. Next is not called after it.
	Close()
}

// Reader reads the rows of a source's blocks.
type Reader struct {
	src   Source
	paths []string
	arena Arena
	b     *Block
	i     int   // index of the next row of b
	bad   int   // index of the next entry of b.Bad
	row   int64 // number of row i in the dataset
	err   error // final
	extra []dataset.Field
	parts []tensor.Tensor
	lists [][]dataset.Field
}

// NewReader returns a reader of the rows of src, which it closes. With keep rows stay valid; src
// must then keep its blocks.
func NewReader(src Source, spec dataset.Spec, keep bool) *Reader {
	return &Reader{src: src, paths: spec.Paths(), arena: Arena{keep: keep}}
}

// Close closes the source.
func (r *Reader) Close() { r.src.Close() }

// fill reads a block if the current one has no rows left.
func (r *Reader) fill(ctx context.Context) error {
	for r.b == nil || r.i == r.b.Rows {
		if r.err != nil {
			return r.err
		}
		b, err := r.src.Next(ctx)
		if err != nil {
			r.b, r.err = nil, io.EOF
			return err
		}
		r.b, r.i, r.bad = b, 0, 0
	}
	return nil
}

// Next sets e to the next row.
func (r *Reader) Next(ctx context.Context, e *dataset.Element) error {
	if err := r.fill(ctx); err != nil {
		return err
	}
	i, b := r.i, r.b
	e.Row, e.Place = r.row, r.place(i)
	r.i++
	r.row++
	if r.bad < len(b.Bad) && b.Bad[r.bad].Index == i {
		r.bad++
		return r.syntaxError(i, b.Bad[r.bad-1])
	}
	r.arena.reset()
	for c, col := range b.Columns {
		t, splits, msg := col.Row(i, &r.arena)
		if msg != "" {
			return r.syntaxError(i, Bad{Field: r.paths[c], Msg: msg})
		}
		e.Tensors = append(e.Tensors, t)
		if splits != nil {
			if e.Splits == nil {
				e.Splits = make([][]tensor.Tensor, len(b.Columns))
			}
			e.Splits[c] = splits
		}
	}
	if b.Extra != nil {
		if r.arena.keep {
			r.extra = nil
		}
		r.extra = b.Extra(i, r.extra[:0])
		e.Extra = r.extra
	}
	return nil
}

// syntaxError returns the error of row i of the block; the row has been counted already.
func (r *Reader) syntaxError(i int, bad Bad) error {
	at := r.place(i)
	e := dataset.SyntaxError{File: at.File, Line: at.Line, FileRow: at.Row, Row: r.row - 1, Field: bad.Field, Msg: bad.Msg, Err: bad.Err}
	if r.b.Extra != nil {
		for _, f := range r.b.Extra(i, nil) {
			e.Extra = append(e.Extra, f.Clone())
		}
	}
	return &e
}

// place returns where row i of the block is in its file.
func (r *Reader) place(i int) dataset.Place { return r.b.places().Of(i) }

// NextBlock returns the next rows as one block. The shapes of the spec must be known. Rows of
// columns other than [Fixed] ones are copied.
func (r *Reader) NextBlock(ctx context.Context, limit int) (dataset.RowBlock, error) {
	if err := ctx.Err(); err != nil {
		return dataset.RowBlock{}, err
	}
	if err := r.fill(ctx); err != nil {
		return dataset.RowBlock{}, err
	}
	b, lo, hi := r.b, r.i, r.b.Rows
	if limit > 0 {
		hi = min(hi, lo+limit)
	}
	if r.bad < len(b.Bad) {
		bad := b.Bad[r.bad]
		if bad.Index == lo {
			r.bad++
			r.i++
			r.row++
			return dataset.RowBlock{}, r.syntaxError(lo, bad)
		}
		hi = min(hi, bad.Index)
	}
	out := dataset.RowBlock{Row: r.row, Places: b.places()}
	if b.Lines != nil {
		out.Places.Lines = b.Lines[lo:hi]
	} else {
		out.Places.First += int64(lo)
	}
	r.parts = r.parts[:0]
	for _, col := range b.Columns {
		if f, ok := col.(*Fixed); ok {
			r.parts = append(r.parts, f.rows(lo, hi))
		} else {
			r.parts = append(r.parts, stack(col, lo, hi))
		}
	}
	out.Tensors = r.parts
	if b.Extra != nil {
		r.extra = b.Extra(lo, r.extra[:0])
		r.extra = slices.Grow(r.extra[:0], len(r.extra)*(hi-lo))
		r.lists = slices.Grow(r.lists[:0], hi-lo)
		for i := lo; i < hi; i++ {
			first := len(r.extra)
			r.extra = b.Extra(i, r.extra)
			r.lists = append(r.lists, r.extra[first:len(r.extra):len(r.extra)])
		}
		out.Extra = r.lists
	}
	r.i = hi
	r.row += int64(hi - lo)
	return out, nil
}

// stack copies rows lo ≤ i < hi, which have one shape, into one tensor.
func stack(col Column, lo, hi int) tensor.Tensor {
	var a Arena
	var data []byte
	var strs []string
	var first tensor.Tensor
	for i := lo; i < hi; i++ {
		a.reset()
		t, _, _ := col.Row(i, &a)
		if i == lo {
			first = t
		}
		data, strs = append(data, t.Bytes()...), append(strs, t.Strings()...)
	}
	flat, err := tensor.FromSlice(strs)
	if first.DType() != tensor.String {
		flat, err = tensor.FromBytes(first.DType(), data, int64(len(data)/first.DType().Size()))
	}
	if err != nil {
		panic(err) // unreachable: whole values were put together
	}
	return NewFixed(flat, first.Dims()).rows(0, hi-lo)
}
