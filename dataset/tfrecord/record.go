package tfrecord

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/files"
)

// A record is length uint64, mask(crc(length)) uint32, data, mask(crc(data)) uint32, all
// little-endian (tensorflow/core/lib/io/record_writer.h).
const (
	headSize = 12
	tailSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the function Mask of TensorFlow's crc32c. It keeps checksums of data that holds
// checksums meaningful.
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// Begins reports whether a file with these first bytes, at least 12, begins with a record: with a
// length and the length's checksum.
func Begins(head []byte) bool {
	return len(head) >= headSize && masked(head[:8]) == binary.LittleEndian.Uint32(head[8:headSize])
}

// records reads the records of one file.
type records struct {
	name string
	file io.Closer
	r    *bufio.Reader
	max  int64
	n    int64 // number of records read
}

const recordBuffer = 256 << 10

func openRecords(open dataset.Opener, name string, limit int64) (*records, error) {
	f, err := files.Open(open, name)
	if err != nil {
		return nil, err
	}
	return &records{name: name, file: f, r: bufio.NewReaderSize(f, recordBuffer), max: limit}, nil
}

// errChecksum says that a record's bytes do not fit their checksum.
var errChecksum = errors.New("the record's checksum is wrong: its bytes were changed")

// next appends the next record's bytes to buf. For a record with a wrong checksum it returns
// errChecksum, and reading may go on after it; after the last record io.EOF.
func (r *records) next(buf []byte) ([]byte, error) {
	var head [headSize]byte
	if n, err := io.ReadFull(r.r, head[:]); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return buf, io.EOF
		}
		r.n++
		return buf, r.fail(err)
	}
	r.n++
	if !Begins(head[:]) {
		if r.n == 1 {
			return buf, fmt.Errorf("%s: not a TFRecord file: its first bytes are no record's", r.name)
		}
		return buf, fmt.Errorf("%s: record %d: the checksum of its length is wrong: the file is damaged from here on", r.name, r.n)
	}
	size := binary.LittleEndian.Uint64(head[:8])
	if size > uint64(r.max) { //nolint:gosec // the limit is positive
		msg := fmt.Sprintf("%s: record %d: %d bytes are more than the limit of %d", r.name, r.n, size, r.max)
		return buf, &dataset.LimitError{Limit: dataset.LimitRowBytes, Msg: msg}
	}
	start := len(buf)
	buf, err := r.read(buf, int64(size)+tailSize)
	if err != nil {
		return buf[:start], err
	}
	data := buf[start : len(buf)-tailSize]
	sum := binary.LittleEndian.Uint32(buf[len(buf)-tailSize:])
	if masked(data) != sum {
		return buf[:start], errChecksum
	}
	return buf[:len(buf)-tailSize], nil
}

// read appends n bytes of the file to buf. Memory grows only as bytes come, since n may be a lie.
func (r *records) read(buf []byte, n int64) ([]byte, error) {
	const step = 16 << 20
	for n > 0 {
		part := int(min(n, step))
		from := len(buf)
		buf = slices.Grow(buf, part)[:from+part]
		if _, err := io.ReadFull(r.r, buf[from:]); err != nil {
			return buf, r.fail(err)
		}
		n -= int64(part)
	}
	return buf, nil
}

func (r *records) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: the file is cut off in record %d", r.name, r.n)
	}
	return fmt.Errorf("read %s: %w", r.name, err)
}

func (r *records) close() error { return r.file.Close() }

// appendRecord appends a record that holds data.
func appendRecord(dst, data []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(data)))
	dst = binary.LittleEndian.AppendUint32(dst, masked(dst[start:]))
	dst = append(dst, data...)
	return binary.LittleEndian.AppendUint32(dst, masked(data))
}
