package jsonscan

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/tfrun/tfrun/dataset/internal/dtypes"
	"github.com/tfrun/tfrun/tensor"
)

// Sink collects the values of one component from JSON.
type Sink interface {
	// Scalar reads one value.
	Scalar(s *Scanner) error
	// Values reads values up to the bracket that ends the list, at most limit of them, from the
	// first one on, and returns their number.
	Values(s *Scanner, limit int64) (int64, error)
	// IsScalar reports whether the array that comes next is a single value, as [re, im] is a
	// complex number.
	IsScalar(s *Scanner) bool
	// Null adds the value that takes the place of null, and reports false if there is none.
	Null() bool
	// Arrange puts the values, of which value i was read for places[i], into the order of their
	// places.
	Arrange(places []int)
	// Want describes the values for error messages: "numbers".
	Want() string
	Len() int64
	Reset()
	// Tensor returns the values as a tensor of the given sizes, in the arena's memory.
	Tensor(dims []int64, a *Arena) tensor.Tensor
}

// NewSink returns the sink for a dtype. fill takes the place of nulls; with the zero Tensor a null
// is refused.
func NewSink(d tensor.DType, fill tensor.Tensor) (Sink, error) {
	switch d {
	case tensor.Int8:
		return newIntSink[int8](fill), nil
	case tensor.Int16:
		return newIntSink[int16](fill), nil
	case tensor.Int32:
		return newIntSink[int32](fill), nil
	case tensor.Int64:
		return newIntSink[int64](fill), nil
	case tensor.Uint8:
		return newIntSink[uint8](fill), nil
	case tensor.Uint16:
		return newIntSink[uint16](fill), nil
	case tensor.Uint32:
		return newIntSink[uint32](fill), nil
	case tensor.Uint64:
		return newIntSink[uint64](fill), nil
	case tensor.Float32:
		return newFloatSink(fill, 32, func(v float64) (float32, bool) { return float32(v), true }), nil
	case tensor.Float64:
		return newFloatSink(fill, 64, func(v float64) (float64, bool) { return v, true }), nil
	case tensor.Float16:
		return newFloatSink(fill, 64, dtypes.Float16), nil
	case tensor.Bfloat16:
		return newFloatSink(fill, 64, dtypes.Bfloat16), nil
	case tensor.Complex64:
		return newComplexSink(fill, 32, func(re, im float64) complex64 { return complex(float32(re), float32(im)) }), nil
	case tensor.Complex128:
		return newComplexSink(fill, 64, func(re, im float64) complex128 { return complex(re, im) }), nil
	case tensor.Bool:
		return newBoolSink(fill), nil
	case tensor.String:
		return newStringSink(fill), nil
	}
	return nil, fmt.Errorf("values of type %v are not read from JSON", d)
}

// column is the part that all sinks share: the values that were read.
type column[T tensor.Value] struct {
	vals []T
	name string // of one value: "a number"
	many string // of several: "numbers"
	read func(s *Scanner) (T, error)
	fill []T // empty, or the one value that takes the place of nulls
}

// newColumn returns a column without its read function, which the caller sets.
func newColumn[T tensor.Value](name, many string, fill tensor.Tensor) column[T] {
	c := column[T]{name: name, many: many}
	c.fill, _ = tensor.Values[T](fill)
	return c
}

func (c *column[T]) Want() string           { return c.many }
func (c *column[T]) Len() int64             { return int64(len(c.vals)) }
func (c *column[T]) Reset()                 { c.vals = c.vals[:0] }
func (c *column[T]) IsScalar(*Scanner) bool { return false }

func (c *column[T]) Null() bool {
	c.vals = append(c.vals, c.fill...)
	return len(c.fill) > 0
}

func (c *column[T]) Scalar(s *Scanner) error {
	if len(c.fill) > 0 && s.Peek() == 'n' && s.literal("null") {
		c.Null()
		return nil
	}
	v, err := c.read(s)
	if err == nil {
		c.vals = append(c.vals, v)
	}
	return err
}

func (c *column[T]) Arrange(places []int) {
	vals := make([]T, len(c.vals))
	for i, at := range places {
		vals[at] = c.vals[i]
	}
	copy(c.vals, vals)
}

func (c *column[T]) Values(s *Scanner, limit int64) (int64, error) {
	for n := int64(1); ; n++ {
		if int64(len(c.vals)) >= limit {
			return n, ErrTooMany
		}
		if err := c.Scalar(s); err != nil {
			return n, err
		}
		if more, err := s.More(']'); !more {
			return n, err
		}
	}
}

// ErrTooMany is returned by Values for more values than its limit.
var ErrTooMany = errors.New("too many values")

func (c *column[T]) Tensor(dims []int64, a *Arena) tensor.Tensor {
	return a.own(must(tensor.ShareSlice(c.vals, a.ownDims(dims))))
}

func (c *column[T]) wrong(s *Scanner) error { return fmt.Errorf("want %s, got %s", c.name, s.Found()) }

// integer is the set of Go's integer types that tensors have.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// intSink reads integers, exactly.
type intSink[T integer] struct{ column[T] }

func newIntSink[T integer](fill tensor.Tensor) *intSink[T] {
	c := &intSink[T]{newColumn[T]("an integer", "integers", fill)}
	c.read = c.readInt
	return c
}

// Values is column's Values, with a tight loop for small integers, which most lists consist of.
func (c *intSink[T]) Values(s *Scanner, limit int64) (int64, error) {
	n := int64(0)
	for {
		if int64(len(c.vals)) >= limit {
			return n, ErrTooMany
		}
		v, ok := s.smallInt()
		if t := T(v); ok && int64(t) == v && (t < 0) == (v < 0) {
			c.vals = append(c.vals, t)
		} else {
			if ok {
				return n, c.outOfRange(strconv.FormatInt(v, 10))
			}
			if err := c.Scalar(s); err != nil {
				return n, err
			}
		}
		n++
		if s.I+1 < len(s.B) && s.B[s.I] == ',' {
			if s.I++; s.B[s.I] == ' ' {
				s.I++
			}
			continue
		}
		if more, err := s.More(']'); !more {
			return n, err
		}
	}
}

func (c *intSink[T]) outOfRange(text string) error {
	return fmt.Errorf("%s does not fit %s", text, tensor.DTypeOf[T]())
}

// readInt reads a whole number in any notation: 3, 3.0, 1e3. A boolean is 0 or 1.
func (c *intSink[T]) readInt(s *Scanner) (T, error) {
	if one, ok := s.boolean(); ok {
		return T(btoi(one)), nil
	}
	if !s.atNumber() {
		return 0, c.wrong(s)
	}
	text, _, err := s.number()
	if err != nil {
		return 0, err
	}
	if len(c.fill) > 0 && string(text) == "NaN" {
		return c.fill[0], nil
	}
	switch v, reason := dtypes.ParseInteger(text); reason {
	case dtypes.NoError:
		if t, ok := dtypes.As[T](v); ok {
			return t, nil
		}
		return 0, c.outOfRange(string(text))
	case dtypes.TooLarge:
		return 0, c.outOfRange(string(text))
	}
	return 0, fmt.Errorf("want an integer, got %s", text)
}

// newFloatSink returns a sink of real numbers. convert reports false for a finite number beyond the
// range of T.
func newFloatSink[T tensor.Value](fill tensor.Tensor, bits int, convert func(float64) (T, bool)) Sink {
	c := &floatSink[T]{newColumn[T]("a number", "numbers", fill), bits, convert}
	c.read = func(s *Scanner) (T, error) {
		s.space()
		from := s.I
		v, err := readFloat(s, bits, "a number")
		t, ok := convert(v)
		if err == nil && (!ok || s.beyond(v)) {
			err = fmt.Errorf("%s does not fit %s", s.B[from:s.I], tensor.DTypeOf[T]())
		}
		return t, err
	}
	return c
}

// beyond reports whether v, the number read last, is infinite although it was written in digits.
func (s *Scanner) beyond(v float64) bool { return math.IsInf(v, 0) && s.B[s.I-1]-'0' <= 9 }

// floatSink reads real numbers.
type floatSink[T tensor.Value] struct {
	column[T]
	bits    int
	convert func(float64) (T, bool)
}

// Values is column's Values, with a tight loop for plain numbers, which most lists consist of.
func (c *floatSink[T]) Values(s *Scanner, limit int64) (int64, error) {
	for n := int64(1); ; n++ {
		if int64(len(c.vals)) >= limit {
			return n - 1, ErrTooMany
		}
		from := s.I
		if v, ok := s.decimal(c.bits); ok {
			t, fits := c.convert(v)
			if !fits {
				return n - 1, fmt.Errorf("%s does not fit %s", s.B[from:s.I], tensor.DTypeOf[T]())
			}
			c.vals = append(c.vals, t)
		} else if err := c.Scalar(s); err != nil {
			return n - 1, err
		}
		if s.I+1 < len(s.B) && s.B[s.I] == ',' {
			if s.I++; s.B[s.I] == ' ' {
				s.I++
			}
			continue
		}
		if more, err := s.More(']'); !more {
			return n, err
		}
	}
}

// readFloat reads a number; a boolean is 0 or 1. NaN and the infinities may also stand in quotes,
// as in the JSON of protocol buffers.
func readFloat(s *Scanner, bits int, want string) (float64, error) {
	k := s.Peek()
	if k == '"' {
		for i, word := range [...]string{`"NaN"`, `"Infinity"`, `"-Infinity"`} {
			if s.literal(word) {
				return [...]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i], nil
			}
		}
	}
	if one, ok := s.boolean(); ok {
		return float64(btoi(one)), nil
	}
	if !s.atNumber() {
		return 0, fmt.Errorf("want %s, got %s", want, s.Found())
	}
	return s.float(bits)
}

// complexSink reads pairs [re, im], and real numbers.
type complexSink[T tensor.Value] struct{ column[T] }

// newComplexSink returns a sink of complex numbers, whose parts have the given number of bits.
func newComplexSink[T tensor.Value](fill tensor.Tensor, bits int, convert func(re, im float64) T) Sink {
	const want = "a complex number [re, im]"
	c := &complexSink[T]{newColumn[T](want, "complex numbers [re, im]", fill)}
	part := func(s *Scanner, want string) (float64, error) {
		s.space()
		from := s.I
		v, err := readFloat(s, bits, want)
		if err == nil && s.beyond(v) {
			err = fmt.Errorf("%s does not fit %s", s.B[from:s.I], tensor.DTypeOf[T]())
		}
		return v, err
	}
	c.read = func(s *Scanner) (T, error) {
		var zero T
		if s.Peek() != '[' {
			re, err := part(s, want)
			return convert(re, 0), err
		}
		var parts [2]float64
		i := 0
		n, err := s.List(func() error {
			if i == 2 {
				return fmt.Errorf("want %s, got a list of more numbers", want)
			}
			v, err := part(s, "a number")
			parts[i] = v
			i++
			return err
		})
		if err == nil && n != 2 {
			err = fmt.Errorf("want %s, got a list of %d numbers", want, n)
		}
		if err != nil {
			return zero, err
		}
		return convert(parts[0], parts[1]), nil
	}
	return c
}

// IsScalar looks at what follows the bracket: a list of lists is no number, and an empty list
// neither.
func (c *complexSink[T]) IsScalar(s *Scanner) bool {
	at := s.I
	s.I++
	next := s.Peek()
	s.I = at
	return next != '[' && next != ']'
}

// newBoolSink returns a sink of booleans, which may be written 0 and 1.
func newBoolSink(fill tensor.Tensor) Sink {
	c := newColumn[bool]("true or false", "booleans", fill)
	c.read = func(s *Scanner) (bool, error) {
		if v, ok := s.boolean(); ok {
			return v, nil
		}
		if !s.atNumber() {
			return false, c.wrong(s)
		}
		text, _, err := s.number()
		if err != nil {
			return false, err
		}
		if len(c.fill) > 0 && string(text) == "NaN" {
			return c.fill[0], nil
		}
		v, reason := dtypes.ParseInteger(text)
		if reason != dtypes.NoError || v.Mag > 1 || v.Neg && v.Mag > 0 {
			return false, fmt.Errorf("want true, false, 0 or 1, got %s", text)
		}
		return v.Mag == 1, nil
	}
	return &c
}

func newStringSink(fill tensor.Tensor) Sink {
	c := newColumn[string]("a string", "strings", fill)
	c.read = func(s *Scanner) (string, error) {
		b, err := s.bytesValue()
		return string(b), err
	}
	return &c
}

// Arena hands out memory for rows in blocks, so that a row costs no allocation of its own.
type Arena struct {
	Keep  bool // rows stay valid after the next one; otherwise their memory is used again
	block []byte
	dims  []int64
}

// Sizes of the arena's blocks. A row larger than a quarter of a block has memory of its own.
const (
	arenaBytes = 256 << 10
	arenaDims  = 1 << 10
)

// own returns t over memory that is written to no more while the row is valid. The tensor's sizes
// are in the arena's memory already.
func (a *Arena) own(t tensor.Tensor) tensor.Tensor {
	switch {
	case !a.Keep:
		return t
	case t.DType() == tensor.String:
		return must(tensor.ShareSlice(append([]string{}, t.Strings()...), t.Dims()))
	}
	return must(tensor.Share(t.DType(), a.ownBytes(t.Bytes()), t.Dims()))
}

func must(t tensor.Tensor, err error) tensor.Tensor {
	if err != nil {
		panic(err) // unreachable: the sizes were counted while the values were read
	}
	return t
}

func (a *Arena) ownBytes(b []byte) []byte {
	if len(b) > arenaBytes/4 {
		return append([]byte{}, b...)
	}
	n := (len(b) + 15) &^ 15 // whole values of any dtype, aligned
	if len(a.block) < n {
		a.block = make([]byte, arenaBytes)
	}
	own := a.block[:len(b):len(b)]
	a.block = a.block[n:]
	copy(own, b)
	return own
}

func (a *Arena) ownDims(dims []int64) []int64 {
	if len(a.dims) < len(dims) {
		a.dims = make([]int64, max(arenaDims, len(dims)))
	}
	own := a.dims[:len(dims):len(dims)]
	a.dims = a.dims[len(dims):]
	copy(own, dims)
	return own
}
