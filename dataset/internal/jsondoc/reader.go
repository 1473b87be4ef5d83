package jsondoc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// ErrTooLong is returned by [Reader.Next] for a row beyond the limit.
var ErrTooLong = errors.New("row too long")

// errEndless is the error of a row far too long, or nested far too deeply, to be passed over.
var errEndless = errors.New("the row is far longer than the limit, or nested far deeper: its end is not looked for")

// Options describe the rows of a file.
type Options struct {
	Keys []string // keys of a row: an object with one of them is a row, and wraps none
	// Envelope, if not nil, is called with each key and value beside the rows in an object that
	// wraps them.
	Envelope func(key string, value []byte) error
}

// Reader reads the rows of JSON documents: values one after the other, each of them a row, an array
// of rows, or an object that wraps rows. It holds one row at a time in memory, but all rows of a
// request in columns.
type Reader struct {
	r    *bufio.Reader
	max  int // most bytes of a row
	o    Options
	fail func(line int64, err error) error

	line  int64 // line of the next byte, from 1
	at    int64 // line in which the row begins
	where place
	first bool    // the next value of the list is its first
	in    bool    // the list stands in an object
	cols  columns // of a request in columns, until its rows are returned

	text  []byte // text of the value being read, without white space
	long  bool   // that value exceeds max, and its text is dropped
	stack []byte // open brackets of the value
	taken int64  // bytes since the row began
}

const (
	mostPassed = 4        // a row that is passed over may have so many times the bytes of a row
	mostOpen   = 16 << 20 // open brackets of a row that is passed over
	mostBeside = 1 << 16  // keys of an object that may wrap rows, or tell of them
)

// NewReader returns a reader of the rows of r. A row has at most maxRow bytes. fail makes an error
// of [Reader.Next] out of a line number and what is wrong there.
func NewReader(r *bufio.Reader, maxRow int, o Options, fail func(line int64, err error) error) *Reader {
	return &Reader{r: r, max: maxRow, o: o, fail: fail, line: 1}
}

// place says where in the file the next row is looked for.
type place uint8

const (
	inFile     place = iota // among the values of the file
	inList                  // in an array of rows
	behindList              // after the array, in the object that wraps it
)

// Next returns the next row, valid until the next call, and the line that the row begins in. For a
// row that is too long it returns [ErrTooLong], bare, and the next call reads on; after the last
// row io.EOF, bare. Any other error is final.
func (d *Reader) Next() (row []byte, line int64, err error) {
	for {
		if d.cols.left > 0 {
			d.text = d.cols.row(d.text[:0])
			return d.text, d.line, nil
		}
		c, err := d.space()
		if err != nil {
			if err == io.EOF && d.where != inFile { //nolint:errorlint // space returns it bare
				err = d.cutOff()
			}
			return nil, d.line, err
		}
		d.text, d.long, d.taken = d.text[:0], false, 0
		ok := false
		switch d.where {
		case inFile:
			ok, err = d.top(c)
		case inList:
			ok, err = d.item(c)
		default:
			err = d.rest(c)
		}
		switch {
		case err != nil:
			return nil, d.line, err
		case ok && d.long:
			return nil, d.at, ErrTooLong
		case ok:
			return d.text, d.at, nil
		}
	}
}

// Holds reports whether the next row is in memory already, as one of a request in columns.
func (d *Reader) Holds() bool { return d.cols.left > 0 }

// top reads a value of the file that begins with c. ok reports that it is a row.
func (d *Reader) top(c byte) (ok bool, err error) {
	switch c {
	case '[':
		d.skip()
		d.where, d.first, d.in = inList, true, false
		return false, nil
	case '{':
		d.at = d.line
		return d.object()
	}
	return false, d.wrong("another row, or the end", c)
}

// item reads the next value of the array, or the array's end.
func (d *Reader) item(c byte) (ok bool, err error) {
	switch {
	case c == ']':
		d.skip()
		d.where = inFile
		if d.in {
			d.where = behindList
		}
		return false, nil
	case !d.first && c != ',':
		return false, d.wrong("',' or ']' after a row", c)
	case !d.first:
		d.skip()
		if c, err = d.must(); err != nil {
			return false, err
		}
	}
	d.first = false
	if c == ']' || c == '}' || c == ',' || c == ':' {
		return false, d.wrong("a row", c)
	}
	d.at = d.line
	return true, d.value()
}

// rest reads the next key after the rows, or the end of the object around them.
func (d *Reader) rest(c byte) error {
	if c == '}' {
		d.skip()
		d.where = inFile
		return nil
	}
	if c != ',' {
		return d.wrong("',' or '}' after the rows", c)
	}
	d.skip()
	key, err := d.key()
	if err != nil {
		return err
	}
	at := len(d.text)
	if err := d.value(); err != nil {
		return err
	}
	return d.passEnvelope([]field{{key, at, len(d.text)}})
}

// field is a key of an object, and the place of its value in the text.
type field struct {
	key    string
	lo, hi int
}

// passEnvelope calls Envelope with what stands beside the rows.
func (d *Reader) passEnvelope(fields []field) error {
	for _, f := range fields {
		if d.o.Envelope == nil || d.long {
			break
		}
		if err := d.o.Envelope(f.key, d.text[f.lo:f.hi]); err != nil {
			return d.failHere(err)
		}
	}
	return nil
}

// failHere returns the error of what is wrong at the reader's place.
func (d *Reader) failHere(err error) error { return d.fail(d.line, err) }

// object reads an object of the file. ok reports that it is a row. Otherwise it wraps rows, which
// come next.
func (d *Reader) object() (ok bool, err error) {
	d.skip()
	d.put('{')
	var fields []field
	row, columns := false, -1
	for first := true; ; first = false {
		c, err := d.must()
		switch {
		case err != nil:
			return false, err
		case c == '}' && columns >= 0:
			d.skip()
			f := fields[columns]
			if d.long {
				return true, nil // too long: Next reports it
			}
			cols, err := readColumns(d.text[f.lo:f.hi])
			if d.cols = cols; err != nil {
				err = d.failHere(fmt.Errorf("key \"inputs\": %w", err))
			}
			return false, errors.Join(d.passEnvelope(slices.Delete(fields, columns, columns+1)), err)
		case c == '}':
			d.skip()
			d.put('}')
			return true, nil
		case !first && c != ',':
			return false, d.wrong("',' or '}' after a value", c)
		case !first:
			d.skip()
			d.put(',')
		}
		key, err := d.key()
		if err != nil {
			return false, err
		}
		row = row || slices.Contains(d.o.Keys, key)
		if first, second := d.twoBytes(); !row && holdsRows(key, first, second) {
			d.skip()
			d.where, d.first, d.in = inList, true, true
			return false, d.passEnvelope(fields)
		}
		at := len(d.text)
		if err := d.value(); err != nil {
			return false, err
		}
		if len(fields) < mostBeside {
			if !row && key == "inputs" {
				columns = len(fields)
			}
			fields = append(fields, field{key, at, len(d.text)})
		}
	}
}

// key reads a key and the colon after it.
func (d *Reader) key() (string, error) {
	c, err := d.must()
	if err == nil && c != '"' {
		err = d.wrong("a key", c)
	}
	if err != nil {
		return "", err
	}
	at := len(d.text)
	if err := d.value(); err != nil {
		return "", err
	}
	var key string
	if !d.long && json.Unmarshal(d.text[at:], &key) != nil {
		return "", d.failHere(fmt.Errorf("want a key, got %.40q", d.text[at:]))
	}
	if c, err = d.must(); err == nil && c != ':' {
		err = d.wrong("':' after a key", c)
	}
	if err != nil {
		return "", err
	}
	d.skip()
	d.put(':')
	_, err = d.must()
	return key, err
}

// put adds a byte to the text of the value.
func (d *Reader) put(c byte) {
	switch {
	case d.long:
	case len(d.text) >= d.max:
		d.text, d.long = d.text[:0], true
	default:
		d.text = append(d.text, c)
	}
}

// value adds the value at the reader's place, of any kind, to the text. It only counts brackets and
// finds the ends of strings; whatever else is wrong is found when the row is read.
func (d *Reader) value() error {
	d.stack = d.stack[:0]
	begun, gap, str, escape := false, false, false, false
	for {
		window, err := d.window()
		if err == io.EOF && begun && !str && len(d.stack) == 0 { //nolint:errorlint // window returns it bare
			return nil
		}
		if err == io.EOF { //nolint:errorlint // as above
			err = d.cutOff()
		}
		if err != nil {
			return err
		}
		for i, c := range window {
			switch {
			case str:
				d.put(c)
				if c == '\n' {
					d.line++
				}
				str = escape || c != '"'
				escape = !escape && c == '\\'
				if !str && len(d.stack) == 0 {
					d.discard(i + 1)
					return nil
				}
				continue
			case c == ' ' || c == '\t' || c == '\r' || c == '\n':
				if begun && len(d.stack) == 0 {
					d.discard(i)
					return nil
				}
				if c == '\n' {
					d.line++
				}
				gap = true
				continue
			case len(d.stack) == 0 && begun && ends(c):
				d.discard(i)
				return nil
			}
			if gap && wordByte(c) && len(d.text) > 0 && wordByte(d.text[len(d.text)-1]) {
				d.put(' ') // keeps two words apart
			}
			begun, gap = true, false
			d.put(c)
			switch c {
			case '"':
				str = true
			case '[', '{':
				if len(d.stack) >= mostOpen {
					return d.failHere(errEndless)
				}
				d.stack = append(d.stack, c)
			case ']', '}':
				// In ASCII the codes of [ and ], and those of { and }, differ by two.
				if n := len(d.stack); n == 0 || d.stack[n-1] != c-2 {
					d.discard(i)
					return d.wrong("the end of what was begun", c)
				}
				if d.stack = d.stack[:len(d.stack)-1]; len(d.stack) == 0 {
					d.discard(i + 1)
					return nil
				}
			}
		}
		d.discard(len(window))
	}
}

// ends reports whether a byte ends a number or a word.
func ends(c byte) bool {
	return c == ',' || c == ':' || c == ']' || c == '}' || c == '[' || c == '{' || c == '"'
}

// wordByte reports whether a byte is part of a number or a word.
func wordByte(c byte) bool { return c > ' ' && !ends(c) }

// window returns the bytes in the buffer, at least one, and leaves them to be read.
func (d *Reader) window() ([]byte, error) {
	if d.taken/mostPassed > int64(max(d.max, 128<<20)) {
		return nil, d.failHere(errEndless)
	}
	if _, err := d.r.Peek(1); err != nil {
		if err != io.EOF { //nolint:errorlint // Peek returns it bare
			err = d.failHere(err)
		}
		return nil, err
	}
	return d.r.Peek(d.r.Buffered())
}

// discard drops n bytes that window has returned.
func (d *Reader) discard(n int) {
	d.taken += int64(n)
	_, _ = d.r.Discard(n)
}

// skip drops one byte.
func (d *Reader) skip() { d.discard(1) }

// space skips white space and returns the byte after it, which is still to be read.
func (d *Reader) space() (byte, error) {
	for {
		window, err := d.window()
		if err != nil {
			return 0, err
		}
		for i, c := range window {
			switch c {
			case '\n':
				d.line++
			case ' ', '\t', '\r':
			default:
				d.discard(i)
				return c, nil
			}
		}
		d.discard(len(window))
	}
}

// must is space, with an error at the end of the file.
func (d *Reader) must() (byte, error) {
	c, err := d.space()
	if err == io.EOF { //nolint:errorlint // space returns it bare
		err = d.cutOff()
	}
	return c, err
}

// twoBytes returns the next byte and the one after it that is no white space, and leaves both to be
// read. A byte beyond the buffer is 0.
func (d *Reader) twoBytes() (first, second byte) {
	for n := 2; ; n++ {
		b, err := d.r.Peek(n)
		switch {
		case err != nil && len(b) == 0:
			return 0, 0
		case err != nil:
			return b[0], 0
		case b[n-1] > ' ':
			return b[0], b[n-1]
		}
	}
}

// cutOff returns the error of a document that ends in the middle.
func (d *Reader) cutOff() error {
	return d.failHere(errors.New("the JSON document ends in the middle"))
}

// wrong returns the error of a wrong character, which begins with byte c at the reader's place. A
// byte that begins no character of UTF-8 is named by its number.
func (d *Reader) wrong(want string, c byte) error {
	got := strconv.QuoteRune(rune(c))
	if c >= utf8.RuneSelf {
		got = fmt.Sprintf("the byte 0x%02x", c)
		b, _ := d.r.Peek(utf8.UTFMax)
		if r, n := utf8.DecodeRune(b); n > 1 {
			got = strconv.QuoteRune(r)
		}
	}
	return d.failHere(fmt.Errorf("the JSON document is damaged: want %s, got %s", want, got))
}
