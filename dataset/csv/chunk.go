package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/files"
)

// chunkSize is how much of a file is parsed at a time, unless a row is longer.
const chunkSize = 512 << 10

// chunks cuts a file into pieces of whole rows.
type chunks struct {
	d     dialect // its comma may be found out by the first call of next
	name  string
	r     io.ReadCloser
	max   int
	line  int64  // of the next chunk's first byte, from 1
	rest  []byte // read, but not given out: the beginning of a row
	eof   bool
	start bool // nothing was read yet
}

// openChunks opens a file.
func openChunks(open dataset.Opener, name string, d dialect, limit int) (*chunks, error) {
	r, err := files.Open(open, name)
	if err != nil {
		return nil, err
	}
	return &chunks{d: d, name: name, r: r, max: limit, line: 1, start: true}, nil
}

func (c *chunks) close() error { return c.r.Close() }

// next reads the next rows into buf, whose memory it uses again, and returns them with the number
// of the first line. They end in a line end and have slack bytes of room after it, which are zero.
// It returns io.EOF after the last row.
func (c *chunks) next(buf []byte) ([]byte, int64, error) {
	buf = append(buf[:0], c.rest...)
	c.rest = c.rest[:0]
	for {
		var err error
		if buf, err = c.fill(buf, max(chunkSize, 2*len(buf))); err != nil {
			return nil, 0, err
		}
		if c.eof {
			if len(buf) == 0 {
				return nil, 0, io.EOF
			}
			if buf[len(buf)-1] != '\n' {
				buf = append(buf, '\n')
			}
		}
		if c.d.comma == 0 {
			c.d.comma = sniff(buf)
		}
		end := c.d.lastEnd(buf)
		switch {
		case end > 0:
			c.rest = append(c.rest, buf[end:]...)
			line := c.line
			c.line += int64(bytes.Count(buf[:end], []byte("\n")))
			return padded(buf[:end]), line, nil
		case c.eof:
			return nil, 0, fmt.Errorf("%s:%d: a quoted field that begins in this row does not end", c.name, c.line)
		case len(buf) > c.max:
			msg := fmt.Sprintf("%s:%d: the row is longer than %d bytes; is there a quote that does not end?", c.name, c.line, c.max)
			return nil, 0, &dataset.LimitError{Limit: dataset.LimitRowBytes, Msg: msg}
		}
	}
}

// fill reads on until buf has size bytes, or to the end of the file.
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
		if c.start && (len(buf) >= 3 || c.eof) {
			c.start = false
			if bytes.HasPrefix(buf, []byte("\xff\xfe")) || bytes.HasPrefix(buf, []byte("\xfe\xff")) {
				return nil, fmt.Errorf("%s: the file is in UTF-16; save it as UTF-8", c.name)
			}
			buf = buf[:copy(buf, bytes.TrimPrefix(buf, []byte("\ufeff")))]
		}
	}
	return buf, nil
}

// sniff returns the separator that the first line, where there is one, seems to have.
func sniff(b []byte) byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(b, "\r\n"), []byte("\n"))
	for _, c := range []byte{',', '\t', ';'} {
		if bytes.IndexByte(line, c) >= 0 {
			return c
		}
	}
	return ','
}

func padded(b []byte) []byte {
	for range slack {
		b = append(b, 0)
	}
	return b[:len(b)-slack]
}
