package hdf5

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
)

// filter is a step that chunks went through when they were written.
type filter struct {
	id     uint16
	name   string
	values []uint32
}

// The filters that are read.
const (
	deflate    = 1
	shuffle    = 2
	fletcher32 = 3
)

var filterNames = map[uint16]string{
	4: "szip", 5: "n-bit", 6: "scale-offset", 32000: "LZF", 32001: "Blosc", 32004: "LZ4",
	32008: "bitshuffle", 32015: "Zstandard",
}

// pipeline decodes a list of filters.
func (c *cursor) pipeline() []filter {
	version, n := c.u8(), int(c.u8())
	if version == 1 {
		c.skip(6)
	}
	var list []filter
	for range n {
		fl := filter{id: c.u16()}
		nameSize := 0
		if version == 1 || fl.id >= 256 {
			nameSize = int(c.u16())
		}
		c.skip(2) // flags
		count := int(c.u16())
		fl.name = beforeZero(c.bytes(nameSize))
		if version == 1 {
			c.skip((8 - nameSize%8) % 8)
		}
		for range count {
			fl.values = append(fl.values, c.u32())
			if c.err != nil {
				return nil
			}
		}
		if version == 1 && count%2 == 1 {
			c.skip(4)
		}
		list = append(list, fl)
	}
	return list
}

// undo reverses the filters of a chunk of size bytes. Filters whose bit is set in skipped were left
// out for this chunk.
func undo(filters []filter, skipped uint32, data []byte, size int) ([]byte, error) {
	for i := len(filters) - 1; i >= 0; i-- {
		if skipped&(1<<i) != 0 {
			continue
		}
		var err error
		switch f := filters[i]; f.id {
		case deflate:
			data, err = inflate(data, size+4*len(filters))
		case shuffle:
			if len(f.values) == 0 {
				return nil, &UnsupportedError{"a shuffle filter without a size"}
			}
			data = unshuffle(data, int(f.values[0]))
		case fletcher32:
			data = data[:max(len(data)-4, 0)]
		default:
			return nil, &UnsupportedError{"values that went through the filter " + f.String()}
		}
		if err != nil {
			return nil, err
		}
	}
	if len(data) < size {
		return nil, fmt.Errorf("a chunk of %d bytes, %d are wanted", len(data), size)
	}
	return data[:size], nil
}

func (f filter) String() string {
	if f.name != "" {
		return f.name
	}
	if name := filterNames[f.id]; name != "" {
		return name
	}
	return fmt.Sprintf("%d", f.id)
}

// inflate decompresses at most limit bytes. Memory grows only as bytes come out.
func inflate(data []byte, limit int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	defer z.Close()
	out, err := io.ReadAll(io.LimitReader(z, int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return out, nil
}

// unshuffle puts the bytes of each value together again. Bytes left over at the end stay as they
// are.
func unshuffle(data []byte, size int) []byte {
	if size < 2 || len(data) < size {
		return data
	}
	n := len(data) / size
	out := make([]byte, len(data))
	for i := range size {
		for j, b := range data[i*n : (i+1)*n] {
			out[j*size+i] = b
		}
	}
	copy(out[n*size:], data[n*size:])
	return out
}
