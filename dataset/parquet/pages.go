package parquet

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/tfrun/tfrun/dataset/internal/files"
)

// The library gives a page what its header asks for, and what it really becomes where that is more.
// So every page of a chunk is looked at before: what it says that it becomes must be in proportion,
// and true. Where that takes decompressing, what comes out is counted only.

const (
	// largePage bounds what a page becomes that is more than largeRatio times as large as it is
	// stored. Writers end a page at about 1 MB, or after one row.
	largePage  = 256 << 20
	largeRatio = 4
	// maxPageValues bounds the values of a page, which a run of equal ones stores in a few bytes.
	// They take up to 16 bytes each.
	maxPageValues = 32 << 20
	// smallPage bounds what a page may become whatever its header tells.
	smallPage = 128 << 20
	// gzipRatio is the most that a byte of DEFLATE stands for.
	gzipRatio = 1032
	// zstdBlock is the most that a block of Zstandard stands for.
	zstdBlock = 128 << 10
)

// checkPages looks at the pages of a chunk, before the library does.
func checkPages(f *files.File, c *format.ColumnMetaData) error {
	start := c.DataPageOffset
	if d := c.DictionaryPageOffset; d != 0 {
		start = d
	}
	if start < 0 || c.TotalCompressedSize < 0 || start > f.Size || c.TotalCompressedSize > f.Size-start {
		return errors.New("the file is damaged: a column lies outside of it")
	}
	section := io.NewSectionReader(f, start, c.TotalCompressedSize)
	r := bufio.NewReader(section)
	decoder := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r))
	var data []byte
	for {
		var h format.PageHeader
		if err := decoder.Decode(&h); err != nil {
			return nil //nolint:nilerr // the end; or the library comes upon it
		}
		read, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		at, size := read-int64(r.Buffered()), int64(h.CompressedPageSize)
		if size < 0 || size > c.TotalCompressedSize-at {
			return errors.New("the file is damaged: a page is longer than its column")
		}
		if err := checkHeader(&h, c.Codec); err != nil {
			return err
		}
		if stored, packed := packedPart(&h); packed && c.Codec != format.Uncompressed {
			if data, err = readPage(section, data, at, size); err != nil {
				return err
			}
			if stored > size || !within(c.Codec, data[stored:], int64(h.UncompressedPageSize)-stored, smallPage) {
				return fmt.Errorf("the file is damaged: a page of %d bytes does not become the %d that its header tells", size, h.UncompressedPageSize)
			}
		}
		if size <= int64(r.Buffered()) {
			_, err = r.Discard(int(size))
		} else {
			_, err = section.Seek(at+size, io.SeekStart)
			r.Reset(section)
		}
		if err != nil {
			return err
		}
	}
}

// readPage reads a page into data, which it returns.
func readPage(r io.ReaderAt, data []byte, at, size int64) ([]byte, error) {
	if int64(cap(data)) < size {
		data = make([]byte, size)
	}
	_, err := r.ReadAt(data[:size], at)
	return data[:size], err
}

// checkHeader looks at the sizes that a page claims.
func checkHeader(h *format.PageHeader, codec format.CompressionCodec) error {
	becomes, size := int64(h.UncompressedPageSize), int64(h.CompressedPageSize)
	if codec != format.Uncompressed && becomes > largePage && becomes/largeRatio > size {
		return fmt.Errorf("a page of %d bytes would become %d; at most %d are read, or %d times as many as are stored", size, becomes, int64(largePage), largeRatio)
	}
	for _, n := range []int32{h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues, h.DictionaryPageHeader.V.NumValues} {
		if n > maxPageValues {
			return fmt.Errorf("a page of %d values; at most %d are read", n, maxPageValues)
		}
	}
	return nil
}

// packedPart returns where the compressed part of a page begins: levels stand before it in a page
// of the second version.
func packedPart(h *format.PageHeader) (begin int64, packed bool) {
	v2 := h.DataPageHeaderV2
	if !v2.Valid {
		return 0, true
	}
	begin = int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
	return begin, begin >= 0 && (!v2.V.IsCompressed.Valid || v2.V.IsCompressed.V)
}

// within reports whether data becomes no more than says bytes, or than small: so few do not matter.
func within(codec format.CompressionCodec, data []byte, says, small int64) bool {
	most := max(says, small)
	switch codec {
	case format.Snappy:
		n, _ := binary.Uvarint(data)
		return n <= uint64(most) //nolint:gosec // most is positive
	case format.Lz4Raw:
		// the library takes every error for a buffer that is too small, and doubles it until there
		// is no memory left
		return lz4Size(data) == says
	case format.Zstd:
		n, exact := zstdSize(data)
		return n <= most || !exact && counted(codec, data, most)
	case format.Gzip:
		return int64(len(data)) <= most/gzipRatio || counted(codec, data, most)
	case format.Brotli:
		return counted(codec, data, most)
	default:
		return true // the library does not read it
	}
}

// counted reports whether data becomes at most so many bytes. Data that is damaged does: the
// library says what is wrong with it.
func counted(codec format.CompressionCodec, data []byte, most int64) bool {
	in := bytes.NewReader(data)
	var r io.Reader
	switch codec {
	case format.Brotli:
		r = brotli.NewReader(in)
	case format.Gzip:
		z, err := gzip.NewReader(in)
		if err != nil {
			return true
		}
		r = z
	default:
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largePage))
		if err != nil {
			return true
		}
		defer z.Close()
		r = z
	}
	// an error of the data is the library's to tell
	n, _ := io.Copy(io.Discard, io.LimitReader(r, most+1))
	return n <= most
}

// zstdSize returns the most that frames of Zstandard stand for, and whether it is what they stand
// for. It goes by their headers and those of their blocks.
func zstdSize(b []byte) (most int64, exact bool) {
	exact = true
	for len(b) > 0 {
		var h zstd.Header
		if h.Decode(b) != nil || h.HeaderSize > len(b) {
			return most, false
		}
		b = b[h.HeaderSize:]
		if h.Skippable {
			b = b[min(int64(len(b)), int64(h.SkippableSize)):]
			continue
		}
		blocks, rest := zstdBlocks(b, h.HasCheckSum)
		if h.HasFCS {
			blocks = int64(min(h.FrameContentSize, 1<<40)) // the library ends where it is more
		} else {
			exact = false
		}
		most, b = most+blocks, rest
	}
	return most, exact
}

// zstdBlocks returns the most that a frame's blocks stand for, and what follows them.
func zstdBlocks(b []byte, sum bool) (most int64, rest []byte) {
	const head, last, runLength = 3, 1, 1
	for len(b) >= head {
		v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		b = b[head:]
		size := int64(v >> 3)
		kind := v >> 1 & 3
		switch kind {
		case 0, runLength:
			most += size
		default:
			most += zstdBlock
		}
		if kind == runLength {
			size = 1
		}
		b = b[min(int64(len(b)), size):]
		if v&last != 0 {
			break
		}
	}
	if sum {
		b = b[min(len(b), 4):]
	}
	return most, b
}
