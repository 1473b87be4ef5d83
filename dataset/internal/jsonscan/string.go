package jsonscan

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrOpenString says that a string does not end within the text.
var ErrOpenString = errors.New("a string without an end")

// Str reads a string and returns its bytes, valid until the next call.
func (s *Scanner) Str() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, fmt.Errorf("want a string, got %s", s.Found())
	}
	s.I++
	start := s.I
	for i := start; i < len(s.B); i++ {
		switch c := s.B[i]; {
		case c == '"':
			s.I = i + 1
			return s.B[start:i], nil
		case c == '\\':
			s.text = append(s.text[:0], s.B[start:i]...)
			s.I = i
			return s.escaped()
		case c < ' ':
			return nil, fmt.Errorf("a control character (%#02x) in a string", c)
		}
	}
	s.I = len(s.B)
	return nil, ErrOpenString
}

// escaped reads the rest of a string from its first backslash on.
func (s *Scanner) escaped() ([]byte, error) {
	for s.I < len(s.B) {
		c := s.B[s.I]
		s.I++
		switch {
		case c == '"':
			return s.text, nil
		case c < ' ':
			return nil, fmt.Errorf("a control character (%#02x) in a string", c)
		case c != '\\':
			s.text = append(s.text, c)
			continue
		}
		if err := s.escape(); err != nil {
			return nil, err
		}
	}
	return nil, ErrOpenString
}

// escape reads what follows a backslash.
func (s *Scanner) escape() error {
	if s.I == len(s.B) {
		return ErrOpenString
	}
	c := s.B[s.I]
	s.I++
	switch c {
	case '"', '\\', '/':
		s.text = append(s.text, c)
	case 'b':
		s.text = append(s.text, '\b')
	case 'f':
		s.text = append(s.text, '\f')
	case 'n':
		s.text = append(s.text, '\n')
	case 'r':
		s.text = append(s.text, '\r')
	case 't':
		s.text = append(s.text, '\t')
	case 'u':
		r, err := s.hex4()
		if err != nil {
			return err
		}
		if utf16.IsSurrogate(r) {
			if !s.literal(`\u`) {
				return fmt.Errorf(`half a surrogate pair (\u%04x) in a string`, r)
			}
			low, err := s.hex4()
			if err != nil {
				return err
			}
			pair := utf16.DecodeRune(r, low)
			if pair == utf8.RuneError {
				return fmt.Errorf(`half a surrogate pair (\u%04x) in a string`, r)
			}
			r = pair
		}
		s.text = utf8.AppendRune(s.text, r)
	default:
		return fmt.Errorf(`an unknown escape (\%c) in a string`, c)
	}
	return nil
}

func (s *Scanner) hex4() (rune, error) {
	if s.I+4 > len(s.B) {
		return 0, fmt.Errorf(`a \u escape without four hex digits`)
	}
	var r rune
	for _, c := range s.B[s.I : s.I+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, fmt.Errorf(`a \u escape without four hex digits`)
		}
	}
	s.I += 4
	return r, nil
}

// bytesValue reads a string, or an object {"b64": "…"}, which stands for bytes. The returned bytes
// are valid until the next call.
func (s *Scanner) bytesValue() ([]byte, error) {
	if s.Peek() != '{' {
		return s.Str()
	}
	s.I++
	key, err := s.Str()
	if err != nil || string(key) != "b64" {
		return nil, fmt.Errorf(`want a string or {"b64": "…"}, got another object`)
	}
	if err := s.expect(':'); err != nil {
		return nil, err
	}
	text, err := s.Str()
	if err != nil {
		return nil, err
	}
	enc := base64.StdEncoding
	if len(text)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	out, err := enc.AppendDecode(nil, text)
	if err != nil {
		return nil, fmt.Errorf("base64: %w", err)
	}
	return out, s.expect('}')
}
