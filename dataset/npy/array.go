package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/tensor"
)

// array reads the rows of one array.
type array struct {
	h      header
	r      io.Reader // at the values; arrays in C order
	temp   *files.TempFile
	at     io.ReaderAt // of the values; arrays in Fortran order
	offset int64
	rows   int64 // size of the first axis
	done   int64
	row    int64 // bytes of a row in the file
	n      int   // values of a row

	path string
	comp dataset.Component
	// bound says that the array is read for a component. Otherwise its rows are only kept.
	bound bool
	fill  tensor.Tensor // takes the place of NaN for a component without NaN
	held  tensor.DType  // type of the values in memory, before they are converted
	dims  []int64       // of a row
	raw   []byte        // memory that each read uses again
	room  []byte
	strs  []string
	col   []byte // values of one place of the rows, in Fortran order
}

// openArray reads the header and prepares for reading rows. size is the number of bytes from r's
// place to the end of the file, or -1.
func openArray(r io.Reader, size int64, o Options) (*array, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	a := &array{h: h, r: r}
	if o.Whole {
		a.h.dims = slices.Concat([]int64{1}, h.dims)
	}
	if len(a.h.dims) == 0 {
		return nil, errors.New("the array is a single value, without an axis of rows")
	}
	a.rows = a.h.dims[0]
	a.dims = a.h.dims[1:]
	values, ok := tensor.NumElements(a.dims)
	if !ok || values > o.MaxRow/int64(max(a.h.size, 1)) {
		msg := fmt.Sprintf("a row of shape %v and type %s is larger than the limit of %d bytes", a.dims, a.h.descr, o.MaxRow)
		return nil, &dataset.LimitError{Limit: dataset.LimitRowBytes, Msg: msg}
	}
	a.n, a.row = int(values), values*int64(a.h.size)
	n, _ := tensor.NumElements(h.dims)
	if data := n * int64(h.size); size >= 0 && size-h.length < data {
		return nil, fmt.Errorf("the file is cut off: its header promises %d bytes of values, there are %d", data, max(size-h.length, 0))
	}
	if a.row == 0 && a.rows > maxEmptyRows {
		return nil, fmt.Errorf("%d rows without values are more than the %d that are read", a.rows, maxEmptyRows)
	}
	return a, nil
}

// maxEmptyRows bounds the rows of an array without values: its file could promise any number of
// rows.
const maxEmptyRows = 1 << 24

// bind sets the component that the array is read for.
func (a *array) bind(file, path, column string, comp dataset.Component, fill tensor.Tensor) error {
	fail := func(format string, args ...any) error {
		return &dataset.ColumnError{File: file, Component: path, Column: column, Msg: fmt.Sprintf(format, args...)}
	}
	held, err := a.h.dtype(comp.DType)
	if err != nil {
		return fail("%v", err)
	}
	if held != comp.DType && !dtypes.Can(comp.DType, held) {
		return fail("want %s, the array holds %s", dtypes.Want(comp.DType), dtypes.Want(held))
	}
	a.path, a.comp, a.held, a.fill, a.bound = path, comp, held, fill, true
	if comp.Ragged {
		if msg := block.CheckDepth(comp, len(a.dims)); msg != "" {
			return fail("%s", msg)
		}
		return nil
	}
	dims, ok := comp.Fit(a.dims)
	if !ok {
		return fail("want rows of shape %v, the array's are %v", comp.Shape, tensor.MakeShape(a.dims...))
	}
	a.dims = dims
	return nil
}

// prepare makes the values of an array in Fortran order readable at any place: in file if it is not
// nil, from offset on, otherwise in a temporary copy.
func (a *array) prepare(file io.ReaderAt, offset int64) error {
	if !a.h.fortran || len(a.h.dims) < 2 {
		return nil
	}
	if file != nil {
		a.at, a.offset = file, offset
		return nil
	}
	temp, err := files.Temp()
	if err != nil {
		return err
	}
	a.temp, a.at = temp, temp
	want := a.rows * a.row
	if n, err := io.Copy(temp, io.LimitReader(a.r, want)); err != nil || n < want {
		if err == nil {
			err = errors.New("the file is cut off")
		}
		return err
	}
	return nil
}

func (a *array) close() {
	if a.temp != nil {
		_ = a.temp.Close() // nothing is lost
	}
}

// next reads n rows. With keep they stay valid after the next call. Rows with a value that does not
// fit the component are returned as bad ones beside the column.
func (a *array) next(n int, keep bool) (block.Column, []block.Bad, error) {
	flat, bad, err := a.values(n, keep)
	if err != nil {
		return nil, nil, err
	}
	if a.comp.Ragged {
		return a.lists(flat, n), bad, nil
	}
	return block.NewFixed(flat, a.dims), bad, nil
}

// values reads the values of n rows; see next.
func (a *array) values(n int, keep bool) (tensor.Tensor, []block.Bad, error) {
	if keep {
		a.raw, a.room, a.strs = nil, nil, nil
	}
	var err error
	if a.at != nil {
		err = a.readFortran(n)
	} else {
		a.raw, err = readGrowing(a.r, a.raw, int64(n)*a.row)
	}
	if err != nil {
		return tensor.Tensor{}, nil, fmt.Errorf("row %d: %w", a.done+1, err)
	}
	a.done += int64(n)
	return a.decode(n)
}

// readGrowing reads size bytes into buf's memory, which grows only as bytes come: a file may
// promise more than it has.
func readGrowing(r io.Reader, buf []byte, size int64) ([]byte, error) {
	const step = 16 << 20
	buf = buf[:0]
	for int64(len(buf)) < size {
		from := len(buf)
		next := int(min(size, max(int64(2*from), step)))
		buf = slices.Grow(buf, next-from)[:next]
		if _, err := io.ReadFull(r, buf[from:]); err != nil {
			return buf[:0], short(err)
		}
	}
	return buf, nil
}

// readFortran reads n rows of an array whose first axis varies fastest, and puts them into C order.
// In the file the values that all rows have at one place of the row lie side by side.
func (a *array) readFortran(n int) error {
	size := a.h.size
	a.raw = slices.Grow(a.raw[:0], n*int(a.row))[:n*int(a.row)]
	a.col = slices.Grow(a.col[:0], n*size)[:n*size]
	dims := a.h.dims[1:]
	index := make([]int64, len(dims))
	for c := range a.n { // a place of the row, in C order
		place, stride := int64(0), int64(1)
		for d := range dims {
			place += index[d] * stride
			stride *= dims[d]
		}
		at := a.offset + (place*a.rows+a.done)*int64(size)
		if k, err := a.at.ReadAt(a.col, at); k < len(a.col) {
			return short(err)
		}
		for i := range n {
			copy(a.raw[i*int(a.row)+c*size:][:size], a.col[i*size:])
		}
		for d := len(dims) - 1; d >= 0; d-- {
			if index[d]++; index[d] < dims[d] {
				break
			}
			index[d] = 0
		}
	}
	return nil
}

// decode converts the bytes of n rows to values of the component's type.
func (a *array) decode(n int) (tensor.Tensor, []block.Bad, error) {
	if a.held == tensor.String {
		strs, err := a.strings(n * a.n)
		if err != nil {
			return tensor.Tensor{}, nil, err
		}
		flat, err := tensor.ShareSlice(strs, []int64{int64(len(strs))})
		return flat, nil, err
	}
	switch {
	case a.h.kind == 'b':
		for i, v := range a.raw {
			// NumPy takes any byte but zero for true.
			if v > 1 {
				a.raw[i] = 1
			}
		}
	case a.h.big:
		part := a.h.size
		if a.h.kind == 'c' {
			part /= 2
		}
		swap(a.raw, part)
	}
	flat, err := tensor.Share(a.held, a.raw, []int64{int64(n * a.n)})
	if err != nil {
		return flat, nil, err
	}
	missing := a.noTimes(flat)
	flat, room, bad := block.Convert(a.comp.DType, flat, a.fill, a.room, a.path, block.Each(max(a.n, 1)))
	a.room = room
	var here []block.Bad
	for _, i := range missing {
		switch row := i / a.n; {
		case a.fill.DType() == flat.DType():
			block.Put(flat, i, a.fill)
		case len(here) == 0 || here[len(here)-1].Index < row:
			here = append(here, block.Bad{Index: row, Field: a.path, Msg: "the value is NaT, which is no time"})
		}
	}
	return flat, block.MergeBad(bad, here), nil
}

// times reports whether the array is of dates or durations.
func (a *array) times() bool { return a.h.kind == 'M' || a.h.kind == 'm' }

// noTimes returns where an array for a component holds NaT, the null of dates and durations, and
// puts 0 there: NaT's integer, the least one, would be read as a date.
func (a *array) noTimes(t tensor.Tensor) (places []int) {
	if !a.bound || !a.times() {
		return nil
	}
	values, _ := tensor.Values[int64](t)
	for i, v := range values {
		if v == math.MinInt64 {
			places, values[i] = append(places, i), 0
		}
	}
	return places
}

// swap reverses the bytes of each value of the given size.
func swap(b []byte, size int) {
	switch size {
	case 2:
		for i := 0; i+2 <= len(b); i += 2 {
			binary.LittleEndian.PutUint16(b[i:], binary.BigEndian.Uint16(b[i:]))
		}
	case 4:
		for i := 0; i+4 <= len(b); i += 4 {
			binary.LittleEndian.PutUint32(b[i:], bits.ReverseBytes32(binary.LittleEndian.Uint32(b[i:])))
		}
	case 8:
		for i := 0; i+8 <= len(b); i += 8 {
			binary.LittleEndian.PutUint64(b[i:], bits.ReverseBytes64(binary.LittleEndian.Uint64(b[i:])))
		}
	}
}

// strings reads n strings. Arrays of both types of strings fill them up with zeros, which are left
// out.
func (a *array) strings(n int) ([]string, error) {
	a.strs = slices.Grow(a.strs[:0], n)
	size := a.h.size
	var text strings.Builder
	for i := range n {
		raw := a.raw[i*size : (i+1)*size]
		if a.h.kind != 'U' {
			for len(raw) > 0 && raw[len(raw)-1] == 0 {
				raw = raw[:len(raw)-1]
			}
			a.strs = append(a.strs, string(raw))
			continue
		}
		text.Reset()
		zeros := 0
		for k := 0; k < size; k += 4 {
			r := binary.LittleEndian.Uint32(raw[k:])
			if a.h.big {
				r = bits.ReverseBytes32(r)
			}
			if r == 0 {
				zeros++
				continue
			}
			for ; zeros > 0; zeros-- {
				text.WriteByte(0)
			}
			if r > utf8.MaxRune {
				return nil, fmt.Errorf("a string holds %#x, which is no character", r)
			}
			text.WriteRune(rune(r))
		}
		a.strs = append(a.strs, text.String())
	}
	return a.strs, nil
}

// lists makes a ragged column of n rows, whose lists all have the same lengths.
func (a *array) lists(flat tensor.Tensor, n int) block.Column {
	offsets := make([][]int64, len(a.dims))
	count := int64(n)
	for d, size := range a.dims {
		off := make([]int64, count+1)
		for i := range off {
			off[i] = int64(i) * size
		}
		offsets[d] = off
		count *= size
	}
	return block.NewLists(a.comp, flat, offsets, nil)
}

// Options says how files are read. The zero value is right for most.
type Options struct {
	// Open opens a file. nil: [dataset.OpenFile]. An archive, or an array in Fortran order, that
	// cannot be read at any place is copied to a temporary file.
	Open dataset.Opener
	// Columns maps a component, by its path in the spec, to the array of an archive that it is read
	// from, where that has another name. Several arrays of single values give the component several
	// values, side by side. Without an entry the only component is read from the only array.
	Columns map[string][]string
	// Nulls holds the values that take the place of NaN for integers and booleans.
	Nulls dataset.Nulls
	// Keep lists arrays of an archive whose rows go to [dataset.Element.Extra] with their types.
	// NaT is null. Complex numbers, and times in units that Arrow does not have, go there as JSON.
	Keep []string
	// Whole makes each file one row, which holds all of its arrays.
	Whole bool
	// BlockBytes is the number of bytes of an array that are read at a time, but at least one row.
	// 0: 1 MiB.
	BlockBytes int
	// MaxRow bounds a row's bytes. 0: 1 GiB.
	MaxRow int64
	// MaxRatio bounds the decompressed size of an array as a multiple of its compressed size, from
	// [dataset.RatioFrom] bytes on. 0: [dataset.DefaultRatio].
	MaxRatio int64
}
