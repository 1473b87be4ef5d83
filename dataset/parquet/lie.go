package parquet

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/tfrun/tfrun/dataset/internal/files"
)

const (
	// maxFooter bounds a file's metadata, which takes some twenty times as much once parsed: 250,000 columns of row groups.
	maxFooter = 32 << 20
	// maxDepth bounds how deep a schema nests: the library gives each column all the names above it.
	maxDepth = 128
)

// checkSchema looks at how deep the schema in a file's metadata nests, before the library does with recursion.
func checkSchema(footer io.Reader) error {
	var meta struct {
		Schema []format.SchemaElement `thrift:"2"`
	}
	if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(bufio.NewReader(footer))).Decode(&meta); err != nil {
		return fmt.Errorf("the file is damaged: its metadata: %w", err)
	}
	var open []int32 // children still to come, of each group that holds the next element
	for _, e := range meta.Schema {
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			open[len(open)-1]--
		}
		if e.NumChildren.V > 0 {
			open = append(open, e.NumChildren.V)
		}
		if len(open) > maxDepth {
			return fmt.Errorf("the schema nests deeper than %d levels", maxDepth)
		}
	}
	return nil
}

// errLZ4 says that a page is no LZ4 block of the size that it is said to have.
var errLZ4 = errors.New("a page is damaged: it is no LZ4 block of the size that its header tells")

// checkLZ4 looks at the pages of a chunk of LZ4_RAW blocks. The library takes every error of LZ4 for a buffer that is too small, and doubles it until
// there is no memory left.
func checkLZ4(f *files.File, c *format.ColumnMetaData) error {
	if c.Codec != pq.Lz4Raw.CompressionCodec() {
		return nil
	}
	start := c.DataPageOffset
	if d := c.DictionaryPageOffset; d > 0 && d < start {
		start = d
	}
	left := c.TotalCompressedSize
	if start < 0 || left < 0 || start > f.Size || left > f.Size-start {
		return errors.New("the file is damaged: a column lies outside of it")
	}
	r := bufio.NewReader(io.NewSectionReader(f, start, left))
	decoder := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r))
	var page []byte
	for values := int64(0); values < c.NumValues; {
		var h format.PageHeader
		if err := decoder.Decode(&h); err != nil {
			return nil //nolint:nilerr // the library comes upon it
		}
		size := int64(h.CompressedPageSize)
		if size < 0 || size > left {
			return errors.New("the file is damaged: a page is longer than its column")
		}
		if int64(cap(page)) < size {
			page = make([]byte, size)
		}
		page = page[:size]
		if _, err := io.ReadFull(r, page); err != nil {
			return err
		}
		values += int64(h.DataPageHeader.V.NumValues) + int64(h.DataPageHeaderV2.V.NumValues)
		levels := int64(0) // of a page of the second version, which are not compressed
		if v2 := h.DataPageHeaderV2; v2.Valid {
			levels = int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
			if v2.V.IsCompressed.Valid && !v2.V.IsCompressed.V {
				continue
			}
		}
		if levels < 0 || levels > size || lz4Size(page[levels:]) != int64(h.UncompressedPageSize)-levels {
			return errLZ4
		}
	}
	return nil
}

// lz4Size returns how many bytes an LZ4 block stands for, or -1 where it is none.
func lz4Size(b []byte) int64 {
	total := int64(0)
	length := func(n byte) (int64, bool) {
		sum := int64(n)
		for more := n == 15; more; {
			if len(b) == 0 {
				return 0, false
			}
			sum, more = sum+int64(b[0]), b[0] == 255
			b = b[1:]
		}
		return sum, true
	}
	for len(b) > 0 {
		token := b[0]
		b = b[1:]
		literals, ok := length(token >> 4)
		if !ok || literals > int64(len(b)) {
			return -1
		}
		b = b[literals:]
		total += literals
		if len(b) == 0 {
			return total // the last sequence has no match
		}
		if len(b) < 2 {
			return -1
		}
		offset := int64(b[0]) | int64(b[1])<<8
		b = b[2:]
		match, ok := length(token & 15)
		if !ok || offset == 0 || offset > total {
			return -1
		}
		total += match + 4
	}
	return -1
}
