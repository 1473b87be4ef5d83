package jsondoc

import (
	"bytes"
	"fmt"

	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
)

// columns are the rows of a request in columns: {"inputs": {"a": [1, 2], "b": [3, 4]}} holds the
// rows {"a": 1, "b": 3} and {"a": 2, "b": 4}, and {"inputs": [1, 2]} the rows 1 and 2.
type columns struct {
	cols []column
	left int64 // rows that were not returned yet
}

// column is one of the columns.
type column struct {
	key []byte // in quotes; nil where the only column has none
	s   jsonscan.Scanner
}

// readColumns finds the columns in text, the value of "inputs".
func readColumns(text []byte) (columns, error) {
	s := jsonscan.Scanner{B: bytes.Clone(text), MaxDepth: len(text)}
	var cols []column
	rows := int64(-1)
	add := func(key []byte) error {
		if s.Peek() != '[' {
			return fmt.Errorf("want lists with an entry for each row, got %s", s.Found())
		}
		own := s
		own.I++
		n, err := s.List(func() error { return s.Skip(1) })
		if err == nil && rows >= 0 && n != rows {
			err = fmt.Errorf("want lists of one length, got one of %d entries after one of %d", n, rows)
		}
		rows = n
		cols = append(cols, column{key, own})
		return err
	}
	if s.Peek() != '{' {
		if err := add(nil); err != nil {
			return columns{}, err
		}
	} else if err := s.Object(func(key []byte) error { return add(jsontext.AppendString(nil, string(key))) }); err != nil {
		return columns{}, err
	}
	return columns{cols, max(rows, 0)}, nil
}

// row adds the next row to dst.
func (c *columns) row(dst []byte) []byte {
	c.left--
	for i := range c.cols {
		col := &c.cols[i]
		if col.key != nil {
			if i == 0 {
				dst = append(dst, '{')
			} else {
				dst = append(dst, ',')
			}
			dst = append(append(dst, col.key...), ':')
		}
		from := col.s.I
		_ = col.s.Skip(1) // the text was checked before
		dst = append(dst, col.s.B[from:col.s.I]...)
		col.s.I++ // the comma
	}
	if c.cols[0].key != nil {
		dst = append(dst, '}')
	}
	return dst
}
