// Package wire walks over serialized protobuf messages field by field, without decoding them.
package wire

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is one field of a serialized protobuf message.
type Field struct {
	Num    protowire.Number
	Type   protowire.Type
	Data   []byte // contents of a length-delimited field
	N      uint64 // value of a varint or fixed-size field
	Offset int    // place of the field in its message, in bytes
}

// ErrCut says that a message ends in the middle of a field.
var ErrCut = errors.New("cut off")

// Error says at which byte of a message the encoding is invalid.
type Error struct {
	Offset int
	err    error
}

// Error says where the message makes no sense, and why.
func (e *Error) Error() string { return fmt.Sprintf("byte %d: %v", e.Offset, e.err) }

// Unwrap returns the cause, such as [ErrCut].
func (e *Error) Unwrap() error { return e.err }

// Each calls f with every field of the message b, in order, without copying. It stops at the first
// error: f's own, or an *[Error]. It does not look into fields that are messages, so a hostile
// message cannot make it recurse.
func Each(b []byte, f func(Field) error) error {
	for off := 0; off < len(b); {
		num, typ, n := protowire.ConsumeTag(b[off:])
		if n < 0 {
			return fault(off, n)
		}
		fd := Field{Num: num, Type: typ, Offset: off}
		rest := b[off+n:]
		var m int
		switch typ {
		case protowire.VarintType:
			fd.N, m = protowire.ConsumeVarint(rest)
		case protowire.BytesType:
			fd.Data, m = protowire.ConsumeBytes(rest)
		case protowire.Fixed32Type:
			var v uint32
			v, m = protowire.ConsumeFixed32(rest)
			fd.N = uint64(v)
		case protowire.Fixed64Type:
			fd.N, m = protowire.ConsumeFixed64(rest)
		default: // groups: no message of TensorFlow has one
			return &Error{off, errors.New("a group, which no TensorFlow message has")}
		}
		if m < 0 {
			return fault(off, m)
		}
		if err := f(fd); err != nil {
			return err
		}
		off += n + m
	}
	return nil
}

// fault turns protowire's negative length into an error.
func fault(off, code int) error {
	err := protowire.ParseError(code)
	if errors.Is(err, protowire.ParseError(-1)) { // errCodeTruncated
		err = ErrCut
	}
	return &Error{off, err}
}

// String returns the string in the length-delimited field num. Of several such fields the last one
// counts, as in protobuf.
func String(b []byte, num protowire.Number) (s string, err error) {
	err = Each(b, func(f Field) error {
		if f.Num == num && f.Type == protowire.BytesType {
			s = string(f.Data)
		}
		return nil
	})
	return s, err
}

// EachRaw is [Each] whose f also gets the encoded field, tag included.
func EachRaw(b []byte, f func(fd Field, raw []byte) error) error {
	var last Field
	pending := false
	emit := func(end int) error {
		if !pending {
			return nil
		}
		return f(last, b[last.Offset:end])
	}
	err := Each(b, func(fd Field) error {
		if err := emit(fd.Offset); err != nil {
			return err
		}
		last, pending = fd, true
		return nil
	})
	if err != nil {
		return err
	}
	return emit(len(b))
}

// Append appends a length-delimited field.
func Append(b []byte, num protowire.Number, data []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), data)
}

// Field numbers of an entry of any map.
const (
	FieldMapKey   = 1
	FieldMapValue = 2
)

// Entry returns an encoded entry of a map whose keys are strings.
func Entry(key string, value []byte) []byte {
	return Append(Append(nil, FieldMapKey, []byte(key)), FieldMapValue, value)
}
