package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tfrun/tfrun/dataset/internal/jsondoc"
	"github.com/tfrun/tfrun/tensor"
)

// Opener opens a file by its name. nil stands for [OpenFile].
type Opener func(name string) (io.ReadCloser, error)

func (o Opener) open(name string) (io.ReadCloser, error) {
	if o != nil {
		return o(name)
	}
	f, err := OpenFile(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// errLineTooLong is returned by lineReader as soon as a line exceeds the limit. The rest of the
// line is skipped only when the next one is read: a consumer who stops at the error waits for no
// line without an end.
var errLineTooLong = errors.New("line too long")

// lineReader reads the lines of several files, one file after the other.
type lineReader struct {
	files   []string
	opener  Opener
	reader  io.Reader // read once, in place of files
	max     int
	skipBOM bool // drop a byte-order mark at the start of a file
	// docs says how to read files whose rows do not stand one a line; nil: there are no such files
	docs *jsondoc.Options

	next int // index of the file to open next
	file io.ReadCloser
	name string
	line int64 // number of the line returned last, from 1
	buf  *bufio.Reader
	doc  *jsondoc.Reader // of the open file
	long []byte          // holds a line that is longer than buf
	open bool            // the line returned last ends with its file, without a newline
	skip bool            // the line returned last was too long, and its rest is still to be read
	rest int64           // bytes read of that rest
}

// read returns the next line without its end, valid until the next call; io.EOF after the last one
// of the last file.
func (l *lineReader) read() ([]byte, error) {
	for {
		if l.file == nil {
			if err := l.openNext(); err != nil {
				return nil, err
			}
		}
		line, err := l.readRow()
		switch {
		case err == io.EOF: //nolint:errorlint // readLine returns it bare
			if err := l.closeFile(); err != nil {
				return nil, fmt.Errorf("read %s: %w", l.name, err)
			}
		case err == errLineTooLong: //nolint:errorlint // readLine returns it bare
			return nil, err
		case err != nil:
			_ = l.closeFile() // the read error says more
			if l.doc != nil {
				return nil, err
			}
			return nil, &FileError{File: l.name, Line: l.line, Msg: err.Error(), Err: err}
		default:
			if l.line == 1 && l.skipBOM {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			return line, nil
		}
	}
}

func (l *lineReader) openNext() error {
	if l.next == len(l.files) {
		return io.EOF
	}
	l.name = l.files[l.next]
	l.next++
	l.line, l.skip = 0, false
	if l.reader != nil {
		l.file = io.NopCloser(l.reader)
	} else {
		f, err := l.opener.open(l.name)
		if err != nil {
			return err
		}
		l.file = f
	}
	if l.buf == nil {
		l.buf = bufio.NewReaderSize(l.file, 256<<10)
	} else {
		l.buf.Reset(l.file)
	}
	if l.doc = nil; l.docs != nil {
		var err error
		if l.doc, err = l.detect(); err != nil {
			return errors.Join(err, l.closeFile())
		}
	}
	return nil
}

// readRow reads the next row of the open file: of its document, or a line.
func (l *lineReader) readRow() (row []byte, err error) {
	if l.doc == nil {
		return l.readLine()
	}
	if row, l.line, err = l.doc.Next(); err == jsondoc.ErrTooLong { //nolint:errorlint // Next returns it bare
		err = errLineTooLong
	}
	return row, err
}

func (l *lineReader) closeFile() error {
	err := l.file.Close()
	l.file = nil
	return err
}

// readLine reads one line of the open file, without its end.
func (l *lineReader) readLine() ([]byte, error) {
	if err := l.skipRest(); err != nil {
		return nil, err
	}
	l.line++
	line, err := l.buf.ReadSlice('\n')
	if err == bufio.ErrBufferFull { //nolint:errorlint // ReadSlice returns it bare
		l.long = l.long[:0]
		for err == bufio.ErrBufferFull { //nolint:errorlint // as above
			if len(l.long)+len(line) > l.max+1 { // the last byte may belong to the line's end
				l.long, l.skip, l.rest = nil, true, 0
				return nil, errLineTooLong
			}
			l.long = append(l.long, line...)
			line, err = l.buf.ReadSlice('\n')
		}
		l.long = append(l.long, line...)
		line = l.long
	}
	if err != nil && (err != io.EOF || len(line) == 0) { //nolint:errorlint // ReadSlice returns it bare
		return nil, err
	}
	l.open = err == io.EOF //nolint:errorlint // as above
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > l.max {
		l.long = nil
		return nil, errLineTooLong
	}
	return line, nil
}

// tooLong returns the error of a row whose line is too long.
func (l *lineReader) tooLong(row int64) error {
	return tooLongLine(l.name, l.line, l.max, row)
}

func tooLongLine(file string, line int64, limit int, row int64) error {
	tooLong := &LimitError{Limit: LimitRowBytes, Msg: fmt.Sprintf("the line is longer than %d bytes", limit)}
	return &SyntaxError{File: file, Line: line, Row: row, Msg: tooLong.Msg, Err: tooLong}
}

// mostSkipped bounds the bytes of a line that is passed over: so many times the limit of a line, or
// [DefaultRowBytes] if that is more. A file whose line goes on beyond that, such as a device, has
// no lines, and the search for the next one could take for ever.
const mostSkipped = 16

// skipRest reads to the end of a line that was too long.
func (l *lineReader) skipRest() error {
	for l.skip {
		part, err := l.buf.ReadSlice('\n')
		l.rest += int64(len(part))
		switch {
		case err == nil:
			l.skip = false
		case err != bufio.ErrBufferFull: //nolint:errorlint // ReadSlice returns it bare
			return err
		case l.rest/mostSkipped >= int64(max(l.max, DefaultRowBytes)):
			return fmt.Errorf("the line goes on for more than %d bytes", l.rest)
		}
	}
	return nil
}

func (l *lineReader) close() {
	if l.file != nil {
		// Files that were only read lose nothing if closing fails.
		_ = l.closeFile()
	}
}

// TextLines returns a dataset of the lines of the files, one after the other, without their ends:
// tf.data.TextLineDataset. As there, every carriage return is left out, wherever it stands.
// Elements are string scalars; row numbers go on from file to file. A line beyond [DefaultRowBytes]
// is a [SyntaxError].
func TextLines(files ...string) *Dataset { return TextLinesFrom(nil, 0, files...) }

// TextLinesFrom is [TextLines] with files opened by open, for instance to decompress them, and with
// lines of at most maxLine bytes. open nil: [OpenFile]. maxLine 0: [DefaultRowBytes].
func TextLinesFrom(open Opener, maxLine int, files ...string) *Dataset {
	maxLine = cmp.Or(maxLine, DefaultRowBytes)
	return newDataset(TensorSpec(tensor.String), UnknownCardinality, func(openOptions) (iterator, error) {
		return &textLines{l: lineReader{files: files, opener: open, max: maxLine}}, nil
	})
}

type textLines struct {
	l   lineReader
	row int64
}

func (it *textLines) next(_ context.Context, e *Element) error {
	line, err := it.line()
	if err == io.EOF { //nolint:errorlint // read returns it bare
		return err
	}
	row := it.row
	it.row++
	if err == errLineTooLong { //nolint:errorlint // read returns it bare
		return it.l.tooLong(row)
	}
	if err != nil {
		return err
	}
	e.reset(row)
	e.Place = Place{File: it.l.name, Line: it.l.line}
	e.Tensors = append(e.Tensors, tensor.Scalar(string(line)))
	return nil
}

// line returns the next line without its carriage returns. Where the file's last line, without a
// newline, holds nothing else, it is no line.
func (it *textLines) line() ([]byte, error) {
	for {
		line, err := it.l.read()
		if err == nil && bytes.IndexByte(line, '\r') >= 0 {
			line = bytes.ReplaceAll(line, []byte("\r"), nil)
		}
		if err != nil || len(line) > 0 || !it.l.open {
			return line, err
		}
	}
}

func (it *textLines) close() { it.l.close() }
