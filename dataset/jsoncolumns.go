package dataset

import (
	"bytes"
	"fmt"

	"github.com/tfrun/tfrun/dataset/internal/jsontext"
)

// docColumns are the rows of a request in columns: {"inputs": {"a": [1, 2], "b": [3, 4]}} holds the
// rows {"a": 1, "b": 3} and {"a": 2, "b": 4}, and {"inputs": [1, 2]} the rows 1 and 2.
type docColumns struct {
	cols []docColumn
	left int64 // rows that were not given out
}

// docColumn is one of the columns.
type docColumn struct {
	key []byte // in quotes; nil where the only column has none
	s   scanner
}

// columns begins to give out the rows of a request in columns.
func (d *documents) columns(text []byte) error {
	s := scanner{b: bytes.Clone(text), maxDepth: len(text)}
	fail := func(err error) error { return d.fail(fmt.Errorf("key \"inputs\": %w", err)) }
	var cols []docColumn
	rows := int64(-1)
	add := func(key []byte) error {
		if s.peek() != '[' {
			return fmt.Errorf("want lists with an entry for each row, got %s", s.found())
		}
		own := s
		own.i++
		n, err := s.list(func() error { return s.skip(1) })
		if err == nil && rows >= 0 && n != rows {
			err = fmt.Errorf("a list of %d entries beside one of %d", n, rows)
		}
		rows = n
		cols = append(cols, docColumn{key, own})
		return err
	}
	if s.peek() != '{' {
		if err := add(nil); err != nil {
			return fail(err)
		}
	} else if err := s.object(func(key []byte) error { return add(jsontext.AppendString(nil, string(key))) }); err != nil {
		return fail(err)
	}
	d.cols = docColumns{cols, max(rows, 0)}
	return nil
}

// row adds the next row to dst.
func (c *docColumns) row(dst []byte) []byte {
	c.left--
	for i := range c.cols {
		col := &c.cols[i]
		if col.key != nil {
			dst = append(dst, ",{"[btoi(i == 0)])
			dst = append(append(dst, col.key...), ':')
		}
		from := col.s.i
		_ = col.s.skip(1) // it was read before
		dst = append(dst, col.s.b[from:col.s.i]...)
		col.s.i++ // the comma
	}
	if c.cols[0].key != nil {
		dst = append(dst, '}')
	}
	return dst
}
