package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/runner/internal/option"
)

// compression is how a file is compressed.
type compression uint8

const (
	uncompressed compression = iota
	gzipped
	zstandard
	zlibbed
)

// name returns the compression's name, for people.
func (c compression) name() string {
	return [...]string{gzipped: "gzip", zstandard: "zstd", zlibbed: "zlib"}[c]
}

// The bytes that compressed files begin with.
var (
	gzipMagic = []byte{0x1f, 0x8b, 8}          // RFC 1952, deflated
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878
)

// compressionHead is how many bytes compressionOf looks at.
const compressionHead = 12

// compressionOf returns how a file is compressed, by its first bytes. No file of rows begins with
// those of gzip or zstd. Only files of records may be compressed by zlib, as TensorFlow writes
// them, since a text may begin with the two bytes of zlib.
func compressionOf(head []byte, records bool) compression {
	switch {
	case records && tfrecord.Begins(head):
		return uncompressed
	case bytes.HasPrefix(head, gzipMagic):
		return gzipped
	case bytes.HasPrefix(head, zstdMagic):
		return zstandard
	// The header of RFC 1950.
	case records && len(head) > 1 && head[0] == 0x78 && (int(head[0])<<8|int(head[1]))%31 == 0:
		return zlibbed
	}
	return uncompressed
}

// Open opens a file of the source, decompressed, and with text as UTF-8. A file of another kind
// than the source's is a *[KindError].
func (src Source) Open(name string) (io.ReadCloser, error) { return src.openFile(name, false) }

// OpenRecords is [Source.Open] for TFRecord files, which TensorFlow may have compressed without
// saying so in the name.
func (src Source) OpenRecords(name string) (io.ReadCloser, error) { return src.openFile(name, true) }

func (src Source) openFile(name string, records bool) (io.ReadCloser, error) {
	format := src.formatOf(name)
	if name == "-" {
		if src.Stdin == nil {
			return nil, &option.Error{Option: "Stdin", Msg: "there is no standard input"}
		}
		r := src.Stdin
		if s, ok := r.(*Spooled); ok {
			r = s.Again()
		}
		return asText(format, &unknown{src: src, name: name, format: format, r: r, records: records}), nil
	}
	f, at, err := src.openRaw(name)
	if err != nil {
		return nil, err
	}
	how := uncompressed
	switch {
	case filepath.Ext(name) == ".gz":
		how = gzipped
	case filepath.Ext(name) == ".zst":
		how = zstandard
	case at != nil:
		head := make([]byte, kindHead)
		n, _ := at.ReadAt(head, 0) // reading reports the error again
		how = compressionOf(head[:n], records)
		if k, ok := kindOf(head[:n]); ok && how == uncompressed && !records {
			if err := k.misread(name, format); err != nil {
				return nil, errors.Join(err, f.Close())
			}
		}
		if how == uncompressed && utf16Order(head[:n]) == nil {
			return f, nil
		}
	default:
		// Of a device or a named pipe nothing is read before the reader asks for it.
		return asText(format, f), nil
	}
	if how == uncompressed {
		return asText(format, f), nil
	}
	z, end, err := src.decompress(name, f, how)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return asText(format, &decompressed{Reader: z, close: end, file: f}), nil
}

// formatOf returns the format of a file of the source, "" if it is not known.
func (src Source) formatOf(name string) string {
	switch {
	case src.Format != "":
		return src.Format
	case name == "-":
		return stdinFormat
	}
	return byExtension[extension(name)]
}

// asText returns a reader that decodes UTF-16, for a format of text.
func asText(format string, r io.ReadCloser) io.ReadCloser {
	if !readsText(format) {
		return r
	}
	return &text{marked{r: r}, r}
}

// text is a file of text.
type text struct {
	marked
	file io.Closer
}

// Close closes the file.
func (t *text) Close() error { return t.file.Close() }

// openRaw opens a file or an object as it is stored. at reads it without counting bytes; it is nil
// if the file can be read only once.
func (src Source) openRaw(name string) (f io.ReadCloser, at io.ReaderAt, err error) {
	if store.Is(name) {
		o, err := store.Open(src.context(), name, src.Read)
		if err != nil {
			return nil, nil, err
		}
		return o, o.Uncounted(), nil
	}
	file, err := dataset.OpenFile(name)
	if err != nil {
		return nil, nil, err
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		at = file
	}
	if src.Read != nil {
		return counted{file, src.Read}, at, nil
	}
	return file, at, nil
}

func (src Source) context() context.Context {
	if src.Context == nil {
		return context.Background()
	}
	return src.Context
}

// decompress returns a reader of the decompressed bytes, and a function that releases the
// decompressor.
func (src Source) decompress(name string, f io.Reader, how compression) (r io.Reader, end func() error, err error) {
	in := &countedReader{Reader: f}
	in.ahead = bufio.NewReaderSize(in, 256<<10)
	var z io.Reader
	switch how {
	case zstandard:
		var d *zstd.Decoder
		// The limit is the largest window that zstd itself accepts without an option. Blocks are
		// not handed from goroutine to goroutine: a file of empty ones took a minute.
		d, err = zstd.NewReader(in.ahead, zstd.WithDecoderMaxMemory(1<<27), zstd.WithDecoderConcurrency(1))
		z, end = d, func() error { d.Close(); return nil }
	default:
		var d io.ReadCloser
		if how == zlibbed {
			d, err = zlib.NewReader(in.ahead)
			// Reading reports an error again.
		} else if head, _ := in.ahead.Peek(len(gzipMagic)); !bytes.HasPrefix(gzipMagic, head) {
			err = gzip.ErrHeader
		} else {
			d, err = gzip.NewReader(in.ahead)
		}
		if errors.Is(err, io.EOF) {
			return in.ahead, func() error { return nil }, nil // an empty file
		}
		// Closing zstd's decoder only repeats the error of its last read.
		z, end = d, func() error { return nil }
	}
	if err != nil {
		if in.err == nil {
			err = how.explain(err, true)
		}
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return &ratioReader{Reader: z, name: name, how: how, in: in, most: src.Limits.OrDefaults().Ratio}, end, nil
}

// compressionError says what is wrong with compressed bytes.
type compressionError struct {
	msg string
	err error
}

// Error returns what is wrong.
func (e *compressionError) Error() string { return e.msg }

// Unwrap returns the decompressor's error.
func (e *compressionError) Unwrap() error { return e.err }

// explain returns an error in plain words for a decompressor's error. first says that nothing was
// decompressed before it.
func (c compression) explain(err error, first bool) error {
	msg := ""
	switch name := c.name(); {
	case errors.Is(err, io.ErrUnexpectedEOF) && c == gzipped && !first:
		msg = "the gzip data is cut off, or other bytes stand behind it"
	case errors.Is(err, io.ErrUnexpectedEOF):
		msg = fmt.Sprintf("the %s data is cut off", name)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zlib.ErrHeader), errors.Is(err, zstd.ErrMagicMismatch):
		msg = "bytes that are none stand behind the " + name + " data"
		if first {
			msg = fmt.Sprintf("is not compressed with %s", name)
		}
	default:
		msg = fmt.Sprintf("the %s data is damaged: %v", name, err)
	}
	return &compressionError{msg, err}
}

// unknown is standard input before its first bytes were looked at. It may be opened several times,
// and is read once.
type unknown struct {
	src     Source
	name    string
	format  string
	r       io.Reader
	records bool
	opened  bool
	end     func() error
	err     error
}

// Read reads, and decompresses what is compressed.
func (u *unknown) Read(p []byte) (int, error) {
	if !u.opened {
		u.opened = true
		u.begin()
	}
	if u.err != nil {
		return 0, u.err
	}
	return u.r.Read(p)
}

// begin looks at the first bytes. It waits for no more of them than a compressed file begins with,
// since rows may come slowly.
func (u *unknown) begin() {
	b := bufio.NewReaderSize(u.r, 64<<10)
	u.r = b
	most := len(zstdMagic)
	if u.records {
		most = compressionHead
	}
	for n := 1; n <= most; n++ {
		head, err := b.Peek(n) // reading reports the error again
		if n == 1 && !u.records {
			// The bytes that came with the first one are looked at without waiting for more.
			come, _ := b.Peek(min(b.Buffered(), kindHead))
			if k, ok := kindOf(come); ok {
				if u.err = k.misread(u.name, u.format); u.err != nil {
					return
				}
			}
		}
		if how := compressionOf(head, u.records && n == most); how != uncompressed {
			u.r, u.end, u.err = u.src.decompress(u.name, b, how)
			return
		}
		if err != nil || !u.records && !bytes.HasPrefix(gzipMagic, head) && !bytes.HasPrefix(zstdMagic, head) {
			return
		}
	}
}

// Close ends the decompressing.
func (u *unknown) Close() error {
	if u.end == nil {
		return nil
	}
	return u.end()
}

// decompressed is a compressed file; closing it closes the decompressor and the file.
type decompressed struct {
	io.Reader
	close func() error
	file  io.Closer
}

// Close closes the decompressor and the file.
func (d *decompressed) Close() error { return errors.Join(d.close(), d.file.Close()) }

// ratioReader is a decompressor that fails when a small file becomes too large.
type ratioReader struct {
	io.Reader
	name      string
	how       compression
	in        *countedReader // the compressed file
	out, most int64          // bytes so far; the most that is allowed
}

// Read decompresses.
func (b *ratioReader) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.out += int64(n)
	if b.out > dataset.RatioFrom && b.out/b.most > b.in.taken() {
		return 0, &dataset.LimitError{
			Limit: dataset.LimitRatio,
			Msg:   fmt.Sprintf("%s: %d bytes became %d, more than %d times as many", b.name, b.in.taken(), b.out, b.most),
		}
	}
	if err != nil && !errors.Is(err, io.EOF) && b.in.err == nil {
		err = b.how.explain(err, b.out == 0)
	}
	return n, err
}

// countedReader counts the bytes that are read.
type countedReader struct {
	io.Reader
	n     int64
	err   error         // of reading, other than its end
	ahead *bufio.Reader // a buffer in front of this reader: headers are of a few bytes
}

// taken returns the number of bytes that have been read, without those that are still in the
// buffer.
func (c *countedReader) taken() int64 {
	return c.n - int64(c.ahead.Buffered())
}

// Read reads and counts.
func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// TextLines returns a dataset with a string for each line of the files.
func (src Source) TextLines() *dataset.Dataset {
	return dataset.TextLinesFrom(src.Open, int(src.Limits.RowBytes), src.Files...)
}
