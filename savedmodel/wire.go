package savedmodel

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// A field is one field of a serialized protobuf message.
type field struct {
	num  protowire.Number
	typ  protowire.Type
	data []byte // the bytes of a length-delimited field
	n    uint64 // the value of a varint or fixed-size field
	off  int    // where the field begins, in bytes from the start of its message
}

// errCut says that a message ends in the middle of a field.
var errCut = errors.New("cut off")

// wireError says at which byte of a message the wire format ends to make sense.
type wireError struct {
	off int
	err error
}

func (e *wireError) Error() string { return fmt.Sprintf("byte %d: %v", e.off, e.err) }
func (e *wireError) Unwrap() error { return e.err }

// eachField calls f with every field of the message b, in order, without copying. It stops at the
// first error, f's own or a *wireError. It does not descend into messages, so it cannot be made to
// recurse.
func eachField(b []byte, f func(field) error) error {
	for off := 0; off < len(b); {
		num, typ, n := protowire.ConsumeTag(b[off:])
		if n < 0 {
			return wireFault(off, n)
		}
		fd := field{num: num, typ: typ, off: off}
		rest := b[off+n:]
		var m int
		switch typ {
		case protowire.VarintType:
			fd.n, m = protowire.ConsumeVarint(rest)
		case protowire.BytesType:
			fd.data, m = protowire.ConsumeBytes(rest)
		case protowire.Fixed32Type:
			var v uint32
			v, m = protowire.ConsumeFixed32(rest)
			fd.n = uint64(v)
		case protowire.Fixed64Type:
			fd.n, m = protowire.ConsumeFixed64(rest)
		default: // groups: no message of TensorFlow has one
			return &wireError{off, errors.New("a group, which no TensorFlow message has")}
		}
		if m < 0 {
			return wireFault(off, m)
		}
		if err := f(fd); err != nil {
			return err
		}
		off += n + m
	}
	return nil
}

// wireFault turns protowire's negative length into an error.
func wireFault(off, code int) error {
	err := protowire.ParseError(code)
	if errors.Is(err, protowire.ParseError(-1)) { // errCodeTruncated
		err = errCut
	}
	return &wireError{off, err}
}

// stringField returns the last value of the length-delimited field num as a string, as protobuf
// does.
func stringField(b []byte, num protowire.Number) (s string, err error) {
	err = eachField(b, func(f field) error {
		if f.num == num && f.typ == protowire.BytesType {
			s = string(f.data)
		}
		return nil
	})
	return s, err
}
