package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
)

// rowLists are the keys under which a JSON document holds its rows: TensorFlow Serving's requests,
// and what web interfaces answer.
var rowLists = []string{"instances", "data", "rows", "records", "items", "results"}

// OpenRows opens a file of JSON lines. Where it is one JSON document instead, an array of rows or
// an object that wraps one, it hands out the document's rows, one a line. keys are those that a row
// has: a key of theirs wraps nothing.
func (src Source) OpenRows(keys []string) func(name string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) {
		f, err := src.Open(name)
		if err != nil {
			return nil, err
		}
		r := bufio.NewReaderSize(f, 64<<10)
		list, wrapped := documentOf(FirstLine(r), keys)
		if !wrapped {
			return &decompressed{Reader: r, close: func() error { return nil }, file: f}, nil
		}
		most := &rowLimit{r: r, most: src.Limits.OrDefaults().RowBytes + int64(r.Size())}
		return &documentRows{d: json.NewDecoder(most), limit: most, file: f, list: list, keys: keys}, nil
	}
}

// FirstLine returns what a reader holds up to the end of the first line that is not blank, without
// taking it; a part of it where it is long.
func FirstLine(r *bufio.Reader) []byte {
	for n := 1; ; {
		b, err := r.Peek(n)
		text := bytes.TrimLeft(b, "\ufeff \t\r\n")
		if i := bytes.IndexByte(text, '\n'); i >= 0 || err != nil || n == r.Size() {
			return b
		}
		n = min(max(n+1, r.Buffered()), r.Size())
	}
}

// rowKeys lists the keys that rows of a spec have, and those that are kept.
func rowKeys(spec dataset.Spec, src Source) []string {
	keys := slices.Clone(src.Keep)
	for _, key := range spec.Keys() {
		if column := src.Columns[key]; column != "" {
			key = column
		}
		keys = append(keys, key)
	}
	return keys
}

// documentOf reports whether a text begins a document that is no lines of rows: an array or an
// object that goes on after the end of its first line, an array of objects, or an object with a
// list of rows. list says that it is an array.
func documentOf(text []byte, keys []string) (list, document bool) {
	text = bytes.TrimLeft(text, "\ufeff \t\r\n")
	if len(text) == 0 || text[0] != '[' && text[0] != '{' {
		return false, false
	}
	list = text[0] == '['
	inner := bytes.TrimLeft(text[1:], " \t\r")
	switch {
	case bytes.HasPrefix(inner, []byte("\n")):
		return list, true
	case list:
		key := firstKey(inner)
		return true, key != "" && key != "b64" && key != "indices"
	}
	key := firstKey(text)
	return false, !slices.Contains(keys, key) && (key == "instances" || key == "signature_name" || slices.Contains(rowLists, key) && holdsObjects(text))
}

// firstKey returns the first key of the object that text begins with, or "".
func firstKey(text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	t, err := d.Token()
	key, ok := t.(string)
	if err != nil || !ok {
		return ""
	}
	return key
}

// holdsObjects reports whether the first key's value begins an array of objects.
func holdsObjects(text []byte) bool {
	_, value, _ := bytes.Cut(text, []byte(":"))
	value, ok := bytes.CutPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("["))
	return ok && bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{"))
}

// documentRows reads the rows of a JSON document as lines, holding one at a time.
type documentRows struct {
	d     *json.Decoder
	limit *rowLimit
	file  io.Closer
	list  bool
	keys  []string
	begun bool
	line  bytes.Buffer
	err   error
}

// rowLimit bounds what is read for one row.
type rowLimit struct {
	r          io.Reader
	read, most int64
}

// Read reads unless the row is too long.
func (l *rowLimit) Read(p []byte) (int, error) {
	if l.read > l.most {
		return 0, &dataset.LimitError{Limit: dataset.LimitRowBytes, Msg: fmt.Sprintf("a row of more than %d bytes", l.most)}
	}
	n, err := l.r.Read(p)
	l.read += int64(n)
	return n, err
}

// Read hands out the rows.
func (r *documentRows) Read(p []byte) (int, error) {
	for r.line.Len() == 0 {
		if r.err == nil {
			r.err = r.next()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	return r.line.Read(p)
}

// next puts the next row into r.line.
func (r *documentRows) next() error {
	if !r.begun {
		r.begun = true
		if err := r.begin(); err != nil || r.line.Len() > 0 {
			return err
		}
	}
	if !r.list || !r.d.More() {
		return io.EOF
	}
	var row json.RawMessage
	r.limit.read = 0
	if err := r.d.Decode(&row); err != nil {
		return documentError(err)
	}
	return r.put(row)
}

func (r *documentRows) put(row []byte) error {
	r.line.Reset()
	if err := json.Compact(&r.line, row); err != nil {
		return documentError(err)
	}
	r.line.WriteByte('\n')
	return nil
}

// begin goes to the list of rows. An object without one is a row itself.
func (r *documentRows) begin() error {
	if r.list {
		_, err := r.d.Token()
		return documentError(err)
	}
	row := []byte("{")
	if _, err := r.d.Token(); err != nil {
		return documentError(err)
	}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return documentError(err)
		}
		key, _ := t.(string)
		if slices.Contains(rowLists, key) && !slices.Contains(r.keys, key) {
			if t, err := r.d.Token(); err != nil || t != json.Delim('[') {
				return fmt.Errorf("key %q of the document: want an array of rows", key)
			}
			r.list = true
			return nil
		}
		var value json.RawMessage
		if err := r.d.Decode(&value); err != nil {
			return documentError(err)
		}
		quoted, err := json.Marshal(key)
		if err != nil {
			return err
		}
		if len(row) > 1 {
			row = append(row, ',')
		}
		row = append(append(append(row, quoted...), ':'), value...)
	}
	return r.put(append(row, '}'))
}

// documentError says what is wrong with a document.
func documentError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON document ends in the middle")
	}
	return fmt.Errorf("the JSON document: %w", err)
}

// Close closes the file.
func (r *documentRows) Close() error { return r.file.Close() }
