package csv

import "bytes"

// dialect is how a file separates and quotes its fields.
type dialect struct {
	comma byte
	quote byte // 0: quotes are nothing special
}

// lastEnd returns the index after the last line end of chunk that no quotes enclose, or 0 if there
// is none. chunk begins at the start of a line.
func (d dialect) lastEnd(chunk []byte) int {
	if d.quote == 0 || bytes.IndexByte(chunk, d.quote) < 0 {
		return bytes.LastIndexByte(chunk, '\n') + 1
	}
	end := 0
	for i := 0; ; {
		q := bytes.IndexByte(chunk[i:], d.quote)
		if q < 0 {
			return max(end, i+bytes.LastIndexByte(chunk[i:], '\n')+1)
		}
		if nl := bytes.LastIndexByte(chunk[i:i+q], '\n'); nl >= 0 {
			end = i + nl + 1
		}
		i += q
		if i > 0 && chunk[i-1] != d.comma && chunk[i-1] != '\n' {
			i++ // inside a field: nothing special
			continue
		}
		if i = d.closing(chunk, i+1); i < 0 {
			return end
		}
	}
}

// closing returns the index after the quote that ends the field whose text begins at b[i], or -1. A
// quote at the very end of b may be the first of two.
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

// field is a field of a line as it was found.
type field struct {
	text   []byte // unquoted: within the chunk, or in the scratch memory
	end    int    // the index of the separator or the line end after it
	quoted bool
	bad    bool // text follows the closing quote
}

// field reads the field that begins at b[i]. Unquoted text is written to scratch, which is
// returned. The last byte of b is a line end.
func (d dialect) field(b []byte, i int, scratch []byte) (field, []byte) {
	if b[i] != d.quote || d.quote == 0 {
		end := d.separator(b, i)
		return field{text: trimCR(b, i, end), end: end}, scratch
	}
	start := i + 1
	end := d.closing(b, start)
	if end < 0 {
		// A quote that does not end: the reader of chunks has seen to it that this cannot be.
		return field{text: b[start:], end: len(b) - 1, quoted: true, bad: true}, scratch
	}
	text := b[start : end-1]
	if bytes.IndexByte(text, d.quote) >= 0 {
		scratch = scratch[:0]
		for k := 0; k < len(text); k++ {
			scratch = append(scratch, text[k])
			if text[k] == d.quote {
				k++ // it is doubled
			}
		}
		text = scratch
	}
	after := d.separator(b, end)
	return field{text: text, end: after, quoted: true, bad: len(trimCR(b, end, after)) > 0}, scratch
}

// separator returns the index of the next separator or line end.
func (d dialect) separator(b []byte, i int) int {
	for b[i] != d.comma && b[i] != '\n' {
		i++
	}
	return i
}

// trimCR returns b[i:end] without the carriage return of a line end.
func trimCR(b []byte, i, end int) []byte {
	if end > i && b[end] == '\n' && b[end-1] == '\r' {
		end--
	}
	return b[i:end]
}

// split returns the fields of the line that begins b, which ends in a line end.
func (d dialect) split(b []byte) []string {
	var out []string
	var f field
	for i := 0; ; i = f.end + 1 {
		f, _ = d.field(b, i, nil)
		out = append(out, string(f.text))
		if b[f.end] == '\n' || len(out) > maxColumns {
			return out
		}
	}
}
