package npy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// descrs maps dtypes to NumPy's names of them.
var descrs = map[tensor.DType]string{
	tensor.Bool: "|b1", tensor.Int8: "|i1", tensor.Int16: "<i2", tensor.Int32: "<i4", tensor.Int64: "<i8", tensor.Uint8: "|u1", tensor.Uint16: "<u2",
	tensor.Uint32: "<u4", tensor.Uint64: "<u8", tensor.Float16: "<f2", tensor.Float32: "<f4", tensor.Float64: "<f8", tensor.Complex64: "<c8",
	tensor.Complex128: "<c16", tensor.Bfloat16: "<f4",
}

// arrayWriter collects the rows of one array.
type arrayWriter struct {
	name  string
	dtype tensor.DType
	shape tensor.Shape
	dims  []int64 // of a row; nil before the first row with values
	rows  int64
	buf   *bufio.Writer
	spool *pieces // nil where values are written directly
	strs  *stringStats
	kept  bool // a kept column, whose values may be null
	wide  []byte
	// written counts the bytes of an array that is written directly, its header included.
	written int64
}

func (a *arrayWriter) check(t tensor.Tensor) error {
	if a.dims != nil && !slices.Equal(a.dims, t.Dims()) {
		return fmt.Errorf("its shape is %v, that of the rows before is %v: an array cannot hold both; use jsonl, parquet or arrow", t.Shape(), tensor.MakeShape(a.dims...))
	}
	return nil
}

// write adds a row.
func (a *arrayWriter) write(t tensor.Tensor) error {
	if a.dims == nil {
		if err := a.fixShape(t.Dims()); err != nil {
			return err
		}
	}
	a.rows++
	if a.strs != nil {
		return a.writeStrings(t.Strings())
	}
	data := t.Bytes()
	if t.DType() == tensor.Bfloat16 {
		data = a.widened(t)
	}
	if len(data) >= arrayBuffer {
		// Large data passes the buffer by; what is in the buffer goes first.
		if err := a.buf.Flush(); err != nil {
			return err
		}
	}
	n, err := a.buf.Write(data)
	a.written += int64(n)
	return err
}

// widened returns the bytes of bfloat16 values as float32.
func (a *arrayWriter) widened(t tensor.Tensor) []byte {
	values, _ := tensor.Values[tensor.BF16](t)
	a.wide = a.wide[:0]
	for _, v := range values {
		a.wide = binary.LittleEndian.AppendUint32(a.wide, math.Float32bits(v.Float32()))
	}
	return a.wide
}

// writeTo makes the array write its values directly to w. The returned function completes the
// array: it writes the header, which tells the number of rows, at the place start.
func (a *arrayWriter) writeTo(w io.WriteSeeker, start int64) func() error {
	a.buf = bufio.NewWriterSize(w, arrayBuffer)
	if a.written == 0 {
		// The buffer is empty and larger, so there is no error.
		n, _ := a.buf.Write(make([]byte, HeaderSize))
		a.written = int64(n)
	}
	return func() error {
		if err := a.buf.Flush(); err != nil {
			return err
		}
		if _, err := w.Seek(start, io.SeekStart); err != nil {
			return err
		}
		head, err := a.header(descrs[dtypes.Carrier(a.dtype)])
		if err != nil {
			return err
		}
		if _, err := w.Write(head); err != nil {
			return err
		}
		_, err = w.Seek(0, io.SeekEnd)
		return err
	}
}

// copyTo writes the whole array.
func (a *arrayWriter) copyTo(w io.Writer) error {
	if a.strs != nil {
		return a.copyStrings(w)
	}
	head, err := a.header(descrs[dtypes.Carrier(a.dtype)])
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	r, err := a.reread()
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// reread returns a reader of the values in the spool.
func (a *arrayWriter) reread() (io.Reader, error) {
	if err := a.buf.Flush(); err != nil {
		return nil, err
	}
	return a.spool.reader()
}

// leastDims returns the shape of a row for an array of which no row has values: that of the
// component, with the least sizes where they are open.
func (a *arrayWriter) leastDims() []int64 {
	dims := a.shape.Dims()
	for i := range dims {
		dims[i] = max(dims[i], 0)
	}
	return dims
}

// HeaderSize is the number of bytes of an array's header. It is the same for any number of rows, so
// that the header of an array that is written directly can be filled in at the end.
const HeaderSize = 256

// header returns a header of [HeaderSize] bytes, which has room for any shape of few axes.
func (a *arrayWriter) header(descr string) ([]byte, error) {
	dims := a.dims
	if a.rows == 0 {
		dims = a.leastDims()
	}
	var shape strings.Builder
	fmt.Fprintf(&shape, "%d,", a.rows)
	for _, d := range dims {
		fmt.Fprintf(&shape, " %d,", d)
	}
	list := shape.String()
	if len(dims) > 0 {
		list = strings.TrimSuffix(list, ",") // Python writes (3,) but (3, 4)
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, list)
	const room = HeaderSize - len(magic) - 4
	if len(text) >= room {
		return nil, fmt.Errorf("shape (%s): too many axes for a header of %d bytes", list, HeaderSize)
	}
	head := append([]byte(magic), 1, 0)
	head = binary.LittleEndian.AppendUint16(head, uint16(room))
	return append(head, text+strings.Repeat(" ", room-len(text)-1)+"\n"...), nil
}

// stringStats describes the strings of an array, and decides on the array's type.
type stringStats struct {
	Bytes  int64 // of the longest string
	Runes  int64
	Binary bool // a string is not UTF-8
	Zeros  bool // a string ends in a zero byte
	Kind   jsontext.Kind
	Null   bool
	Kept   keptStats // of kept values that have a type
}
