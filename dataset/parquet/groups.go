package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// groups puts a file together from row groups. The library can only write a file from its beginning
// to its end; so it writes each group as a file of its own, whose pages are copied and whose footer
// is kept. What is kept of the groups so far is all that a later process needs to write the next
// ones.
type groups struct {
	w       io.Writer
	log     io.Writer // is given the footers; may be nil
	size    int64     // of what was written
	rows    int64
	meta    format.FileMetaData // with all groups so far
	columns []format.ColumnIndex
	offsets []format.OffsetIndex
}

var compact = new(thrift.CompactProtocol)

// add takes a group, as a file. A file without rows has no group, but a schema.
func (g *groups) add(file []byte) error {
	end, err := g.keep(file[len(magic):], int64(len(magic)))
	if err != nil || end == 0 {
		return err
	}
	if g.size == 0 {
		if err := g.write([]byte(magic)); err != nil {
			return err
		}
	}
	g.move(g.size - int64(len(magic)))
	if err := g.write(file[len(magic):end]); err != nil {
		return err
	}
	if g.log == nil {
		return nil
	}
	footer := file[end:]
	record := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(end)), uint64(len(footer))) //nolint:gosec // a length is not negative
	if _, err := g.log.Write(append(record, footer...)); err != nil {
		return err
	}
	return nil
}

func (g *groups) write(b []byte) error {
	n, err := g.w.Write(b)
	g.size += int64(n)
	return err
}

// recall takes the groups that the log of an earlier writer tells of.
func (g *groups) recall(log []byte) error {
	for len(log) > 0 {
		end, n := binary.Uvarint(log)
		size, m := binary.Uvarint(log[max(n, 0):])
		if n <= 0 || m <= 0 || size > uint64(len(log)-n-m) || end < uint64(len(magic)) || end > math.MaxInt64 {
			return errLog
		}
		log = log[n+m:]
		g.size = max(g.size, int64(len(magic)))
		found, err := g.keep(log[:size], int64(end))
		if err != nil {
			return err
		}
		if found != int64(end) {
			return errLog
		}
		g.move(g.size - int64(len(magic)))
		g.size += int64(end) - int64(len(magic))
		log = log[size:]
	}
	return nil
}

// errLog says that what was kept of groups is not what a writer keeps.
var errLog = errors.New("the groups written before are not as they were left")

// keep reads the footer at the end of a file of one group, of which the bytes from the place start
// on are given; it holds on to none of them. It returns the place where the group's pages end, or 0
// where there is none.
func (g *groups) keep(tail []byte, start int64) (end int64, err error) {
	if len(tail) < footerTail {
		return 0, errLog
	}
	length := int64(binary.LittleEndian.Uint32(tail[len(tail)-footerTail:]))
	from := int64(len(tail)-footerTail) - length
	if from < 0 {
		return 0, errLog
	}
	var meta format.FileMetaData
	if err := thrift.Unmarshal(compact, bytes.Clone(tail[from:len(tail)-footerTail]), &meta); err != nil {
		return 0, fmt.Errorf("%w: %w", errLog, err)
	}
	if g.meta.Schema == nil {
		g.meta = meta
		g.meta.RowGroups = nil
	}
	if len(meta.RowGroups) == 0 {
		return 0, nil
	}
	group := meta.RowGroups[0]
	end = group.Columns[0].ColumnIndexOffset
	for i := range group.Columns {
		c := &group.Columns[i]
		var column format.ColumnIndex
		var offset format.OffsetIndex
		if err := errors.Join(index(tail, c.ColumnIndexOffset-start, c.ColumnIndexLength, &column), index(tail, c.OffsetIndexOffset-start, c.OffsetIndexLength, &offset)); err != nil {
			return 0, err
		}
		g.columns, g.offsets = append(g.columns, column), append(g.offsets, offset)
	}
	g.rows += group.NumRows
	g.meta.RowGroups = append(g.meta.RowGroups, group)
	return end, nil
}

// index reads a column's index.
func index(tail []byte, at int64, length int32, v any) error {
	if at < 0 || length < 0 || at+int64(length) > int64(len(tail)) {
		return errLog
	}
	if err := thrift.Unmarshal(compact, bytes.Clone(tail[at:at+int64(length)]), v); err != nil {
		return fmt.Errorf("%w: %w", errLog, err)
	}
	return nil
}

// move tells the last group that it stands further on by the given number of bytes.
func (g *groups) move(by int64) {
	group := &g.meta.RowGroups[len(g.meta.RowGroups)-1]
	group.Ordinal = int16(len(g.meta.RowGroups) - 1) //nolint:gosec // beyond 32,767 groups it wraps around, as the library's own does
	group.FileOffset += by
	for i := range group.Columns {
		c := &group.Columns[i].MetaData
		c.DataPageOffset += by
		if c.DictionaryPageOffset > 0 {
			c.DictionaryPageOffset += by
		}
	}
	pages := g.offsets[len(g.offsets)-len(group.Columns):]
	for i := range pages {
		for k := range pages[i].PageLocations {
			pages[i].PageLocations[k].Offset += by
		}
	}
}

// finish writes the indexes of all pages, and the footer.
func (g *groups) finish() error {
	if g.size == 0 {
		if err := g.write([]byte(magic)); err != nil {
			return err
		}
	}
	k := 0
	if err := g.eachColumn(func(c *format.ColumnChunk) (err error) {
		c.ColumnIndexOffset = g.size
		c.ColumnIndexLength, err = g.encode(&g.columns[k])
		k++
		return err
	}); err != nil {
		return err
	}
	k = 0
	if err := g.eachColumn(func(c *format.ColumnChunk) (err error) {
		c.OffsetIndexOffset = g.size
		c.OffsetIndexLength, err = g.encode(&g.offsets[k])
		k++
		return err
	}); err != nil {
		return err
	}
	g.meta.NumRows = g.rows
	length, err := g.encode(&g.meta)
	if err != nil {
		return err
	}
	return g.write(append(binary.LittleEndian.AppendUint32(nil, uint32(length)), magic...)) //nolint:gosec // a length is not negative
}

func (g *groups) eachColumn(do func(c *format.ColumnChunk) error) error {
	for i := range g.meta.RowGroups {
		columns := g.meta.RowGroups[i].Columns
		for k := range columns {
			if err := do(&columns[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// encode writes a part of the footer and returns its length.
func (g *groups) encode(v any) (int32, error) {
	var b bytes.Buffer
	if err := thrift.NewEncoder(compact.NewWriter(&b)).Encode(v); err != nil {
		return 0, err
	}
	if b.Len() > math.MaxInt32 {
		return 0, errors.New("the footer of so many row groups is larger than a file can have")
	}
	return int32(b.Len()), g.write(b.Bytes()) //nolint:gosec // see above
}
