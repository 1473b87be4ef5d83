package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Order returns the byte order of text in UTF-16, from the mark that Excel and pandas write
// before it; nil if there is no mark.
func utf16Order(head []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return binary.LittleEndian
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return binary.BigEndian
	}
	return nil
}

// marked reads text as UTF-8. It decodes UTF-16 if the text begins with its mark.
type marked struct {
	r     io.Reader
	begun bool
}

// Read looks for the mark first. It waits for a second byte only if the first may belong to a mark,
// since rows may come slowly.
func (m *marked) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.begun || n == 0 || len(p) == 0 {
		return n, err
	}
	m.begun = true
	if p[0] < 0xfe {
		return n, err
	}
	head := append([]byte{}, p[:n]...)
	if n == 1 {
		var second [1]byte
		if n, err = io.ReadFull(m.r, second[:]); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		head = append(head, second[:n]...)
	}
	if order := utf16Order(head); order != nil {
		m.r = &utf16Reader{r: io.MultiReader(bytes.NewReader(head[2:]), m.r), order: order, at: 2}
	} else {
		m.r = io.MultiReader(bytes.NewReader(head), m.r)
	}
	return m.r.Read(p)
}

// utf16Reader reads UTF-16 after the mark as UTF-8.
type utf16Reader struct {
	r     io.Reader
	order binary.ByteOrder
	at    int64 // place of the next byte to read from in
	buf   [32 << 10]byte
	in    int    // bytes of an incomplete character at the beginning of buf
	out   []byte // decoded text that was not read yet
	text  []byte // memory of out
	err   error
}

// Read reads and decodes.
func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		n, err := u.r.Read(u.buf[u.in:])
		u.decode(u.buf[:u.in+n])
		switch {
		case u.err != nil:
		case errors.Is(err, io.EOF) && u.in > 0:
			u.err = errors.New("the text in UTF-16 is cut off")
		default:
			u.err = err
		}
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

// decode decodes all whole characters of b, and keeps the bytes of an incomplete one.
func (u *utf16Reader) decode(b []byte) {
	u.text = u.text[:0]
	for len(b) >= 2 {
		c, size := rune(u.order.Uint16(b)), 2
		if utf16.IsSurrogate(c) {
			if len(b) < 4 && c < 0xdc00 {
				break
			}
			size = 4
			if c >= 0xdc00 {
				c = utf8.RuneError
			} else {
				c = utf16.DecodeRune(c, rune(u.order.Uint16(b[2:])))
			}
			if c == utf8.RuneError {
				u.err = fmt.Errorf("half a surrogate pair stands alone at byte %d of the text in UTF-16", u.at)
				break
			}
		}
		u.text = utf8.AppendRune(u.text, c)
		u.at += int64(size)
		b = b[size:]
	}
	u.out, u.in = u.text, copy(u.buf[:], b)
}
