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

// descrs are NumPy's names of the types.
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
	dims  []int64 // of a row; nil before the first that has values
	rows  int64
	buf   *bufio.Writer
	spool *pieces // nil where values are written directly
	strs  *stringStats
	kept  bool // values of a kept column, which may be null
	wide  []byte
	// written counts the bytes of an array that is written directly, with its header.
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
		if err := a.know(t.Dims()); err != nil {
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
		// So much is written as it is, once the buffer is empty.
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

// writeTo lets values go to w from the place start on, which a header is written to in the end.
func (a *arrayWriter) writeTo(w io.WriteSeeker, start int64) func() error {
	a.buf = bufio.NewWriterSize(w, arrayBuffer)
	if a.written == 0 {
		n, _ := a.buf.Write(make([]byte, HeaderSize)) // it fits the buffer
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

// reread returns a reader of what was written to the temporary file.
func (a *arrayWriter) reread() (io.Reader, error) {
	if err := a.buf.Flush(); err != nil {
		return nil, err
	}
	return a.spool.reader()
}

// leastDims returns the shape of a row of an array of which no row has values.
func (a *arrayWriter) leastDims() []int64 {
	dims := a.shape.Dims()
	for i := range dims {
		dims[i] = max(dims[i], 0)
	}
	return dims
}

// HeaderSize is that of the header of an array. Where one is written directly, its first bytes are
// known last.
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

// stringStats is what the type of an array of strings follows from.
type stringStats struct {
	Bytes  int64 // of the longest
	Runes  int64
	Binary bool // one is not UTF-8
	Zeros  bool // one ends in a zero
	Kind   jsontext.Kind
	Null   bool
	Kept   keptStats // of values of a type
}
