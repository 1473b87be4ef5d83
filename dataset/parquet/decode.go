package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/encoding"

	"github.com/tfrun/tfrun/tensor"
)

// decode makes values of the page.
func (r *reader) decode() error {
	if r.code == none {
		return r.levels()
	}
	values := r.page.Data()
	dict := r.page.Dictionary()
	if dict != nil {
		if dict != r.dict {
			page := dict.Page()
			if err := r.values(page.Data(), int(page.NumValues())); err != nil {
				return fmt.Errorf("dictionary: %w", err)
			}
			r.dict, r.dictData, r.dictStrs = dict, r.data, slices.Clone(r.strs)
			if r.code == bitmap {
				// the others are the dictionary's own memory, or new
				r.dictData = slices.Clone(r.data)
			}
		}
		if err := r.lookup(values.Int32()); err != nil {
			return err
		}
	} else {
		n := int(r.page.NumValues())
		if def := r.page.DefinitionLevels(); len(def) > 0 {
			n = bytes.Count(def, []byte{byte(r.max)})
		}
		if err := r.values(values, n); err != nil {
			return err
		}
	}
	return r.levels()
}

// levels takes the page's levels, which must agree with its values.
func (r *reader) levels() error {
	r.def, r.rep = r.page.DefinitionLevels(), r.page.RepetitionLevels()
	if r.max == 0 {
		r.def, r.rep = nil, nil
		return nil
	}
	if len(r.def) == 0 && r.count() > 0 {
		return errors.New("a page without definition levels")
	}
	n := bytes.Count(r.def, []byte{byte(r.max)})
	if n != r.count() || len(r.lists) > 0 && len(r.rep) != len(r.def) {
		return fmt.Errorf("a page of %d values has %d of them, and %d and %d levels", n, r.count(), len(r.def), len(r.rep))
	}
	if len(r.lists) == 0 && n == len(r.def) {
		r.def = nil // no value is null
	}
	return nil
}

// lookup makes values of indices of the dictionary.
func (r *reader) lookup(indices []int32) error {
	if r.DType == tensor.String {
		r.strings = slices.Grow(r.strings[:0], len(indices))[:len(indices)]
		for i, k := range indices {
			if uint32(k) >= uint32(len(r.dictStrs)) { //nolint:gosec // a negative index is a large one
				return errIndex
			}
			r.strings[i] = r.dictStrs[k]
		}
		r.strs = r.strings
		return nil
	}
	size := r.DType.Size()
	n := uint32(len(r.dictData) / size) //nolint:gosec // pages hold fewer
	r.scratch = slices.Grow(r.scratch[:0], len(indices)*size)[:len(indices)*size]
	r.data = r.scratch
	switch size {
	case 4:
		dict, dst := r.dictData, r.scratch
		for _, k := range indices {
			if uint32(k) >= n { //nolint:gosec // a negative index is a large one
				return errIndex
			}
			at := 4 * int(uint32(k))
			binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(dict[at:at+4]))
			dst = dst[4:]
		}
	case 8:
		for i, k := range indices {
			if uint32(k) >= n { //nolint:gosec // see above
				return errIndex
			}
			binary.LittleEndian.PutUint64(r.scratch[8*i:], binary.LittleEndian.Uint64(r.dictData[8*k:]))
		}
	default:
		for i, k := range indices {
			if uint32(k) >= n { //nolint:gosec // see above
				return errIndex
			}
			copy(r.scratch[i*size:(i+1)*size], r.dictData[int(k)*size:])
		}
	}
	return nil
}

var errIndex = errors.New("an index beyond the dictionary")

// values makes the first n values of a page, or of a dictionary, what tensors hold.
func (r *reader) values(v encoding.Values, n int) error {
	var err error
	switch r.code {
	case bitmap:
		bits := v.Boolean()
		if n > 8*len(bits) {
			return errShort
		}
		r.scratch = slices.Grow(r.scratch[:0], n)[:n]
		for i := range n {
			r.scratch[i] = bits[i/8] >> (i % 8) & 1
		}
		r.data = r.scratch
	case text:
		r.strings, err = byteArrays(v, n, r.strings[:0])
		r.strs = r.strings
	case fixed:
		data, size := v.FixedLenByteArray()
		if size <= 0 || n > len(data)/size {
			return errShort
		}
		all := string(data[:n*size])
		r.strings = r.strings[:0]
		for i := range n {
			r.strings = append(r.strings, all[i*size:(i+1)*size])
		}
		r.strs = r.strings
	case decimal:
		err = r.decimals(v, n)
	default:
		r.data, err = numbers(v, n)
	}
	return err
}

var errShort = errors.New("a page with fewer values than it says")

// numbers returns the memory of n values of a plain type.
func numbers(v encoding.Values, n int) ([]byte, error) {
	var b []byte
	size := 4
	switch v.Kind() {
	case encoding.Int32:
		b = tensor.Vector(v.Int32()...).Bytes()
	case encoding.Int64:
		b, size = tensor.Vector(v.Int64()...).Bytes(), 8
	case encoding.Float:
		b = tensor.Vector(v.Float()...).Bytes()
	case encoding.Double:
		b, size = tensor.Vector(v.Double()...).Bytes(), 8
	case encoding.FixedLenByteArray:
		b, size = v.FixedLenByteArray()
	default:
		return nil, fmt.Errorf("values of kind %v", v.Kind())
	}
	if n*size > len(b) {
		return nil, errShort
	}
	return b[:n*size], nil
}

// byteArrays appends n strings. They share the memory of one.
func byteArrays(v encoding.Values, n int, dst []string) ([]string, error) {
	data, offsets := v.ByteArray()
	if n == 0 {
		return dst, nil
	}
	if len(offsets) < n+1 {
		return nil, errShort
	}
	all := string(data)
	for i := range n {
		lo, hi := offsets[i], offsets[i+1]
		if lo > hi || int64(hi) > int64(len(all)) {
			return nil, errShort
		}
		dst = append(dst, all[lo:hi])
	}
	return dst, nil
}
