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

	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/tensor"
)

// stringStats is what the type of an array of strings follows from.
type stringStats struct {
	Bytes  int64 // of the longest
	Runes  int64
	Binary bool // one is not UTF-8
	Zeros  bool // one ends in a zero
	Kind   jsontext.Kind
	Null   bool
}

func (s *stringStats) add(v string) {
	s.Bytes = max(s.Bytes, int64(len(v)))
	if !utf8.ValidString(v) {
		s.Binary = true
	}
	s.Runes = max(s.Runes, int64(utf8.RuneCountInString(v)))
	s.Zeros = s.Zeros || strings.HasSuffix(v, "\x00")
}

// widen notes that there is a value of a kind. An array of numbers has no place for null, except as
// NaN.
func (s *stringStats) widen(k jsontext.Kind) {
	s.Null = s.Null || k == jsontext.Null
	s.Kind = jsontext.Widen(s.Kind, k)
}

// writeStrings keeps strings for later, each behind its length.
func (a *arrayWriter) writeStrings(buf *bufio.Writer, strs []string) error {
	for _, v := range strs {
		if a.json {
			a.strs.widen(jsontext.KindOf([]byte(v)))
			a.strs.add(string(jsontext.AsText([]byte(v))))
		} else {
			a.strs.add(v)
		}
		var n [binary.MaxVarintLen64]byte
		if _, err := buf.Write(n[:binary.PutUvarint(n[:], uint64(len(v)))]); err != nil {
			return err
		}
		if _, err := buf.WriteString(v); err != nil {
			return err
		}
	}
	return nil
}

// maxGrowth bounds how much longer than its strings an array of them may be: one long string among
// millions of short ones makes all as long.
const maxGrowth = 64 << 30

// copyStrings writes the array of the strings that were kept.
func (a *arrayWriter) copyStrings(w io.Writer) error {
	put, descr, size, err := a.encoding()
	if err != nil {
		return err
	}
	n, _ := tensor.NumElements(a.dims)
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
		text = slices.Grow(text[:0], int(length))[:length]
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		cell = put(cell[:0], text)
		for int64(len(cell)) < size {
			cell = append(cell, 0)
		}
		if _, err := out.Write(cell); err != nil {
			return err
		}
	}
	return out.Flush()
}

// encoding says how strings are written, and how many bytes each takes.
func (a *arrayWriter) encoding() (put func(dst, text []byte) []byte, descr string, size int64, err error) {
	if a.json {
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
	if a.json {
		plain = jsontext.AsText
	}
	switch s := a.strs; {
	case s.Zeros:
		return nil, "", 0, errors.New("a string ends in a zero, which NumPy's strings cannot; use jsonl, parquet or arrow")
	case s.Binary:
		size := max(s.Bytes, 1)
		return func(dst, text []byte) []byte { return append(dst, plain(text)...) }, fmt.Sprintf("|S%d", size), size, nil
	default:
		size := max(s.Runes, 1)
		return func(dst, text []byte) []byte {
			for _, r := range string(plain(text)) {
				dst = binary.LittleEndian.AppendUint32(dst, uint32(r)) //nolint:gosec // a rune is not negative
			}
			return dst
		}, fmt.Sprintf("<U%d", size), 4 * size, nil
	}
}

// floatBits returns those of a number, NaN for null.
func floatBits(text []byte) uint64 {
	if f, ok := jsontext.AsFloat(text); ok {
		return math.Float64bits(f)
	}
	return math.Float64bits(math.NaN())
}

func putNumber(bits func([]byte) uint64) func(dst, text []byte) []byte {
	return func(dst, text []byte) []byte { return binary.LittleEndian.AppendUint64(dst, bits(text)) }
}
