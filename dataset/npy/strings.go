package npy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/tensor"
)

func (s *stringStats) add(v string) {
	s.Bytes = max(s.Bytes, int64(len(v)))
	if !utf8.ValidString(v) {
		s.Binary = true
	}
	s.Runes = max(s.Runes, int64(utf8.RuneCountInString(v)))
	s.Zeros = s.Zeros || strings.HasSuffix(v, "\x00")
}

// widen notes that the array has a value of a kind. For null an array of numbers has no element but
// NaN.
func (s *stringStats) widen(k jsontext.Kind) {
	s.Null = s.Null || k == jsontext.Null
	s.Kind = jsontext.Widen(s.Kind, k)
}

// writeStrings writes strings to the spool, for copyStrings.
func (a *arrayWriter) writeStrings(strs []string) error {
	for _, v := range strs {
		a.strs.add(v)
		if err := a.record(uint64(len(v)), []byte(v)); err != nil {
			return err
		}
	}
	return nil
}

// record writes a number and bytes to the spool.
func (a *arrayWriter) record(n uint64, b []byte) error {
	var head [binary.MaxVarintLen64]byte
	if _, err := a.buf.Write(head[:binary.PutUvarint(head[:], n)]); err != nil {
		return err
	}
	_, err := a.buf.Write(b)
	return err
}

// writeKept writes a kept value to the spool: encoded in the type that the first values have, or as
// JSON.
func (a *arrayWriter) writeKept(f dataset.Field) error {
	s := a.strs
	if own, ok := f.Type.(*kept.Type); ok && s.Kept.Type == nil && s.Kind == jsontext.Null {
		s.Kept.Type = own
	}
	var v, text []byte
	if s.Kept.Type != nil {
		var err error
		if v, err = s.Kept.Type.Take(f); err != nil {
			return fmt.Errorf("write npz: array %q: %w", a.name, err)
		}
		s.Kept.add(v)
		text = s.Kept.text(v)
	} else if f.Value != nil {
		v = f.AppendJSON(nil)
		s.widen(jsontext.KindOf(v))
		text = jsontext.AsText(v)
	} else {
		s.widen(jsontext.Null)
	}
	a.rows++
	s.add(string(text))
	if v == nil {
		return a.record(0, nil)
	}
	return a.record(uint64(len(v)+1), v)
}

// maxGrowth bounds how much longer than its strings an array of them may be: among millions of
// short strings one long string makes all elements as long.
const maxGrowth = 64 << 30

// copyStrings writes the array of the strings in the spool.
func (a *arrayWriter) copyStrings(w io.Writer) error {
	put, descr, size, err := a.encoding()
	if err != nil {
		return err
	}
	n, _ := tensor.NumElements(a.dims)
	if _, dims, ok := a.strs.Kept.elements(); ok {
		a.dims = dims
	}
	if a.rows > 0 && size*max(n, 1) > maxGrowth/a.rows {
		return fmt.Errorf("an array of %d strings, as long as the longest of %d characters, would be larger than %d bytes; use jsonl, parquet or arrow",
			a.rows*n, a.strs.Runes, int64(maxGrowth))
	}
	head, err := a.header(descr)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, arrayBuffer)
	if _, err := out.Write(head); err != nil {
		return err
	}
	source, err := a.reread()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(source, arrayBuffer)
	var text, cell []byte
	for range a.rows * n {
		length, err := binary.ReadUvarint(r)
		if err != nil {
			return err
		}
		v := []byte(nil)
		if a.kept && length > 0 || !a.kept {
			if a.kept {
				length--
			}
			text = slices.Grow(text[:0], int(length))[:length]
			v = text
		}
		if _, err := io.ReadFull(r, v); err != nil {
			return err
		}
		cell = put(cell[:0], v)
		for int64(len(cell)) < size {
			cell = append(cell, 0)
		}
		if _, err := out.Write(cell); err != nil {
			return err
		}
	}
	return out.Flush()
}

// encoding returns how the strings are written (put), under which name of NumPy's, and how many
// bytes each takes.
func (a *arrayWriter) encoding() (put func(dst, text []byte) []byte, descr string, size int64, err error) {
	if a.strs.Kept.Type != nil {
		if n, dims, ok := a.strs.Kept.elements(); ok {
			count, _ := tensor.NumElements(dims)
			put = func(dst, v []byte) []byte { return n.append(dst, v, len(dims)) }
			return put, n.descr, int64(n.size) * count, nil
		}
	} else if a.kept {
		kind := a.strs.Kind
		if a.strs.Null && (kind == jsontext.Int || kind == jsontext.Bool) {
			kind = jsontext.Other
		}
		switch kind {
		case jsontext.Int:
			return putNumber(func(v []byte) uint64 { n, _ := jsontext.AsInt(v); return uint64(n) }), "<i8", 8, nil //nolint:gosec // the bits are meant
		case jsontext.Float:
			return putNumber(floatBits), "<f8", 8, nil
		case jsontext.Bool:
			return func(dst, text []byte) []byte {
				if string(text) == "true" {
					return append(dst, 1)
				}
				return append(dst, 0)
			}, "|b1", 1, nil
		}
	}
	plain := func(text []byte) []byte { return text }
	own := a.strs.Kept.Type
	switch {
	case own != nil && a.strs.Zeros && a.strs.Kept.isText():
		// JSON escapes zeros and other bytes, which the array could not hold.
		return putRunes(func(v []byte) []byte { return own.AppendJSON(nil, v) }, a.strs.Kept.Runes)
	case own != nil:
		plain = a.strs.Kept.text
	case a.kept:
		plain = jsontext.AsText
	}
	switch s := a.strs; {
	case s.Zeros:
		return nil, "", 0, errors.New("a string ends in a zero, which NumPy's strings cannot; use jsonl, parquet or arrow")
	case s.Binary:
		size := max(s.Bytes, 1)
		return func(dst, text []byte) []byte { return append(dst, plain(text)...) }, fmt.Sprintf("|S%d", size), size, nil
	}
	return putRunes(plain, a.strs.Runes)
}

// putRunes is encoding for texts in type 'U', the longest of which has so many characters.
func putRunes(plain func([]byte) []byte, longest int64) (put func(dst, v []byte) []byte, descr string, size int64, err error) {
	longest = max(longest, 1)
	return func(dst, v []byte) []byte {
		for _, r := range string(plain(v)) {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(r)) //nolint:gosec // a rune is not negative
		}
		return dst
	}, fmt.Sprintf("<U%d", longest), 4 * longest, nil
}

// floatBits returns the bits of a number as float64, NaN for null.
func floatBits(text []byte) uint64 {
	if f, ok := jsontext.AsFloat(text); ok {
		return math.Float64bits(f)
	}
	return math.Float64bits(math.NaN())
}

func putNumber(bits func([]byte) uint64) func(dst, text []byte) []byte {
	return func(dst, text []byte) []byte { return binary.LittleEndian.AppendUint64(dst, bits(text)) }
}
