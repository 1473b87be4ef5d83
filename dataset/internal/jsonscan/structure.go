package jsonscan

import "fmt"

// Skip reads a value of any kind.
func (s *Scanner) Skip(depth int) error {
	if depth > s.MaxDepth {
		return ErrTooDeep
	}
	switch s.Peek() {
	case '"':
		_, err := s.Str()
		return err
	case '[':
		_, err := s.List(func() error { return s.Skip(depth + 1) })
		return err
	case '{':
		return s.Object(func([]byte) error { return s.Skip(depth + 1) })
	case 't':
		if s.literal("true") {
			return nil
		}
	case 'f':
		if s.literal("false") {
			return nil
		}
	case 'n':
		if s.literal("null") {
			return nil
		}
	default:
		_, _, err := s.number()
		return err
	}
	return fmt.Errorf("want a value, got %q", s.B[s.I:min(len(s.B), s.I+8)])
}

// List reads an array, calling item at the start of each of its values, and returns their number.
func (s *Scanner) List(item func() error) (int64, error) {
	s.I++ // '['
	if s.Peek() == ']' {
		s.I++
		return 0, nil
	}
	for n := int64(1); ; n++ {
		if err := item(); err != nil {
			return n, err
		}
		more, err := s.More(']')
		if !more {
			return n, err
		}
	}
}

// More reads the comma after a value (true), or the bracket that ends the list (false).
func (s *Scanner) More(end byte) (bool, error) {
	switch s.Peek() {
	case ',':
		s.I++
		return true, nil
	case end:
		s.I++
		return false, nil
	}
	return false, fmt.Errorf("want ',' or %q, got %s", end, s.Found())
}

// Object reads an object, calling field with each key at the start of its value.
func (s *Scanner) Object(field func(key []byte) error) error {
	s.I++ // '{'
	if s.Peek() == '}' {
		s.I++
		return nil
	}
	for {
		key, err := s.Str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
		if more, err := s.More('}'); !more {
			return err
		}
	}
}
