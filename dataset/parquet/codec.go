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

// A page beyond largePage bytes may be at most largeRatio times as large as it is stored. Writers
// end a page at about 1 MB, or after one row.
const (
	largePage  = 256 << 20
	largeRatio = 4
)

// codec is a way to compress pages.
type codec int32

const (
	uncompressed codec = 0
	snappyCodec  codec = 1
	gzipCodec    codec = 2
	lzoCodec     codec = 3
	brotliCodec  codec = 4
	lz4Codec     codec = 5 // LZ4 blocks, with or without Hadoop's framing
	zstdCodec    codec = 6
	lz4Raw       codec = 7
)

// errUnpacked says that compressed data is damaged, or decompresses to another size than it should.
var errUnpacked = errors.New("compressed data is damaged, or of another size")

// unpackBytes decompresses data to size bytes, into the memory of dst if it has room. Memory grows
// with the bytes that come out, since size may be wrong.
func unpackBytes(c codec, dst, data []byte, size int) ([]byte, error) {
	if len(data) == 0 && size == 0 {
		return dst, nil // some writers store a page without values as nothing
	}
	switch c {
	case snappyCodec:
		const most = 32 // bytes of the result for each byte of data
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

// zstdReaders are decoders that start no goroutines.
var zstdReaders = sync.Pool{New: func() any {
	// The options are valid, so there is no error.
	r, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largePage))
	return r
}}

// maxLZ4 is the most bytes that LZ4 makes of one byte.
const maxLZ4 = 255

// readBytes reads size bytes from r, which must end there.
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

// lz4Block decompresses a block of LZ4.
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

// lz4Into decompresses a block of LZ4 that must fill dst.
func lz4Into(dst, data []byte) bool {
	// The library reads the data even if it should become nothing.
	if len(dst) == 0 {
		return len(data) == 1 && data[0] == 0
	}
	n, err := lz4.UncompressBlock(data, dst)
	return err == nil && n == len(dst)
}

// lz4Frames decompresses blocks of LZ4 as Hadoop writes them: two sizes, decompressed and
// compressed, come before each block.
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
