package partfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/arrow"
	"github.com/tfrun/tfrun/tensor"
)

// rowCodec writes and reads the rows of a table in a form of its own, each behind its length.
// Numbers without a type are varints.
//
//	row: length, then row number, 1 (0: it has no values), components,
//		a field for each kept column
//	component: for each row splits: count, values; rank, sizes,
//		then the values, strings each behind its length
//	field: 0 where there is none, else 1, its type, and the value
//	type: 0: none; 1: that of the row before; 2: the type follows, as Arrow has it, behind its
//		length
//	value: 0 where it is null, else one more than the length, and the bytes
type rowCodec struct {
	comps []dataset.Component
	keep  []string
	types []dataset.FieldType // of kept columns, in the row before
	body  []byte
}

func newRowCodec(spec dataset.Spec, keep []string) rowCodec {
	return rowCodec{comps: spec.Flatten(), keep: keep, types: make([]dataset.FieldType, len(keep))}
}

// restart forgets the types of the rows before.
func (c *rowCodec) restart() { clear(c.types) }

// append adds a row to b.
func (c *rowCodec) append(b []byte, e dataset.Element) ([]byte, error) {
	body := binary.AppendVarint(c.body[:0], e.Row)
	if e.Tensors == nil {
		body = append(body, 0)
	} else {
		body = append(body, 1)
		for i, t := range e.Tensors {
			if c.comps[i].Ragged {
				for _, s := range e.Splits[i] {
					body = append(binary.AppendUvarint(body, uint64(s.Len())), s.Bytes()...) //nolint:gosec // a length is not negative
				}
			}
			body = appendTensor(body, t)
		}
	}
	for k, key := range c.keep {
		i := k // a row mostly has them in this order
		if i >= len(e.Extra) || e.Extra[i].Key != key {
			i = slices.IndexFunc(e.Extra, func(f dataset.Field) bool { return f.Key == key })
		}
		if i < 0 {
			body = append(body, 0)
			continue
		}
		var err error
		if body, err = c.appendField(append(body, 1), k, e.Extra[i]); err != nil {
			return b, err
		}
	}
	c.body = body
	return append(binary.AppendUvarint(b, uint64(len(body))), body...), nil
}

// appendField appends the type and the value of kept column k.
func (c *rowCodec) appendField(b []byte, k int, f dataset.Field) ([]byte, error) {
	switch f.Type {
	case nil:
		b = append(b, 0)
	case c.types[k]:
		b = append(b, 1)
	default:
		text, err := arrow.MarshalType(f.Type)
		if err != nil {
			return b, fmt.Errorf("kept column %q: %w", f.Key, err)
		}
		c.types[k] = f.Type
		b = append(binary.AppendUvarint(append(b, 2), uint64(len(text))), text...)
	}
	if f.Value == nil {
		return append(b, 0), nil
	}
	return append(binary.AppendUvarint(b, uint64(len(f.Value)+1)), f.Value...), nil //nolint:gosec // a length is not negative
}

func appendTensor(b []byte, t tensor.Tensor) []byte {
	dims := t.Dims()
	b = binary.AppendUvarint(b, uint64(len(dims)))
	for _, d := range dims {
		b = binary.AppendUvarint(b, uint64(d)) //nolint:gosec // a size is not negative
	}
	if t.DType() != tensor.String {
		return append(b, t.Bytes()...)
	}
	for _, s := range t.Strings() {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// errRow says that bytes do not encode a row.
var errRow = errors.New("not a row")

// read returns the next row, or io.EOF. The row stays valid.
func (c *rowCodec) read(r *bufio.Reader) (e dataset.Element, err error) {
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return e, err
	}
	const most = 1 << 40
	if size > most {
		return e, errRow
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(size)))
	if err != nil {
		return e, err
	}
	if uint64(len(body)) != size {
		return e, errRow
	}
	in := &rowBytes{b: body}
	e.Row = in.varint()
	if in.byte() == 1 {
		e.Tensors = make([]tensor.Tensor, len(c.comps))
		for i, comp := range c.comps {
			if comp.Ragged {
				if e.Splits == nil {
					e.Splits = make([][]tensor.Tensor, len(c.comps))
				}
				for range comp.RaggedRank {
					e.Splits[i] = append(e.Splits[i], in.values(comp.SplitsDType, []int64{in.count()}))
				}
			}
			e.Tensors[i] = in.tensor(comp.DType)
		}
	}
	for k, key := range c.keep {
		if in.byte() == 1 {
			e.Extra = append(e.Extra, c.readField(in, k, key))
		}
	}
	if in.bad || len(in.b) > 0 {
		return e, errRow
	}
	return e, nil
}

// readField reads the type and the value of kept column k.
func (c *rowCodec) readField(in *rowBytes, k int, key string) dataset.Field {
	f := dataset.Field{Key: key}
	switch in.byte() {
	case 1:
		f.Type = c.types[k]
	case 2:
		t, err := arrow.UnmarshalType(in.take(in.count()))
		in.bad = in.bad || err != nil
		c.types[k], f.Type = t, t
	}
	if n := in.count(); n > 0 {
		f.Value = in.take(n - 1)
	}
	return f
}

// rowBytes reads the parts of a row. Once a part is missing it returns zeros, and bad is set.
type rowBytes struct {
	b   []byte
	bad bool
}

func (r *rowBytes) take(n int64) []byte {
	if r.bad || n < 0 || n > int64(len(r.b)) {
		r.bad = true
		return nil
	}
	part := r.b[:n:n]
	r.b = r.b[n:]
	return part
}

func (r *rowBytes) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *rowBytes) varint() int64 {
	v, n := binary.Varint(r.b)
	r.take(int64(max(n, 0)))
	r.bad = r.bad || n <= 0
	return v
}

// count reads the number of things of which each takes at least a byte.
func (r *rowBytes) count() int64 {
	v, n := binary.Uvarint(r.b)
	r.take(int64(max(n, 0)))
	if n <= 0 || v > 1<<40 {
		r.bad = true
		return 0
	}
	return int64(v)
}

func (r *rowBytes) tensor(d tensor.DType) tensor.Tensor {
	rank := r.count()
	if rank > int64(len(r.b)) {
		r.bad = true
		return tensor.Tensor{}
	}
	dims := make([]int64, rank)
	for i := range dims {
		dims[i] = r.count()
	}
	return r.values(d, dims)
}

// values reads the values of a tensor.
func (r *rowBytes) values(d tensor.DType, dims []int64) tensor.Tensor {
	n, ok := tensor.NumElements(dims)
	if !ok || r.bad {
		r.bad = true
		return tensor.Tensor{}
	}
	var t tensor.Tensor
	var err error
	if d == tensor.String {
		if n > int64(len(r.b)) {
			r.bad = true
			return t
		}
		values := make([]string, n)
		for i := range values {
			values[i] = string(r.take(r.count()))
		}
		t, err = tensor.ShareSlice(values, dims)
	} else {
		size := int64(d.Size())
		if n > int64(len(r.b))/max(size, 1) {
			r.bad = true
			return t
		}
		if t, err = tensor.New(d, dims...); err == nil {
			copy(t.Bytes(), r.take(n*size))
		}
	}
	r.bad = r.bad || err != nil
	return t
}
