package dataset

import (
	"bufio"
	"bytes"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/jsondoc"
)

// detect looks at the beginning of a file of JSON. It returns a reader of documents, or nil where
// the rows stand one a line.
func (l *lineReader) detect() (*jsondoc.Reader, error) {
	head := FirstLine(l.buf)
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return nil, &FileError{File: l.name, Msg: "the file is in UTF-16; save it as UTF-8"}
	}
	if text := bytes.TrimLeft(head, jsondoc.Space); !jsondoc.Begins(text, l.docs.Keys) && !jsondoc.IsEmptyArray(l.buf, text) {
		return nil, nil
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		_, _ = l.buf.Discard(len("\ufeff")) // it was looked at
	}
	return jsondoc.NewReader(l.buf, l.max, *l.docs, func(line int64, err error) error {
		return &FileError{File: l.name, Line: line, Msg: err.Error(), Err: err}
	}), nil
}

// FirstLine returns the first line that is not blank of what r has buffered or reads next, and
// leaves it to be read again. Of a long line it returns only the beginning. It waits for no second
// line, so that a writer who writes slowly still gets answers.
func FirstLine(r *bufio.Reader) []byte {
	begin, seen := 0, 0 // where the line begins, and how much has no end of it: looked at once
	for n := 1; ; {
		b, err := r.Peek(n)
		begin += len(b[begin:]) - len(bytes.TrimLeft(b[begin:], jsondoc.Space))
		seen = max(seen, begin)
		if bytes.IndexByte(b[seen:], '\n') >= 0 || err != nil || n == r.Size() {
			return b
		}
		seen = len(b)
		n = min(max(n+1, r.Buffered()), r.Size())
	}
}

// FirstJSON returns the first row of a file of JSON, whose rows have the given keys, as far as r
// holds it; nil where there is none. For files see [JSONLFiles].
func FirstJSON(r io.Reader, keys []string) []byte {
	l := lineReader{files: []string{"input"}, reader: r, max: DefaultRowBytes, skipBOM: true, docs: &jsondoc.Options{Keys: keys}}
	for {
		row, err := l.read()
		if err != nil || !blank(row) {
			return row
		}
	}
}
