package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/kept"
)

// shredder splits kept values into the values of columns.
type shredder struct {
	shape
	parts []shredder
	leaf  *leafWriter
	put   putValue
}

// putValue appends a kept value of one of Arrow's types in the encoding PLAIN.
type putValue func(dst, v []byte) ([]byte, error)

// newShredder returns the shredder of a part of the schema. leaves are the writers of its columns.
func newShredder(s shape, t *kept.Type, leaves []*leafWriter) (shredder, error) {
	out := shredder{shape: s}
	if s.kind == single {
		out.leaf = leaves[s.leaf.index]
		var err error
		out.put, err = plainValue(t.Written().Type)
		return out, err
	}
	for i := range s.parts {
		p, err := newShredder(s.parts[i], t.Parts()[i], leaves)
		if err != nil {
			return out, err
		}
		out.parts = append(out.parts, p)
	}
	return out, nil
}

// errRequired says that a value is null in a place that cannot be null.
var errRequired = errors.New("a null in a part of a value that cannot be null")

// add adds a value, nil for null, as an entry of repetition level rep.
func (s *shredder) add(v []byte, rep int) error {
	if v == nil {
		if !s.nullable {
			return errRequired
		}
		s.missing(rep, s.def-1)
		return nil
	}
	switch s.kind {
	case listShape, mapShape:
		if len(v) == 0 {
			s.missing(rep, s.entryDef-1)
			return nil
		}
		return s.entries(v, rep)
	case groupShape:
		return s.eachPart(&v, rep)
	}
	before := len(s.leaf.data)
	var err error
	if s.leaf.data, err = s.put(s.leaf.data, v); err != nil {
		s.leaf.data = s.leaf.data[:before]
		return err
	}
	s.leaf.entry(rep, s.def)
	return nil
}

// entries adds the entries of a list or a map.
func (s *shredder) entries(v []byte, rep int) error {
	for len(v) > 0 {
		if err := s.eachPart(&v, rep); err != nil {
			return err
		}
		rep = s.entryRep
	}
	return nil
}

// eachPart adds the next value of each part.
func (s *shredder) eachPart(v *[]byte, rep int) error {
	for i := range s.parts {
		var item []byte
		item, *v = kept.Next(*v)
		if err := s.parts[i].add(item, rep); err != nil {
			return err
		}
	}
	return nil
}

// missing adds an entry without a value, of the given levels, to each column.
func (s *shredder) missing(rep, def int) {
	if s.leaf != nil {
		s.leaf.entry(rep, def)
		return
	}
	for i := range s.parts {
		s.parts[i].missing(rep, def)
	}
}

// plainValue returns the function that appends values of a type of Arrow's.
func plainValue(d ar.DataType) (putValue, error) {
	copied := func(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }
	switch t := d.(type) {
	case *ar.Int8Type, *ar.Int16Type:
		return func(dst, v []byte) ([]byte, error) {
			return binary.LittleEndian.AppendUint32(dst, uint32(kept.Signed(v))), nil //nolint:gosec // the bits are meant
		}, nil
	case *ar.Uint8Type, *ar.Uint16Type:
		return func(dst, v []byte) ([]byte, error) { return append(append(dst, v...), make([]byte, 4-len(v))...), nil }, nil
	case ar.DecimalType:
		return plainDecimal(t), nil
	case *ar.Date64Type:
		return plainDays, nil
	case *ar.Time32Type:
		if t.Unit == ar.Second {
			return plainMillis, nil
		}
	case *ar.TimestampType:
		if t.Unit == ar.Second {
			return plainMillis, nil
		}
	case *ar.NullType:
		return func(dst, _ []byte) ([]byte, error) { return dst, errRequired }, nil
	case *ar.StringType, *ar.LargeStringType, *ar.StringViewType, *ar.BinaryType, *ar.LargeBinaryType, *ar.BinaryViewType:
		return func(dst, v []byte) ([]byte, error) {
			if len(v) > math.MaxInt32 {
				return dst, errors.New("a value of more than 2 GiB")
			}
			return append(binary.LittleEndian.AppendUint32(dst, uint32(len(v))), v...), nil //nolint:gosec // see above
		}, nil
	}
	return copied, nil
}

// plainDays appends a number of days that is kept as milliseconds.
func plainDays(dst, v []byte) ([]byte, error) {
	const day = 86400000
	n := kept.Signed(v)
	days := n / day
	if n%day != 0 || days != int64(int32(days)) { //nolint:gosec // that is the question
		return dst, errors.New("a date with a time of the day: Parquet's dates have none; write arrow or jsonl")
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(days)), nil //nolint:gosec // the bits are meant
}

// plainMillis appends a number of seconds as milliseconds, in the same number of bytes.
func plainMillis(dst, v []byte) ([]byte, error) {
	n := kept.Signed(v)
	if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
		return dst, errors.New("a time whose milliseconds 64 bits do not hold; write arrow or jsonl")
	}
	n *= 1000
	if len(v) == 4 {
		return binary.LittleEndian.AppendUint32(dst, uint32(n)), nil //nolint:gosec // the seconds of a day
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(n)), nil //nolint:gosec // the bits are meant
}

// plainDecimal returns the function that appends unscaled integers, the highest byte first.
func plainDecimal(t ar.DecimalType) putValue {
	var e element
	e.decimals(t)
	size := int(e.length)
	zeros := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(-t.GetScale(), 0))), nil)
	return func(dst, v []byte) ([]byte, error) {
		if t.GetScale() < 0 {
			n := new(big.Int).Mul(kept.Unscaled(v), zeros)
			v = kept.Fixed(n, size+1)
		}
		v = slices.Clone(v)
		slices.Reverse(v)
		sign := byte(0)
		if v[0] >= 0x80 {
			sign = 0xff
		}
		for len(v) > size {
			if v[0] != sign || (v[1] >= 0x80) != (sign != 0) {
				return dst, fmt.Errorf("a decimal of more than the %d digits of its type", t.GetPrecision())
			}
			v = v[1:]
		}
		return append(append(dst, slices.Repeat([]byte{sign}, size-len(v))...), v...), nil
	}
}
