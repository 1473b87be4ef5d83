package tfrecord

import (
	"encoding/binary"
	"errors"
	"math"
)

// Wire types of protocol buffers that the messages of example.proto use.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errWire = errors.New("not a tf.train.Example: a field is cut off or of a wrong type")

// uvarint reads a varint and returns the bytes after it.
func uvarint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), b[1:], true
	}
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// field reads the next field of a message. data is the contents of a field of bytes, or the
// encoding of any other field.
func field(b []byte) (number uint64, wire byte, data, rest []byte, ok bool) {
	tag, b, ok := uvarint(b)
	if !ok {
		return 0, 0, nil, nil, false
	}
	number, wire = tag>>3, byte(tag&7)
	n := uint64(0)
	switch wire {
	case wireVarint:
		_, after, ok := uvarint(b)
		return number, wire, b[:len(b)-len(after)], after, ok && number > 0
	case wire64:
		n = 8
	case wire32:
		n = 4
	case wireBytes:
		if n, b, ok = uvarint(b); !ok {
			return 0, 0, nil, nil, false
		}
	default:
		return 0, 0, nil, nil, false
	}
	if n > uint64(len(b)) || number == 0 {
		return 0, 0, nil, nil, false
	}
	return number, wire, b[:n], b[n:], true
}

// eachField calls f with the fields of a message. example.proto has fields that are messages,
// strings or packed lists, and single values of lists, whose wire type tells.
func eachField(b []byte, f func(number uint64, wire byte, data []byte) error) error {
	for len(b) > 0 {
		number, wire, data, rest, ok := field(b)
		if !ok {
			return errWire
		}
		if err := f(number, wire, data); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// kind is the type of a feature's values, by its field number in Feature.
type kind uint8

const (
	noValues kind = iota
	bytesList
	floatList
	int64List
)

func (k kind) String() string {
	return [...]string{"no values", "a list of bytes", "a list of floats", "a list of int64"}[k]
}

// feature reads a Feature: the kind of its list, and the list's message. If there are several kinds
// the last one counts, as for any oneof.
func feature(b []byte) (k kind, list []byte, err error) {
	err = eachField(b, func(number uint64, wire byte, data []byte) error {
		if number >= 1 && number <= 3 {
			if wire != wireBytes {
				return errWire
			}
			k, list = kind(number), data
		}
		return nil
	})
	return k, list, err
}

// entry reads an entry of a map: key = 1, value = 2.
func entry(b []byte) (key, value []byte, err error) {
	err = eachField(b, func(number uint64, wire byte, data []byte) error {
		if number > 2 {
			return nil
		}
		if wire != wireBytes {
			return errWire
		}
		if number == 1 {
			key = data
		} else {
			value = data
		}
		return nil
	})
	return key, value, err
}

// appendFloats appends the values of a FloatList.
func appendFloats(dst []float32, list []byte) ([]float32, error) {
	err := eachField(list, func(number uint64, wire byte, data []byte) error {
		if number != 1 {
			return nil
		}
		if wire != wireBytes && wire != wire32 || len(data)%4 != 0 {
			return errWire
		}
		for i := 0; i+4 <= len(data); i += 4 {
			dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(data[i:])))
		}
		return nil
	})
	return dst, err
}

// appendInts appends the values of an Int64List.
func appendInts(dst []int64, list []byte) ([]int64, error) {
	err := eachField(list, func(number uint64, wire byte, data []byte) error {
		if number != 1 {
			return nil
		}
		if wire != wireBytes && wire != wireVarint {
			return errWire
		}
		for len(data) > 0 {
			v, rest, ok := uvarint(data)
			if !ok {
				return errWire
			}
			dst, data = append(dst, int64(v)), rest //nolint:gosec // the bits are meant
		}
		return nil
	})
	return dst, err
}

// appendStrings appends the values of a BytesList.
func appendStrings(dst [][]byte, list []byte) ([][]byte, error) {
	err := eachField(list, func(number uint64, wire byte, data []byte) error {
		if number != 1 {
			return nil
		}
		if wire != wireBytes {
			return errWire
		}
		dst = append(dst, data)
		return nil
	})
	return dst, err
}

// appendTag appends a field's number and wire type.
func appendTag(dst []byte, number uint64, wire byte) []byte {
	return binary.AppendUvarint(dst, number<<3|uint64(wire))
}
