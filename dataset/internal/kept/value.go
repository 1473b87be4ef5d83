package kept

import "encoding/binary"

// lengthBytes is what stands before the value of a part: its length plus one, 0 for null.
const lengthBytes = 4

// Begin appends the place of a part's length. Its value follows, then [End].
func Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// End notes that the value of the part whose length stands at the given place ends here.
func End(dst []byte, at int) {
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-lengthBytes+1)) //nolint:gosec // rows are far smaller
}

// AppendPart appends a value as a part of another one.
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

// Next returns the first part of a value, nil for null, and the parts after it. Where they are no
// parts it returns none.
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
