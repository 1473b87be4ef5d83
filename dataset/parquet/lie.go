package parquet

import (
	"bufio"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	// maxFooter bounds a file's metadata, which takes some twenty times as much once parsed:
	// 250,000 columns of row groups.
	maxFooter = 32 << 20
	// maxDepth bounds how deep a schema nests: the library gives each column all the names above
	// it.
	maxDepth = 128
)

// checkSchema looks at how deep the schema in a file's metadata nests, before the library does with
// recursion.
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
