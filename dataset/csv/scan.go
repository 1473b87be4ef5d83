package csv

import "bytes"

// dialect is how a file separates and quotes its fields.
type dialect struct {
	comma   byte
	quote   byte // 0: no character quotes
	comment byte // begins a line that is no row; 0: there are no such lines
}

// isEnd reports whether c ends a row, outside of quotes: rows end in "\n", "\r\n" or "\r", as for
// Python's csv module and pandas.
func isEnd(c byte) bool { return c == '\n' || c == '\r' }

// afterEnd returns the index after the line end that begins at b[i].
func afterEnd(b []byte, i int) int {
	if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
		return i + 2
	}
	return i + 1
}

// countEnds returns how many line ends b holds.
func countEnds(b []byte) int {
	n := bytes.Count(b, []byte("\n"))
	if bytes.IndexByte(b, '\r') >= 0 {
		n += bytes.Count(b, []byte("\r")) - bytes.Count(b, []byte("\r\n"))
	}
	return n
}

// afterLast returns the index after the last line end of b, or 0 if there is none. A "\r" at the
// very end of b counts only if whole is set: otherwise "\n" may follow.
func afterLast(b []byte, whole bool) int {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == '\n' || b[i] == '\r' && (whole || i+1 < len(b)) {
			return i + 1
		}
	}
	return 0
}

// lastEnd returns the index after the last row that ends within chunk, or 0 if there is none. chunk
// begins at the start of a row; whole says that it reaches the end of the file.
func (d dialect) lastEnd(chunk []byte, whole bool) int {
	if d.quote == 0 {
		return afterLast(chunk, whole)
	}
	end := 0
	for i := 0; ; {
		q := bytes.IndexByte(chunk[i:], d.quote)
		if q < 0 {
			if n := afterLast(chunk[i:], whole); n > 0 {
				end = i + n
			}
			return end
		}
		if n := afterLast(chunk[i:i+q], true); n > 0 {
			end = i + n
		}
		i += q
		switch {
		case d.comment != 0 && chunk[end] == d.comment:
			n := bytes.IndexAny(chunk[i:], "\r\n")
			if n < 0 {
				return end
			}
			i += n
		case i > end && chunk[i-1] != d.comma:
			// A quote inside a field is text.
			i++
		default:
			if i = d.closing(chunk, i+1); i < 0 {
				return end
			}
		}
	}
}

// closing returns the index after the quote that closes the field whose text begins at b[i], or -1.
// A quote at the very end of b counts as none, since it may be the first of two.
func (d dialect) closing(b []byte, i int) int {
	for {
		q := bytes.IndexByte(b[i:], d.quote)
		if q < 0 {
			return -1
		}
		i += q + 1
		switch {
		case i == len(b):
			return -1
		case b[i] != d.quote:
			return i
		}
		i++
	}
}

// field is a field of a row.
type field struct {
	text   []byte // without its quotes: part of the chunk, or in the scratch memory
	end    int    // index of the separator or line end after it
	quoted bool
	bad    bool // text follows the closing quote
}

// field reads the field that begins at b[i]. A text with doubled quotes is written to scratch,
// which is returned for the next call. The last byte of b is a line end.
func (d dialect) field(b []byte, i int, scratch []byte) (field, []byte) {
	if b[i] != d.quote || d.quote == 0 {
		end := d.separator(b, i)
		return field{text: b[i:end], end: end}, scratch
	}
	start := i + 1
	end := d.closing(b, start)
	if end < 0 {
		// Not reached: the reader of chunks has refused quotes that do not close.
		return field{text: b[start:], end: len(b) - 1, quoted: true, bad: true}, scratch
	}
	text := b[start : end-1]
	if bytes.IndexByte(text, d.quote) >= 0 {
		scratch = scratch[:0]
		for k := 0; k < len(text); k++ {
			scratch = append(scratch, text[k])
			if text[k] == d.quote {
				k++ // of two quotes one is text
			}
		}
		text = scratch
	}
	after := d.separator(b, end)
	return field{text: text, end: after, quoted: true, bad: after > end}, scratch
}

// separator returns the index of the next separator or line end.
func (d dialect) separator(b []byte, i int) int {
	for {
		c := b[i]
		if c == d.comma || c <= '\r' && isEnd(c) {
			return i
		}
		i++
	}
}

// split returns the fields of the row that begins b, which ends in a line end, and the index after
// the row.
func (d dialect) split(b []byte) (cells []string, end int) {
	var f field
	for i := 0; ; i = f.end + 1 {
		f, _ = d.field(b, i, nil)
		cells = append(cells, string(f.text))
		if isEnd(b[f.end]) {
			return cells, afterEnd(b, f.end)
		}
		if len(cells) > maxColumns {
			return cells, 0
		}
	}
}

// skip returns the index of the first row at b[i] or after it, and the number of empty lines and
// comments before that row. The index is len(b) where no row follows, or where a comment does not
// end.
func (d dialect) skip(b []byte, i int) (at, lines int) {
	for i < len(b) {
		switch {
		case isEnd(b[i]):
		case d.comment != 0 && b[i] == d.comment:
			n := bytes.IndexAny(b[i:], "\r\n")
			if n < 0 {
				return len(b), lines
			}
			i += n
		default:
			return i, lines
		}
		i = afterEnd(b, i)
		lines++
	}
	return i, lines
}

// maxColumns bounds the columns of a file: each takes a hundred bytes while rows are read.
const maxColumns = 1 << 20
