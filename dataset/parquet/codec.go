package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// largePage bounds the bytes of a page that becomes more than largeRatio times as large as it is
// stored. Writers end a page at about 1 MB, or after one row.
const (
	largePage  = 256 << 20
	largeRatio = 4
)

// codec is how pages are compressed.
type codec int32

const (
	uncompressed codec = 0
	snappyCodec  codec = 1
	gzipCodec    codec = 2
	lzoCodec     codec = 3
	brotliCodec  codec = 4
	lz4Codec     codec = 5 // in frames of Hadoop's own, or not
	zstdCodec    codec = 6
	lz4Raw       codec = 7
)

// errUnpacked says that data is damaged, or stands for another number of bytes.
var errUnpacked = errors.New("other data")

// unpackBytes returns the size bytes that data stands for, in the memory of dst where that is large
// enough. Memory grows with what comes out, whatever size says.
func unpackBytes(c codec, dst, data []byte, size int) ([]byte, error) {
	if len(data) == 0 && size == 0 {
		return dst, nil // as some writers leave a page without values
	}
	switch c {
	case snappyCodec:
		const most = 32 // bytes that a byte stands for
		n, err := snappy.DecodedLen(data)
		if err != nil || n != size || size > most*len(data) {
			return nil, errUnpacked
		}
		if dst, err = snappy.Decode(slices.Grow(dst, size)[:size], data); err != nil {
			return nil, errUnpacked
		}
		return dst, nil
	case lz4Raw:
		return lz4Block(dst, data, size)
	case lz4Codec:
		if out, err := lz4Frames(dst, data, size); err == nil {
			return out, nil
		}
		return lz4Block(dst, data, size)
	case gzipCodec:
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, errUnpacked
		}
		return readBytes(dst, r, size)
	case brotliCodec:
		return readBytes(dst, brotli.NewReader(bytes.NewReader(data)), size)
	case zstdCodec:
		r, _ := zstdReaders.Get().(*zstd.Decoder)
		defer zstdReaders.Put(r)
		if err := r.Reset(bytes.NewReader(data)); err != nil {
			return nil, errUnpacked
		}
		return readBytes(dst, r, size)
	case lzoCodec:
		return nil, errors.New("pages compressed with LZO are not read; write the file anew with another codec")
	}
	return nil, fmt.Errorf("pages compressed with codec %d, which is not known", c)
}

// zstdReaders are decoders that work in the goroutine of their caller.
var zstdReaders = sync.Pool{New: func() any {
	// the options are right
	r, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largePage))
	return r
}}

// maxLZ4 is the most bytes that a byte of LZ4 stands for.
const maxLZ4 = 255

// readBytes reads size bytes, which must be all there are.
func readBytes(dst []byte, r io.Reader, size int) ([]byte, error) {
	const step = 1 << 20
	for len(dst) < size {
		from := len(dst)
		if cap(dst) < size {
			dst = slices.Grow(dst, min(size-from, max(from, step)))
		}
		n, err := io.ReadFull(r, dst[from:min(cap(dst), size)])
		dst = dst[:from+n]
		if err != nil {
			return nil, errUnpacked
		}
	}
	var more [1]byte
	if n, err := io.ReadFull(r, more[:]); n > 0 || !errors.Is(err, io.EOF) {
		return nil, errUnpacked
	}
	return dst, nil
}

// lz4Block unpacks a block of LZ4.
func lz4Block(dst, data []byte, size int) ([]byte, error) {
	if size > maxLZ4*len(data) {
		return nil, errUnpacked
	}
	dst = slices.Grow(dst, size)[:size]
	if !lz4Into(dst, data) {
		return nil, errUnpacked
	}
	return dst, nil
}

// lz4Into unpacks a block of LZ4 that becomes as many bytes as dst has.
func lz4Into(dst, data []byte) bool {
	if len(dst) == 0 { // the library would read it nevertheless
		return len(data) == 1 && data[0] == 0
	}
	n, err := lz4.UncompressBlock(data, dst)
	return err == nil && n == len(dst)
}

// lz4Frames unpacks blocks of LZ4 that stand behind their sizes, as Hadoop writes them: what the
// block becomes, and how long it is.
func lz4Frames(dst, data []byte, size int) ([]byte, error) {
	const head = 8
	if size > maxLZ4*len(data) {
		return nil, errUnpacked
	}
	at := len(dst)
	dst = slices.Grow(dst, size)[:at+size]
	for len(data) > 0 {
		if len(data) < head {
			return nil, errUnpacked
		}
		becomes, length := int64(binary.BigEndian.Uint32(data)), int64(binary.BigEndian.Uint32(data[4:]))
		data = data[head:]
		if length > int64(len(data)) || becomes > int64(len(dst)-at) {
			return nil, errUnpacked
		}
		if !lz4Into(dst[at:at+int(becomes)], data[:length]) {
			return nil, errUnpacked
		}
		at, data = at+int(becomes), data[length:]
	}
	if at != len(dst) {
		return nil, errUnpacked
	}
	return dst, nil
}
