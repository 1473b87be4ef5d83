package hdf5

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// Bounds on what a file may declare, compared with what it stores. The library of HDF5 itself
// refuses more than a thousand times.
const (
	freeBytes    = 64 << 20
	freeChunks   = 1 << 20
	maxValue     = 1 << 20 // bytes of one value
	maxExpansion = 1_000
	piece        = 256 << 10 // bytes that are read at a time
)

// Values calls f with all values of the dataset, each once. data holds whole values that follow
// each other in row-major order, and at is the index of the first one; data is valid until f
// returns. A value that was never written is the file's fill value.
//
// It fails for values in other files or behind filters that this package does not read, and for
// datasets that declare over 64 MiB and a thousand times what is stored.
func (d *Dataset) Values(ctx context.Context, f func(at int64, data []byte) error) error {
	err := d.values(ctx, f)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path, err)
	}
	return nil
}

func (d *Dataset) values(ctx context.Context, f func(at int64, data []byte) error) error {
	total, ok := d.Shape.Count()
	switch {
	case d.Null || total == 0:
		return nil
	case d.Virtual:
		return &UnsupportedError{"a dataset that is put together from others"}
	case len(d.External) > 0:
		return &UnsupportedError{fmt.Sprintf("a dataset whose values are in another file, %q,", d.External[0])}
	case d.Type.Size > maxValue:
		return &UnsupportedError{fmt.Sprintf("a dataset with values of %d bytes", d.Type.Size)}
	}
	if err := d.checkExpansion(total, ok); err != nil {
		return err
	}
	switch d.layout.class {
	case compact:
		return d.compactValues(total, f)
	case contiguous:
		return d.contiguousValues(ctx, total, f)
	}
	return d.chunkedValues(ctx, f)
}

// checkExpansion refuses a dataset that declares far more than it stores. For chunks the places of
// all chunks count, since each one is visited.
func (d *Dataset) checkExpansion(total int64, ok bool) error {
	stored, err := d.Stored()
	if err != nil {
		return err
	}
	if d.layout.class == chunked {
		grid, err := d.grid()
		if err != nil {
			return err
		}
		places, gridOK := grid.Count()
		each, eachOK := d.layout.chunks.shape.Count()
		if !gridOK || !eachOK || places > freeChunks && places/maxExpansion > stored {
			ok = false
		} else if total, ok = (Shape{places, each}).Count(); !ok {
			total = 0
		}
	}
	if size := int64(d.Type.Size); !ok || total > freeBytes/size && total/maxExpansion > stored/size {
		return &UnsupportedError{fmt.Sprintf("a dataset of shape %v of which only %d bytes are stored", []int64(d.Shape), stored)}
	}
	return nil
}

func (d *Dataset) compactValues(total int64, f func(at int64, data []byte) error) error {
	data := d.layout.compact
	if total > int64(len(data)/d.Type.Size) {
		return &FormatError{d.head.addr, fmt.Sprintf("%d bytes for values of shape %v", len(data), []int64(d.Shape))}
	}
	return f(0, data[:total*int64(d.Type.Size)])
}

func (d *Dataset) contiguousValues(ctx context.Context, total int64, f func(at int64, data []byte) error) error {
	size := int64(d.Type.Size)
	per := max(piece/size, 1)
	if d.layout.addr != undefined && uint64(total) > d.layout.size/uint64(size) {
		return &FormatError{d.head.addr, fmt.Sprintf("%d bytes for values of shape %v", d.layout.size, []int64(d.Shape))}
	}
	if start := d.layout.addr; start != undefined && (start > d.f.size || uint64(total*size) > d.f.size-start) {
		return &FormatError{start, "values beyond the end of the file"}
	}
	buf := d.blank(min(per, total))
	for at := int64(0); at < total; at += per {
		if err := ctx.Err(); err != nil {
			return err
		}
		data := buf[:min(per, total-at)*size]
		if d.layout.addr != undefined {
			if err := d.f.fill(data, d.layout.addr+uint64(at*size)); err != nil {
				return err
			}
		}
		if err := f(at, data); err != nil {
			return err
		}
	}
	return nil
}

// blank returns n values that were never written.
func (d *Dataset) blank(n int64) []byte {
	if len(d.fill) != d.Type.Size {
		return make([]byte, n*int64(d.Type.Size))
	}
	return bytes.Repeat(d.fill, int(n))
}

// chunkedValues goes through the chunks in the order of the grid.
func (d *Dataset) chunkedValues(ctx context.Context, f func(at int64, data []byte) error) error {
	chunks, err := d.chunks()
	if err != nil {
		return err
	}
	grid, err := d.grid()
	if err != nil {
		return err
	}
	size, err := d.chunkBytes()
	if err != nil {
		return err
	}
	total, _ := grid.Count()
	place := make(Shape, len(grid))
	for i := range total {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := d.chunk(chunks, i, size)
		if err != nil {
			return err
		}
		if err := d.rows(place, data, f); err != nil {
			return err
		}
		for k := len(place) - 1; k >= 0; k-- { // the next place
			if place[k]++; place[k] < grid[k] {
				break
			}
			place[k] = 0
		}
	}
	return nil
}

// chunk returns the values of one chunk.
func (d *Dataset) chunk(chunks map[int64]stored, i int64, size uint64) ([]byte, error) {
	s, ok := chunks[i]
	if !ok {
		return d.blank(int64(size) / int64(d.Type.Size)), nil
	}
	if s.addr > d.f.size || s.size > d.f.size-s.addr {
		return nil, &FormatError{s.addr, "a chunk beyond the end of the file"}
	}
	raw := make([]byte, s.size)
	if err := d.f.fill(raw, s.addr); err != nil {
		return nil, err
	}
	data, err := undo(d.filters, s.skipped, raw, int(size))
	if err != nil {
		return nil, fmt.Errorf("chunk %d: %w", i, err)
	}
	return data, nil
}

// rows calls f with the rows of a chunk, without the part of the chunk that lies beyond the
// dataset.
func (d *Dataset) rows(place Shape, data []byte, f func(at int64, data []byte) error) error {
	chunk := d.layout.chunks.shape
	if len(chunk) == 0 {
		return f(0, data[:d.Type.Size])
	}
	last := len(chunk) - 1
	size := int64(d.Type.Size)
	width := min(chunk[last], d.Shape[last]-place[last]*chunk[last]) * size
	row := make(Shape, last) // within the chunk
	for n := int64(len(data)) / (chunk[last] * size); n > 0; n-- {
		at, inside := int64(0), true
		for k, r := range row {
			p := place[k]*chunk[k] + r
			inside = inside && p < d.Shape[k]
			at = at*d.Shape[k] + p
		}
		if at = at*d.Shape[last] + place[last]*chunk[last]; inside {
			if err := f(at, slices.Clip(data[:width])); err != nil {
				return err
			}
		}
		data = data[chunk[last]*size:]
		for k := last - 1; k >= 0; k-- {
			if row[k]++; row[k] < chunk[k] {
				break
			}
			row[k] = 0
		}
	}
	return nil
}
