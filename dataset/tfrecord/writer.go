package tfrecord

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// AppendExample appends a serialized tf.train.Example with a feature for each tensor, named by
// names, in their order. Integers and booleans become int64, floats of any size float32, rounded if
// they have more digits, and strings bytes. A tensor's values stand in row-major order, without its
// shape. It fails for complex numbers, and for integers beyond int64.
func AppendExample(dst []byte, names []string, tensors []tensor.Tensor) ([]byte, error) {
	var e exampleEncoder
	for i, t := range tensors {
		if err := e.add(names[i], t); err != nil {
			return dst, fmt.Errorf("feature %q: %w", names[i], err)
		}
	}
	return e.appendTo(dst), nil
}

// exampleEncoder collects the features of one Example. It may be used again.
type exampleEncoder struct {
	features []byte // the message Features
	list     []byte // the message of one list
	feature  []byte
	packed   []byte
}

// add adds a feature of a tensor's values.
func (e *exampleEncoder) add(name string, t tensor.Tensor) error {
	e.list = e.list[:0]
	switch d := dtypes.Carrier(t.DType()); {
	case d == tensor.String:
		for _, s := range t.Strings() {
			e.list = appendTag(e.list, 1, wireBytes)
			e.list = append(binary.AppendUvarint(e.list, uint64(len(s))), s...)
		}
		e.addList(name, bytesList)
		return nil
	case d.IsFloat() && dtypes.Can(tensor.Float64, d):
		wide, err := converted(tensor.Float64, t)
		if err != nil {
			return err
		}
		values, _ := tensor.Values[float64](wide)
		e.packed = e.packed[:0]
		for _, v := range values {
			f, ok := dtypes.Float32(v)
			if !ok {
				return fmt.Errorf("%v does not fit float32, which is what features hold", v)
			}
			e.packed = binary.LittleEndian.AppendUint32(e.packed, math.Float32bits(f))
		}
		e.pack(e.packed)
		e.addList(name, floatList)
		return nil
	case (d.IsInteger() || d == tensor.Bool) && dtypes.Can(tensor.Int64, d):
		wide, err := converted(tensor.Int64, t)
		if err != nil {
			return err
		}
		values, _ := tensor.Values[int64](wide)
		e.packed = e.packed[:0]
		for _, v := range values {
			e.packed = binary.AppendUvarint(e.packed, uint64(v)) //nolint:gosec // the bits are meant
		}
		e.pack(e.packed)
		e.addList(name, int64List)
		return nil
	}
	return fmt.Errorf("values of type %s are not written", t.DType())
}

func converted(d tensor.DType, t tensor.Tensor) (tensor.Tensor, error) {
	dst, err := tensor.New(d, int64(t.Len()))
	if err != nil {
		return dst, err
	}
	if bad := dtypes.Convert(dst, t); bad >= 0 {
		return dst, fmt.Errorf("%s", dtypes.Reason(d, t, bad))
	}
	return dst, nil
}

// pack makes the list's message out of packed values.
func (e *exampleEncoder) pack(values []byte) {
	if len(values) > 0 {
		e.list = binary.AppendUvarint(appendTag(e.list, 1, wireBytes), uint64(len(values)))
		e.list = append(e.list, values...)
	}
}

// addList adds an entry of the map of features: the name, and a feature with e.list.
func (e *exampleEncoder) addList(name string, k kind) {
	e.feature = binary.AppendUvarint(appendTag(e.feature[:0], uint64(k), wireBytes), uint64(len(e.list)))
	head := len(e.feature)
	size := 1 + uvarintLen(len(name)) + len(name) + 1 + uvarintLen(head+len(e.list)) + head + len(e.list)
	b := binary.AppendUvarint(appendTag(e.features, 1, wireBytes), uint64(size)) //nolint:gosec // a length is not negative
	b = append(binary.AppendUvarint(appendTag(b, 1, wireBytes), uint64(len(name))), name...)
	b = binary.AppendUvarint(appendTag(b, 2, wireBytes), uint64(head+len(e.list))) //nolint:gosec // see above
	e.features = append(append(b, e.feature...), e.list...)
}

func uvarintLen(n int) int {
	var b [binary.MaxVarintLen64]byte
	return binary.PutUvarint(b[:], uint64(n)) //nolint:gosec // a length is not negative
}

// appendTo appends the Example to dst, and begins a new one.
func (e *exampleEncoder) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(appendTag(dst, 1, wireBytes), uint64(len(e.features)))
	dst = append(dst, e.features...)
	e.features = e.features[:0]
	return dst
}

// WriterOptions says how rows are written.
type WriterOptions struct {
	// Names are the names of the components' features, in the order of the spec; nil: their paths.
	Names []string
	// Keep lists the keys of [dataset.Element.Extra] that become features: integers and booleans of
	// type int64, other numbers float32, and other values bytes.
	Keep []string
}

// Writer writes rows as records of tf.train.Example, with a feature for each component, named by
// its path. For the features' types see [AppendExample].
type Writer struct {
	w       io.Writer
	comps   []dataset.Component
	names   []string
	keep    []string
	enc     exampleEncoder
	example []byte
	buf     []byte
	err     error
}

// NewWriter returns a writer to w. It must be closed, which does not close w.
func NewWriter(w io.Writer, spec dataset.Spec, o WriterOptions) (*Writer, error) {
	names, err := columns.Names(spec, o.Names, o.Keep)
	if err != nil {
		return nil, fmt.Errorf("write tfrecord: %w", err)
	}
	out := &Writer{w: w, comps: spec.Flatten(), names: names, keep: o.Keep}
	for i, c := range out.comps {
		switch {
		case c.Ragged && c.RaggedRank > 0:
			return nil, fmt.Errorf("write tfrecord: %q: a feature does not hold lists of unequal lengths", names[i])
		case c.DType != tensor.String && (!dtypes.Can(c.DType, tensor.Int64) || c.DType.IsComplex()):
			return nil, fmt.Errorf("write tfrecord: %q: values of type %s are not written", names[i], c.DType)
		}
	}
	return out, nil
}

// Write writes a row. An error of the underlying writer is final.
func (w *Writer) Write(e dataset.Element) error {
	if w.err != nil {
		return w.err
	}
	if err := columns.CheckRow(w.comps, e); err != nil {
		return fmt.Errorf("write tfrecord: %w", err)
	}
	w.enc.features = w.enc.features[:0]
	for i, t := range e.Tensors {
		if err := w.enc.add(w.names[i], t); err != nil {
			return fmt.Errorf("write tfrecord: row %d: feature %q: %w", e.Row, w.names[i], err)
		}
	}
	for k, key := range w.keep {
		if t, ok := keptValue(columns.Extra(e, k, key)); ok {
			if err := w.enc.add(key, t); err != nil {
				return fmt.Errorf("write tfrecord: row %d: feature %q: %w", e.Row, key, err)
			}
		}
	}
	w.example = w.enc.appendTo(w.example[:0])
	w.buf = appendRecord(w.buf, w.example)
	if len(w.buf) >= recordBuffer {
		return w.Flush()
	}
	return nil
}

// Flush writes the records that are collected.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
		w.buf = w.buf[:0]
	}
	return w.err
}

// Close flushes.
func (w *Writer) Close() error { return w.Flush() }
