package csv

import (
	"bytes"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// WriterOptions says how rows are written.
type WriterOptions struct {
	// Names are the names of the components' columns, in the order of the spec; nil: their paths.
	Names []string
	// Keep lists the keys of [dataset.Element.Extra] that become columns, after those of the
	// components.
	Keep []string
	// Comma separates the fields. 0: a comma.
	Comma byte
	// NoHeader leaves out the line of names.
	NoHeader bool
}

// Writer writes rows, a line each: a column for each component, named by its path, then one for
// each kept key. A scalar is written as plain text, a string without quotes of JSON's; lists and
// complex numbers are JSON text in the cell. Kept strings are written the same way, null as an
// empty cell, and other kept values as JSON. An element without tensors has empty cells.
type Writer struct {
	w     io.Writer
	o     WriterOptions
	comps []dataset.Component
	buf   []byte
	cell  []byte
	cells int // number of cells of the row that is being written
	err   error
}

// writerBuffer is how many bytes are collected before they are written.
const writerBuffer = 64 << 10

// NewWriter returns a writer to w. It must be closed, which does not close w.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	names, err := columns.Names(spec, o.Names, o.Keep)
	if err != nil {
		return nil, fmt.Errorf("write csv: %w", err)
	}
	if o.Comma == 0 {
		o.Comma = ','
	}
	c := &Writer{w: w, o: o, comps: spec.Flatten()}
	for i, comp := range c.comps {
		if err := jsontext.Check(comp.DType); err != nil {
			return nil, fmt.Errorf("write csv: column %q: %w", names[i], err)
		}
	}
	if !o.NoHeader {
		for _, name := range names {
			c.put([]byte(name))
		}
		c.endRow()
	}
	return c, nil
}

// Write writes a row. An error of the underlying writer is final.
func (c *Writer) Write(e dataset.Element) error {
	if c.err != nil {
		return c.err
	}
	if err := columns.CheckRow(c.comps, e); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	for i := range c.comps {
		c.cell = c.cell[:0]
		if e.Tensors != nil {
			t := e.Tensors[i]
			if t.DType() == tensor.String && t.Rank() == 0 {
				c.cell = append(c.cell, t.Strings()[0]...)
			} else {
				// The dtype was checked by NewWriter, so there is no error.
				c.cell, _ = jsontext.Append(c.cell, t, columns.Splits(e, i))
			}
		}
		c.put(c.cell)
	}
	for k, key := range c.o.Keep {
		c.put(jsontext.AsText(columns.ExtraText(e, k, key)))
	}
	c.endRow()
	if len(c.buf) >= writerBuffer {
		return c.Flush()
	}
	return nil
}

// put adds a cell to the row.
func (c *Writer) put(cell []byte) {
	if c.cells > 0 {
		c.buf = append(c.buf, c.o.Comma)
	}
	c.cells++
	if !c.quotes(cell) {
		c.buf = append(c.buf, cell...)
		return
	}
	c.buf = append(c.buf, '"')
	for {
		q := bytes.IndexByte(cell, '"')
		if q < 0 {
			break
		}
		c.buf = append(append(c.buf, cell[:q+1]...), '"')
		cell = cell[q+1:]
	}
	c.buf = append(append(c.buf, cell...), '"')
}

// quotes reports whether a cell must be quoted: because of its bytes, because of space at its ends
// that readers may trim, or because an empty cell alone would make an empty line.
func (c *Writer) quotes(cell []byte) bool {
	if len(cell) == 0 {
		return len(c.comps)+len(c.o.Keep) == 1
	}
	first, last := cell[0], cell[len(cell)-1]
	return first == ' ' || first == '\t' || last == ' ' || last == '\t' || first == 0xef ||
		bytes.IndexByte(cell, c.o.Comma) >= 0 || bytes.ContainsAny(cell, "\"\r\n")
}

func (c *Writer) endRow() {
	c.buf = append(c.buf, '\n')
	c.cells = 0
}

// Flush writes the rows that are collected.
func (c *Writer) Flush() error {
	if c.err == nil && len(c.buf) > 0 {
		_, c.err = c.w.Write(c.buf)
		c.buf = c.buf[:0]
	}
	return c.err
}

// Close flushes.
func (c *Writer) Close() error { return c.Flush() }
