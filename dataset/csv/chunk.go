package csv

import (
	"errors"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/files"
)

// chunkSize is how many bytes of a file are parsed at a time. A longer row is parsed whole.
const chunkSize = 512 << 10

// chunks cuts a file into pieces of whole rows.
type chunks struct {
	d    dialect // its comma is set by begin where the options leave it open
	name string
	r    io.Reader
	file io.Closer
	size int // of a piece
	max  int
	line int64  // of the next chunk's first byte, from 1
	rest []byte // bytes read, but not returned yet: the beginning of a row
	eof  bool
}

// openChunks opens a file.
func openChunks(name string, o Options) (*chunks, error) {
	r, err := files.Open(o.Open, name)
	if err != nil {
		return nil, err
	}
	c := &chunks{d: o.dialect(name), name: name, r: r, file: r, size: o.chunk, max: o.MaxRow, line: 1}
	if c.size == 0 {
		c.size = chunkSize
	}
	if c.max == 0 {
		c.max = dataset.DefaultRowBytes
	}
	return c, nil
}

// Close closes the file.
func (c *chunks) Close() error {
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("read %s: %w", c.name, err)
	}
	return nil
}

// next reads the next rows into buf, whose memory it uses again, and returns them with the number
// of their first line. The rows end in a line end, with slack zero bytes of room after it. next
// returns io.EOF after the last row.
func (c *chunks) next(buf []byte) ([]byte, int64, error) {
	buf = append(buf[:0], c.rest...)
	c.rest = c.rest[:0]
	for {
		var err error
		if buf, err = c.fill(buf, max(c.size, min(2*len(buf), c.max+1))); err != nil {
			return nil, 0, err
		}
		if c.eof {
			if len(buf) == 0 {
				return nil, 0, io.EOF
			}
			if !isEnd(buf[len(buf)-1]) {
				buf = append(buf, '\n')
			}
		}
		end := c.d.lastEnd(buf, c.eof)
		switch {
		case end > 0:
			c.rest = append(c.rest, buf[end:]...)
			line := c.line
			c.line += int64(countEnds(buf[:end]))
			return padded(buf[:end]), line, nil
		case c.eof:
			return nil, 0, c.noEnd(c.line)
		case len(buf) > c.max:
			return nil, 0, c.tooLong(c.line)
		}
	}
}

// noEnd returns the error of a quote without a closing quote.
func (c *chunks) noEnd(line int64) error {
	return fmt.Errorf("%s:%d: a quoted field that begins in this row does not end", c.name, line)
}

// tooLong returns the error of a row beyond the limit.
func (c *chunks) tooLong(line int64) error {
	msg := fmt.Sprintf("%s:%d: the row is longer than %d bytes; is there a quote that does not end?", c.name, line, c.max)
	return &dataset.LimitError{Limit: dataset.LimitRowBytes, Msg: msg}
}

// fill reads until buf holds size bytes, or to the end of the file.
func (c *chunks) fill(buf []byte, size int) ([]byte, error) {
	if cap(buf) < size+slack+1 {
		buf = append(make([]byte, 0, size+slack+1), buf...)
	}
	for len(buf) < size && !c.eof {
		n, err := c.r.Read(buf[len(buf):size])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			c.eof = true
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", c.name, err)
		}
	}
	return buf, nil
}

// padded returns b with slack bytes of room after it.
func padded(b []byte) []byte {
	for range slack {
		b = append(b, 0)
	}
	return b[:len(b)-slack]
}
