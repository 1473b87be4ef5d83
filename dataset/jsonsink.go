package dataset

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/tfrun/tfrun/tensor"
)

// sink collects the values of one component from JSON.
type sink interface {
	// scalar reads one value.
	scalar(s *scanner) error
	// values reads values up to the bracket that ends the list, the scanner standing at the first,
	// and returns their number.
	values(s *scanner, limit int64) (int64, error)
	// isScalar reports whether the array at the scanner's place is one value, as that of a complex
	// number is.
	isScalar(s *scanner) bool
	// want says what the values are, for error messages: "numbers".
	want() string
	len() int64
	reset()
	// tensor returns the values as a tensor of the given sizes, in the arena's memory.
	tensor(dims []int64, a *arena) tensor.Tensor
}

// newSink returns the sink for a dtype.
func newSink(d tensor.DType) (sink, error) {
	switch d {
	case tensor.Int8:
		return newIntSink[int8](math.MinInt8, math.MaxInt8), nil
	case tensor.Int16:
		return newIntSink[int16](math.MinInt16, math.MaxInt16), nil
	case tensor.Int32:
		return newIntSink[int32](math.MinInt32, math.MaxInt32), nil
	case tensor.Int64:
		return newIntSink[int64](math.MinInt64, math.MaxInt64), nil
	case tensor.Uint8:
		return newIntSink[uint8](0, math.MaxUint8), nil
	case tensor.Uint16:
		return newIntSink[uint16](0, math.MaxUint16), nil
	case tensor.Uint32:
		return newIntSink[uint32](0, math.MaxUint32), nil
	case tensor.Uint64:
		return newIntSink[uint64](0, math.MaxUint64), nil
	case tensor.Float32:
		return newFloatSink(32, func(v float64) float32 { return float32(v) }), nil
	case tensor.Float64:
		return newFloatSink(64, func(v float64) float64 { return v }), nil
	case tensor.Float16:
		return newFloatSink(64, tensor.ToF16), nil
	case tensor.Bfloat16:
		return newFloatSink(64, tensor.ToBF16), nil
	case tensor.Complex64:
		return newComplexSink(32, func(re, im float64) complex64 { return complex(float32(re), float32(im)) }), nil
	case tensor.Complex128:
		return newComplexSink(64, func(re, im float64) complex128 { return complex(re, im) }), nil
	case tensor.Bool:
		return newBoolSink(), nil
	case tensor.String:
		return newStringSink(), nil
	}
	return nil, fmt.Errorf("values of type %v are not read from JSON", d)
}

// column is the part that all sinks share: the values read.
type column[T tensor.Value] struct {
	vals []T
	name string // of one value: "a number"
	many string // of several: "numbers"
	read func(s *scanner) (T, error)
}

func (c *column[T]) want() string           { return c.many }
func (c *column[T]) len() int64             { return int64(len(c.vals)) }
func (c *column[T]) reset()                 { c.vals = c.vals[:0] }
func (c *column[T]) isScalar(*scanner) bool { return false }

func (c *column[T]) scalar(s *scanner) error {
	v, err := c.read(s)
	if err == nil {
		c.vals = append(c.vals, v)
	}
	return err
}

func (c *column[T]) values(s *scanner, limit int64) (int64, error) {
	for n := int64(1); ; n++ {
		if int64(len(c.vals)) >= limit {
			return n, errTooMany
		}
		if err := c.scalar(s); err != nil {
			return n, err
		}
		if more, err := s.more(']'); !more {
			return n, err
		}
	}
}

// errTooMany is what values returns for more than its limit.
var errTooMany = errors.New("too many values")

func (c *column[T]) tensor(dims []int64, a *arena) tensor.Tensor {
	return a.own(must(tensor.ShareSlice(c.vals, a.ownDims(dims))))
}

func (c *column[T]) wrong(s *scanner) error { return fmt.Errorf("want %s, got %s", c.name, s.found()) }

// integer is the set of Go's integer types that tensors have.
type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// intSink reads integers, exactly.
type intSink[T integer] struct {
	column[T]
	lo int64
	hi uint64
}

func newIntSink[T integer](lo int64, hi uint64) *intSink[T] {
	c := &intSink[T]{column: column[T]{name: "an integer", many: "integers"}, lo: lo, hi: hi}
	c.read = c.readInt
	return c
}

// values is column's, with a tight loop for what most lists hold.
func (c *intSink[T]) values(s *scanner, limit int64) (int64, error) {
	n := int64(0)
	for {
		if int64(len(c.vals)) >= limit {
			return n, errTooMany
		}
		v, ok := s.smallInt()
		if ok && v >= c.lo && (v < 0 || uint64(v) <= c.hi) {
			c.vals = append(c.vals, T(v))
		} else {
			if ok {
				return n, c.outOfRange(strconv.FormatInt(v, 10))
			}
			if err := c.scalar(s); err != nil {
				return n, err
			}
		}
		n++
		if s.i+1 < len(s.b) && s.b[s.i] == ',' {
			if s.i++; s.b[s.i] == ' ' {
				s.i++
			}
			continue
		}
		if more, err := s.more(']'); !more {
			return n, err
		}
	}
}

func (c *intSink[T]) outOfRange(text string) error {
	return fmt.Errorf("%s does not fit %s", text, tensor.DTypeOf[T]())
}

func (c *intSink[T]) readInt(s *scanner) (T, error) {
	if k := s.peek(); k != '-' && (k < '0' || k > '9') && k != 'N' && k != 'I' {
		return 0, c.wrong(s)
	}
	text, isInt, err := s.number()
	if err != nil {
		return 0, err
	}
	if !isInt {
		return c.integral(text)
	}
	if text[0] == '-' {
		v, err := strconv.ParseInt(stringOf(text), 10, 64)
		if err != nil || v < c.lo {
			return 0, c.outOfRange(string(text))
		}
		return T(v), nil
	}
	v, err := strconv.ParseUint(stringOf(text), 10, 64)
	if err != nil || v > c.hi {
		return 0, c.outOfRange(string(text))
	}
	return T(v), nil
}

// integral takes a whole number that is written with a point or an exponent (3.0, 1e3), where
// float64 holds it exactly.
func (c *intSink[T]) integral(text []byte) (T, error) {
	v, err := strconv.ParseFloat(stringOf(text), 64)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, fmt.Errorf("want an integer, got %s", text)
	}
	if v < float64(c.lo) || v > float64(c.hi) {
		return 0, c.outOfRange(string(text))
	}
	return T(int64(v)), nil
}

// newFloatSink returns a sink of real numbers.
func newFloatSink[T tensor.Value](bits int, convert func(float64) T) sink {
	c := &floatSink[T]{column: column[T]{name: "a number", many: "numbers"}, bits: bits, convert: convert}
	c.read = func(s *scanner) (T, error) {
		v, err := readFloat(s, bits, "a number")
		return convert(v), err
	}
	return c
}

// floatSink reads real numbers.
type floatSink[T tensor.Value] struct {
	column[T]
	bits    int
	convert func(float64) T
}

// values is column's, with a tight loop for what most lists hold.
func (c *floatSink[T]) values(s *scanner, limit int64) (int64, error) {
	for n := int64(1); ; n++ {
		if int64(len(c.vals)) >= limit {
			return n - 1, errTooMany
		}
		if v, ok := s.decimal(c.bits); ok {
			c.vals = append(c.vals, c.convert(v))
		} else if err := c.scalar(s); err != nil {
			return n - 1, err
		}
		if s.i+1 < len(s.b) && s.b[s.i] == ',' {
			if s.i++; s.b[s.i] == ' ' {
				s.i++
			}
			continue
		}
		if more, err := s.more(']'); !more {
			return n, err
		}
	}
}

// readFloat reads a number. NaN and the infinities may stand in quotes too, as protocol buffers'
// JSON has them.
func readFloat(s *scanner, bits int, want string) (float64, error) {
	k := s.peek()
	if k == '"' {
		for i, word := range [...]string{`"NaN"`, `"Infinity"`, `"-Infinity"`} {
			if s.literal(word) {
				return [...]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i], nil
			}
		}
	}
	if k != '-' && (k < '0' || k > '9') && k != 'N' && k != 'I' {
		return 0, fmt.Errorf("want %s, got %s", want, s.found())
	}
	return s.float(bits)
}

// complexSink reads pairs [re, im], and real numbers.
type complexSink[T tensor.Value] struct{ column[T] }

// newComplexSink returns a sink of complex numbers, whose parts have so many bits.
func newComplexSink[T tensor.Value](bits int, convert func(re, im float64) T) sink {
	const want = "a complex number [re, im]"
	c := &complexSink[T]{column[T]{name: want, many: "complex numbers [re, im]"}}
	c.read = func(s *scanner) (T, error) {
		var zero T
		if s.peek() != '[' {
			re, err := readFloat(s, bits, want)
			return convert(re, 0), err
		}
		var parts [2]float64
		i := 0
		n, err := s.list(func() error {
			if i == 2 {
				return fmt.Errorf("want %s, got a list of more numbers", want)
			}
			v, err := readFloat(s, bits, "a number")
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

// isScalar looks past the bracket: a list of lists, and an empty one, are no number.
func (c *complexSink[T]) isScalar(s *scanner) bool {
	at := s.i
	s.i++
	next := s.peek()
	s.i = at
	return next != '[' && next != ']'
}

func newBoolSink() sink {
	c := &column[bool]{name: "true or false", many: "booleans"}
	c.read = func(s *scanner) (bool, error) {
		switch s.space(); {
		case s.literal("true"):
			return true, nil
		case s.literal("false"):
			return false, nil
		}
		return false, c.wrong(s)
	}
	return c
}

func newStringSink() sink {
	c := &column[string]{name: "a string", many: "strings"}
	c.read = func(s *scanner) (string, error) {
		b, err := s.bytesValue()
		return string(b), err
	}
	return c
}

// arena hands out memory for rows in blocks, so that a row costs no allocation of its own.
type arena struct {
	keep  bool // rows outlive the next one; otherwise their memory is used again
	block []byte
	dims  []int64
}

// Sizes of the arena's blocks. A row larger than a quarter of a block has memory of its own.
const (
	arenaBytes = 256 << 10
	arenaDims  = 1 << 10
)

// own returns t over memory that nothing else will write to while the row is valid. Its sizes are
// the arena's already.
func (a *arena) own(t tensor.Tensor) tensor.Tensor {
	switch {
	case !a.keep:
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

func (a *arena) ownBytes(b []byte) []byte {
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

func (a *arena) ownDims(dims []int64) []int64 {
	if len(a.dims) < len(dims) {
		a.dims = make([]int64, max(arenaDims, len(dims)))
	}
	own := a.dims[:len(dims):len(dims)]
	a.dims = a.dims[len(dims):]
	copy(own, dims)
	return own
}
