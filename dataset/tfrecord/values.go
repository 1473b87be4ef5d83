package tfrecord

import (
	"fmt"
	"slices"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// append stores the values of a feature.
func (j *job) append(target int, value []byte) (msg string) {
	k, list, err := feature(value)
	if err != nil {
		return err.Error()
	}
	s, dtype := &j.stores[target], j.p.comps[target].DType
	switch {
	case k == noValues:
		return ""
	case atLeast(k, list) > j.p.max:
		return fmt.Sprintf("more values than the limit of %d", j.p.max)
	case k == bytesList && dtype == tensor.String:
		if j.bytes, err = appendStrings(j.bytes[:0], list); err != nil {
			return err.Error()
		}
		for _, v := range j.bytes {
			s.putString(v)
		}
	case k == bytesList:
		return j.raw(target, list)
	case dtype == tensor.String:
		return "want strings, got " + k.String()
	case k == floatList:
		if j.floats, err = appendFloats(j.floats[:0], list); err != nil {
			return err.Error()
		}
		return j.convert(s, &j.p.comps[target], tensor.Vector(j.floats...))
	default:
		if j.ints, err = appendInts(j.ints[:0], list); err != nil {
			return err.Error()
		}
		return j.convert(s, &j.p.comps[target], tensor.Vector(j.ints...))
	}
	return ""
}

// atLeast returns a lower bound of the number of values in a list, at least half of it, so that no
// memory is taken for a list that exceeds the limit.
func atLeast(k kind, list []byte) int64 {
	switch k {
	case floatList:
		return int64(len(list)) / 5 // four bytes each, or five where they are not packed
	case int64List:
		ends := 0
		for _, b := range list {
			if b < 0x80 {
				ends++
			}
		}
		return int64(ends-2) / 2 // where they are not packed, each has a tag
	}
	n := int64(0)
	// What is wrong with the list is reported when it is read.
	_ = eachField(list, func(uint64, byte, []byte) error {
		n++
		return nil
	})
	return n
}

// raw stores values whose bytes are in one value of bytes, as tf.io.decode_raw reads them.
func (j *job) raw(target int, list []byte) (msg string) {
	var err error
	if j.bytes, err = appendStrings(j.bytes[:0], list); err != nil {
		return err.Error()
	}
	s, dtype := &j.stores[target], j.p.comps[target].DType
	size := dtype.Size()
	switch {
	case len(j.bytes) != 1:
		return fmt.Sprintf("want %s, or their bytes in one value, got %d values of bytes", dtypes.Want(dtype), len(j.bytes))
	case len(j.bytes[0])%size != 0:
		return fmt.Sprintf("want %s, got a value of %d bytes, which are no whole number of them", dtypes.Want(dtype), len(j.bytes[0]))
	}
	s.data = append(s.data, j.bytes[0]...)
	if dtype == tensor.Bool {
		for _, v := range j.bytes[0] {
			if v > 1 {
				return "want booleans, got other bytes"
			}
		}
	}
	return ""
}

// convert appends values as the component's dtype.
func (j *job) convert(s *store, comp *component, src tensor.Tensor) (msg string) {
	dtype := comp.DType
	from, n := len(s.data), src.Len()*dtype.Size()
	s.data = slices.Grow(s.data, n)[:from+n]
	dst, err := tensor.Share(dtype, s.data[from:], src.Dims())
	if err != nil {
		return err.Error()
	}
	if bad := dtypes.ConvertOr(dst, src, comp.fill); bad >= 0 {
		return dtypes.Reason(dtype, src, bad)
	}
	return ""
}
