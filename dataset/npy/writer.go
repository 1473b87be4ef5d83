package npy

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/lossless"
	"github.com/tfrun/tfrun/tensor"
)

// WriterOptions says how rows are written.
type WriterOptions struct {
	// Names are those of the components' columns, in the order of the spec; nil: their paths.
	Names []string
	// Keep lists the keys of [dataset.Element.Extra] that become arrays of an archive. One is of integers, floats or booleans if all its values are,
	// otherwise of strings.
	Keep []string
	// Spool makes a place for the values of an array that have to wait until all are known; it is called once for each such array, in their order.
	// nil: temporary files.
	Spool func() (Spool, error)
	// Resume is what [Writer.State] returned of a writer of the same spec and options. The new writer goes on with the next row: its w and its
	// spools are as the other has left them, and w stands at its end.
	Resume []byte
}

// Spool holds what is written to it until it is read back.
type Spool interface {
	io.WriteCloser
	// Reader returns a reader of all that was written.
	Reader() (io.Reader, error)
}

// Writer writes rows as arrays whose first axis is the rows. All rows of a component must have the shape of its first.
//
// bfloat16, which NumPy does not have, is written as float32, which holds it. Strings become an array of type 'U', or of 'S' if they are not all UTF-8; as
// their longest decides on its size, they wait in a temporary file.
type Writer struct {
	comps  []dataset.Component
	keep   []string
	arrays []*arrayWriter
	finish func() error
	err    error
	closed bool
}

// NewWriter returns a writer of one array, for a spec of one component. w is given a header that tells the number of rows in the end: where it cannot
// seek, the values wait in a temporary file. It must be closed, which does not close w.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	if len(o.Keep) > 0 {
		return nil, fmt.Errorf("write npy: there is no room for the kept column %q; use npz", o.Keep[0])
	}
	names, err := columns.Names(spec, o.Names, nil)
	if err == nil && len(names) != 1 {
		err = fmt.Errorf("the file holds one array, there are %d: %s; pick one, or use npz", len(names), strings.Join(names, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("write npy: %w", err)
	}
	out, err := newWriter(spec, o)
	if err != nil {
		return nil, fmt.Errorf("write npy: %w", err)
	}
	a := out.arrays[0]
	if seeker, ok := w.(io.WriteSeeker); ok && a.strs == nil {
		if at, err := seeker.Seek(0, io.SeekCurrent); err == nil {
			out.finish = a.writeTo(seeker, at-a.written)
			return out, nil
		}
	}
	out.finish = func() error { return a.copyTo(w) }
	return out, out.openSpools(o)
}

// NewZipWriter returns a writer of an archive with an array for each component, named by its path. The values wait in temporary files. It must be
// closed, which does not close w.
func NewZipWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	out, err := newWriter(spec, o)
	if err != nil {
		return nil, fmt.Errorf("write npz: %w", err)
	}
	out.finish = func() error {
		z := zip.NewWriter(w)
		for _, a := range out.arrays {
			member, err := z.CreateHeader(&zip.FileHeader{Name: a.name + ".npy", Method: zip.Store})
			if err != nil {
				return err
			}
			if err := a.copyTo(member); err != nil {
				return fmt.Errorf("array %q: %w", a.name, err)
			}
		}
		return z.Close()
	}
	return out, out.openSpools(o)
}

// openSpools makes places for values that wait.
func (w *Writer) openSpools(o WriterOptions) error {
	if o.Spool == nil {
		o.Spool = func() (Spool, error) {
			temp, err := files.Temp()
			return tempSpool{temp}, err
		}
	}
	for _, a := range w.arrays {
		var err error
		if a.spool, err = o.Spool(); err != nil {
			w.closeSpools()
			return err
		}
		a.buf = bufio.NewWriterSize(a.spool, arrayBuffer)
	}
	return nil
}

func (w *Writer) closeSpools() {
	for _, a := range w.arrays {
		if a.spool != nil {
			_ = a.spool.Close() // it is not needed any more
		}
	}
}

// tempSpool is a temporary file.
type tempSpool struct{ *files.TempFile }

// Reader begins at the start.
func (t tempSpool) Reader() (io.Reader, error) {
	_, err := t.Seek(0, io.SeekStart)
	return t, err
}

func newWriter(spec dataset.Spec, o WriterOptions) (*Writer, error) {
	names, err := columns.Names(spec, o.Names, o.Keep)
	if err != nil {
		return nil, err
	}
	out := &Writer{comps: spec.Flatten(), keep: o.Keep}
	for i, comp := range out.comps {
		if comp.Ragged {
			return nil, fmt.Errorf("array %q: ragged values are no array; use jsonl, parquet or arrow", names[i])
		}
		a := &arrayWriter{name: names[i], dtype: comp.DType, shape: comp.Shape}
		if comp.DType == tensor.String {
			a.strs = &stringStats{}
		} else if _, ok := descrs[lossless.Carrier(comp.DType)]; !ok {
			return nil, fmt.Errorf("array %q: values of type %s are not written", names[i], comp.DType)
		}
		out.arrays = append(out.arrays, a)
	}
	for _, key := range o.Keep {
		out.arrays = append(out.arrays, &arrayWriter{name: key, dtype: tensor.String, shape: tensor.MakeShape(), strs: &stringStats{}, json: true})
	}
	return out, out.resume(o.Resume)
}

// arrayState is what is known of an array's rows so far.
type arrayState struct {
	Rows    int64
	Dims    []int64
	Written int64        `json:",omitempty"`
	Strings *stringStats `json:",omitempty"`
}

// State hands all values on to where they wait, and returns what another writer needs to know of them to go on with the next row.
func (w *Writer) State() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	var states []arrayState
	for _, a := range w.arrays {
		if w.err = a.buf.Flush(); w.err != nil {
			return nil, w.err
		}
		states = append(states, arrayState{Rows: a.rows, Dims: a.dims, Written: a.written, Strings: a.strs})
	}
	return json.Marshal(states)
}

// resume takes up the state of another writer.
func (w *Writer) resume(state []byte) error {
	if len(state) == 0 {
		return nil
	}
	var states []arrayState
	if err := json.Unmarshal(state, &states); err != nil || len(states) != len(w.arrays) {
		return errState
	}
	for i, s := range states {
		a := w.arrays[i]
		if s.Rows < 0 || (s.Strings == nil) != (a.strs == nil) {
			return errState
		}
		a.rows, a.dims, a.written, a.strs = s.Rows, s.Dims, s.Written, s.Strings
	}
	return nil
}

// errState says that a state is not what State returns.
var errState = errors.New("what was written before is not as it was left")

// Write writes a row. An error of the underlying writer is final.
func (w *Writer) Write(e dataset.Element) error {
	if w.err != nil {
		return w.err
	}
	if e.Tensors == nil {
		return fmt.Errorf("write npy: row %d has no values, which an array cannot tell", e.Row)
	}
	if err := columns.CheckRow(w.comps, e); err != nil {
		return fmt.Errorf("write npy: %w", err)
	}
	for i, t := range e.Tensors {
		if err := w.arrays[i].check(t); err != nil {
			return fmt.Errorf("write npy: row %d: array %q: %w", e.Row, w.arrays[i].name, err)
		}
	}
	for i, a := range w.arrays {
		t := tensor.Tensor{}
		if i < len(e.Tensors) {
			t = e.Tensors[i]
		} else {
			t = tensor.Scalar(string(columns.Extra(e, a.name)))
		}
		if w.err = a.write(t); w.err != nil {
			return w.err
		}
	}
	return nil
}

// Close completes the file.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil {
		w.err = w.finish()
	}
	w.closeSpools()
	return w.err
}

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
	dims  []int64 // of a row; nil before the first
	rows  int64
	buf   *bufio.Writer
	spool Spool
	strs  *stringStats
	json  bool // the strings are JSON texts
	wide  []byte
	// written counts the bytes of an array that is written directly, with its header.
	written int64
}

const arrayBuffer = 64 << 10

func (a *arrayWriter) check(t tensor.Tensor) error {
	if a.rows > 0 && !slices.Equal(a.dims, t.Dims()) {
		return fmt.Errorf("its shape is %v, that of the rows before is %v: an array cannot hold both; use jsonl, parquet or arrow", t.Shape(), tensor.MakeShape(a.dims...))
	}
	return nil
}

// write adds a row.
func (a *arrayWriter) write(t tensor.Tensor) error {
	if a.rows == 0 {
		a.dims = slices.Clone(t.Dims())
	}
	a.rows++
	if a.strs != nil {
		return a.writeStrings(a.buf, t.Strings())
	}
	data := t.Bytes()
	if t.DType() == tensor.Bfloat16 {
		data = a.widened(t)
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
		head, err := a.header(descrs[lossless.Carrier(a.dtype)])
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
	head, err := a.header(descrs[lossless.Carrier(a.dtype)])
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
	return a.spool.Reader()
}

// HeaderSize is that of the header of an array. Where one is written directly, its first bytes are known last.
const HeaderSize = 256

// header returns a header of [HeaderSize] bytes, which has room for any shape of few axes.
func (a *arrayWriter) header(descr string) ([]byte, error) {
	dims := a.dims
	if a.rows == 0 {
		dims = a.shape.Dims()
		for i := range dims {
			dims[i] = max(dims[i], 0)
		}
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
}

func (s *stringStats) add(v string) {
	s.Bytes = max(s.Bytes, int64(len(v)))
	if !utf8.ValidString(v) {
		s.Binary = true
	}
	s.Runes = max(s.Runes, int64(utf8.RuneCountInString(v)))
	s.Zeros = s.Zeros || strings.HasSuffix(v, "\x00")
}

// widen notes that there is a value of a kind. An array of numbers has no place for null, except as NaN.
func (s *stringStats) widen(k jsontext.Kind) {
	s.Null = s.Null || k == jsontext.Null
	s.Kind = jsontext.Widen(s.Kind, k)
}

// writeStrings keeps strings for later, each behind its length.
func (a *arrayWriter) writeStrings(buf *bufio.Writer, strs []string) error {
	for _, v := range strs {
		if a.json {
			a.strs.widen(jsontext.KindOf([]byte(v)))
			a.strs.add(string(jsontext.AsText([]byte(v))))
		} else {
			a.strs.add(v)
		}
		var n [binary.MaxVarintLen64]byte
		if _, err := buf.Write(n[:binary.PutUvarint(n[:], uint64(len(v)))]); err != nil {
			return err
		}
		if _, err := buf.WriteString(v); err != nil {
			return err
		}
	}
	return nil
}

// maxGrowth bounds how much longer than its strings an array of them may be: one long string among millions of short ones makes all as long.
const maxGrowth = 64 << 30

// copyStrings writes the array of the strings that were kept.
func (a *arrayWriter) copyStrings(w io.Writer) error {
	put, descr, size, err := a.encoding()
	if err != nil {
		return err
	}
	n, _ := tensor.NumElements(a.dims)
	if a.rows > 0 && size*max(n, 1) > maxGrowth/a.rows {
		return fmt.Errorf("an array of %d strings, as long as the longest of %d characters, would be larger than %d bytes; use jsonl, parquet or arrow",
			a.rows*n, a.strs.Runes, int64(maxGrowth))
	}
	head, err := a.header(descr)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, arrayBuffer)
	if _, err := out.Write(head); err != nil {
		return err
	}
	source, err := a.reread()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(source, arrayBuffer)
	var text, cell []byte
	for range a.rows * n {
		length, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		text = slices.Grow(text[:0], int(length))[:length]
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		cell = put(cell[:0], text)
		for int64(len(cell)) < size {
			cell = append(cell, 0)
		}
		if _, err := out.Write(cell); err != nil {
			return err
		}
	}
	return out.Flush()
}

// encoding says how strings are written, and how many bytes each takes.
func (a *arrayWriter) encoding() (put func(dst, text []byte) []byte, descr string, size int64, err error) {
	if a.json {
		kind := a.strs.Kind
		if a.strs.Null && (kind == jsontext.Int || kind == jsontext.Bool) {
			kind = jsontext.Other
		}
		switch kind {
		case jsontext.Int:
			return putNumber(func(v []byte) uint64 { n, _ := jsontext.AsInt(v); return uint64(n) }), "<i8", 8, nil //nolint:gosec // the bits are meant
		case jsontext.Float:
			return putNumber(floatBits), "<f8", 8, nil
		case jsontext.Bool:
			return func(dst, text []byte) []byte {
				if string(text) == "true" {
					return append(dst, 1)
				}
				return append(dst, 0)
			}, "|b1", 1, nil
		}
	}
	plain := func(text []byte) []byte { return text }
	if a.json {
		plain = jsontext.AsText
	}
	switch s := a.strs; {
	case s.Zeros:
		return nil, "", 0, errors.New("a string ends in a zero, which NumPy's strings cannot; use jsonl, parquet or arrow")
	case s.Binary:
		size := max(s.Bytes, 1)
		return func(dst, text []byte) []byte { return append(dst, plain(text)...) }, fmt.Sprintf("|S%d", size), size, nil
	default:
		size := max(s.Runes, 1)
		return func(dst, text []byte) []byte {
			for _, r := range string(plain(text)) {
				dst = binary.LittleEndian.AppendUint32(dst, uint32(r)) //nolint:gosec // a rune is not negative
			}
			return dst
		}, fmt.Sprintf("<U%d", size), 4 * size, nil
	}
}

// floatBits returns those of a number, NaN for null.
func floatBits(text []byte) uint64 {
	if f, ok := jsontext.AsFloat(text); ok {
		return math.Float64bits(f)
	}
	return math.Float64bits(math.NaN())
}

func putNumber(bits func([]byte) uint64) func(dst, text []byte) []byte {
	return func(dst, text []byte) []byte { return binary.LittleEndian.AppendUint64(dst, bits(text)) }
}
