package kept

import "encoding/binary"

// lengthBytes is the size of a part's length, which stands before it: its length plus one, 0 for
// null.
const lengthBytes = 4

// Begin appends room for a part's length. The part's value is appended next, then [End] is called.
func Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// End sets the length of the part that [Begin] began at place at.
func End(dst []byte, at int) {
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-lengthBytes+1)) //nolint:gosec // rows are far smaller
}

// AppendPart appends a value, nil for null, as a part of another value.
func AppendPart(dst, value []byte) []byte {
	at := len(dst)
	dst = Begin(dst)
	if value == nil {
		return dst
	}
	dst = append(dst, value...)
	End(dst, at)
	return dst
}

// Next returns the first part of a value, nil for null, and the parts after it. It returns none
// where value is not a sequence of parts.
func Next(value []byte) (part, rest []byte) {
	if len(value) < lengthBytes {
		return nil, nil
	}
	n := int64(binary.LittleEndian.Uint32(value)) - 1
	value = value[lengthBytes:]
	if n < 0 {
		return nil, value
	}
	n = min(n, int64(len(value)))
	return value[:n:n], value[n:]
}
