package savedmodel

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/tfrun/tfrun/tensor"
)

// Stats sums up the values of a variable. Complex numbers count by their magnitude, and truth
// values as 0 and 1. Min, Max and Mean leave NaNs out; infinities count.
type Stats struct {
	Count    int64 // values, NaNs included
	Zeros    int64
	NaNs     int64
	Infs     int64
	Min, Max float64 // NaN when there is no number
	Mean     float64
}

// statsChunk is the size of the pieces in which values are read. It is a multiple of every dtype's
// size.
const statsChunk = 1 << 18

// Stats reads a variable's values piece by piece, so that memory stays small whatever its size, and
// checks their checksum. It fails for strings and other types that are no numbers.
func (c *Checkpoint) Stats(ctx context.Context, t *CheckpointTensor) (Stats, error) {
	sum := NewSummer(t.DType)
	if sum == nil {
		return Stats{}, fmt.Errorf("variable %q: %s has no numbers to sum up", t.Name, t.DType)
	}
	for _, p := range t.parts() {
		if err := c.scan(ctx, p, sum); err != nil {
			return Stats{}, err
		}
	}
	return sum.Stats(), nil
}

// scan feeds an entry's values to sum, if that is not nil, and checks their checksum.
func (c *Checkpoint) scan(ctx context.Context, t *CheckpointTensor, sum *Summer) error {
	section, f, err := c.section(t)
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, min(statsChunk, t.Size))
	crc := uint32(0)
	for left := t.Size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(section, buf[:min(int64(len(buf)), left)])
		if err != nil {
			return &FileError{File: f.Name(), Msg: cause(err), Err: err}
		}
		left -= int64(n)
		crc = crc32.Update(crc, castagnoli, buf[:n])
		if sum != nil {
			sum.Add(buf[:n])
		}
	}
	if maskedCRC(crc) != t.crc {
		return c.checksumError(t)
	}
	return nil
}

// Summer sums up the values of one type, piece by piece.
type Summer struct {
	accumulator
	size  int
	value func([]byte) float64
}

// NewSummer returns a Summer for values of a type; nil for a type without numbers.
func NewSummer(d tensor.DType) *Summer {
	value := decoderOf(d)
	if value == nil {
		return nil
	}
	return &Summer{size: d.Size(), value: value}
}

// Add takes whole values as little-endian bytes.
func (s *Summer) Add(data []byte) {
	for ; len(data) >= s.size; data = data[s.size:] {
		s.add(s.value(data))
	}
}

// Stats returns what the values that were added sum up to.
func (s *Summer) Stats() Stats { return s.stats() }

// accumulator sums up numbers. Sums are kept with Neumaier's compensation, so that the mean of
// millions of values does not drift.
type accumulator struct {
	n, zeros, nans, infs int64
	min, max             float64
	sum, rest            float64
}

func (a *accumulator) add(v float64) {
	a.n++
	switch {
	case math.IsNaN(v):
		a.nans++
		return
	case v == 0:
		a.zeros++
	case math.IsInf(v, 0):
		a.infs++
	}
	if a.n-a.nans == 1 {
		a.min, a.max = v, v
	}
	a.min, a.max = min(a.min, v), max(a.max, v)
	t := a.sum + v
	if math.Abs(a.sum) >= math.Abs(v) {
		a.rest += a.sum - t + v
	} else {
		a.rest += v - t + a.sum
	}
	a.sum = t
}

func (a *accumulator) stats() Stats {
	s := Stats{Count: a.n, Zeros: a.zeros, NaNs: a.nans, Infs: a.infs, Min: math.NaN(), Max: math.NaN(), Mean: math.NaN()}
	if n := a.n - a.nans; n > 0 {
		s.Min, s.Max = a.min, a.max
		s.Mean = (a.sum + a.rest) / float64(n)
		if a.infs > 0 {
			s.Mean = a.sum / float64(n) // the compensation of an infinity is not a number
		}
	}
	return s
}

// decoderOf returns what reads a value of the type from the front of its little-endian bytes, of a
// complex number its magnitude; nil for types without numbers.
func decoderOf(d tensor.DType) func([]byte) float64 {
	part := map[tensor.DType]tensor.DType{tensor.Complex64: tensor.Float32, tensor.Complex128: tensor.Float64}[d]
	if read := part.Number(); read != nil {
		return func(b []byte) float64 { return math.Hypot(read(b), read(b[part.Size():])) }
	}
	return d.Number()
}
