package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

const magic = "\x93NUMPY"

// maxHeader bounds a header's bytes. Headers of arrays without fields are a few dozen bytes long.
const maxHeader = 64 << 10

// maxRank is NumPy's own limit.
const maxRank = 64

// header is what a file says about its array.
type header struct {
	descr   string
	fortran bool
	dims    []int64
	kind    byte // of descr: b i u f c U S V m M
	size    int  // bytes of a value
	big     bool // values are big-endian
	length  int64
}

// readHeader reads the beginning of a file.
func readHeader(r io.Reader) (header, error) {
	var h header
	var start [12]byte
	if _, err := io.ReadFull(r, start[:10]); err != nil {
		return h, fmt.Errorf("not an npy file: %w", short(err))
	}
	if string(start[:6]) != magic {
		return h, fmt.Errorf("not an npy file: it begins with %q", start[:6])
	}
	size := int(binary.LittleEndian.Uint16(start[8:10]))
	h.length = 10
	switch major := start[6]; major {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, start[10:12]); err != nil {
			return h, fmt.Errorf("header: %w", short(err))
		}
		size = int(binary.LittleEndian.Uint32(start[8:12]))
		h.length = 12
	default:
		return h, fmt.Errorf("version %d of the npy format is not known", major)
	}
	if size > maxHeader {
		return h, fmt.Errorf("header: %d bytes are more than the %d that are read", size, maxHeader)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, fmt.Errorf("header: %w", short(err))
	}
	h.length += int64(size)
	if err := h.parse(string(text)); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	return h, h.check()
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is cut off")
	}
	return err
}

// parse reads the dictionary of the header: {'descr': '<f4', 'fortran_order': False, 'shape': (3,
// 4), }.
func (h *header) parse(text string) error {
	p := pyParser{s: text}
	if !p.take("{") {
		return errors.New("want a dictionary")
	}
	seen := map[string]bool{}
	for !p.take("}") {
		key, err := p.str()
		if err != nil {
			return err
		}
		if seen[key] || !p.take(":") {
			return fmt.Errorf("key %q: want it once, with a value", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if p.peek() == '[' || p.peek() == '(' {
				return errors.New("arrays of structures are not read; save each field as an array of its own")
			}
			h.descr, err = p.str()
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.dims, err = p.tuple()
		default:
			err = errors.New("the key is not known")
		}
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		p.take(",")
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return fmt.Errorf("no key %q", key)
		}
	}
	if strings.TrimRight(p.s, " \n") != "" {
		return errors.New("text after the dictionary")
	}
	return nil
}

// check works out the type of the values, and refuses impossible types and shapes.
func (h *header) check() error {
	if strings.HasSuffix(h.descr, "O") {
		return errors.New("an array of Python objects is not read; save it with a type of its own")
	}
	if len(h.descr) < 3 || !strings.ContainsRune("<>|=", rune(h.descr[0])) {
		return fmt.Errorf("type %q is not known", h.descr)
	}
	h.big, h.kind = h.descr[0] == '>', h.descr[1]
	number, _, _ := strings.Cut(h.descr[2:], "[") // without the unit of a date
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > 1<<30 || strings.HasPrefix(number, "+") {
		return fmt.Errorf("type %q is not known", h.descr)
	}
	h.size = n
	if h.kind == 'U' {
		h.size *= 4
	}
	if h.size == 0 && h.kind != 'U' && h.kind != 'S' {
		return fmt.Errorf("type %q is not known", h.descr)
	}
	if len(h.dims) > maxRank {
		return fmt.Errorf("shape %v: more than %d dimensions", h.dims, maxRank)
	}
	if n, ok := tensor.NumElements(h.dims); !ok || n > (1<<62)/int64(max(h.size, 1)) {
		return fmt.Errorf("shape %v: want sizes whose product fits the machine", h.dims)
	}
	return nil
}

// dtype returns the type in which the values are held in memory, for a component of type want.
func (h *header) dtype(want tensor.DType) (tensor.DType, error) {
	kinds := map[string]tensor.DType{
		"b1": tensor.Bool, "i1": tensor.Int8, "i2": tensor.Int16, "i4": tensor.Int32, "i8": tensor.Int64, "u1": tensor.Uint8, "u2": tensor.Uint16,
		"u4": tensor.Uint32, "u8": tensor.Uint64, "f2": tensor.Float16, "f4": tensor.Float32, "f8": tensor.Float64, "c8": tensor.Complex64, "c16": tensor.Complex128,
	}
	code := h.descr[1:]
	switch {
	case h.kind == 'U' || h.kind == 'S' || h.kind == 'a':
		return tensor.String, nil
	case (h.kind == 'M' || h.kind == 'm') && h.size == 8:
		return tensor.Int64, nil
	case code == "V2" && (want == tensor.Bfloat16 || want == tensor.Invalid):
		return tensor.Bfloat16, nil
	case code == "V1" && (want == tensor.Float8E4M3 || want == tensor.Float8E5M2 || want == tensor.Int4 || want == tensor.Uint4):
		return want, nil
	}
	if d, ok := kinds[code]; ok {
		return d, nil
	}
	if h.kind == 'V' {
		return tensor.Invalid, fmt.Errorf("an array of raw values or structures (%s) is not read; save each field as an array of its own", h.descr)
	}
	return tensor.Invalid, fmt.Errorf("values of type %s are not read; convert them with astype", h.descr)
}

// column describes the array for lists of columns.
func (h *header) column(name string) dataset.Column {
	c := dataset.Column{Name: name, Type: h.descr + " " + tensor.MakeShape(h.dims...).String(), Shape: tensor.MakeShape(h.dims...).Drop(1)}
	if d, err := h.dtype(tensor.Invalid); err == nil {
		c.DType = d
	}
	return c
}

// pyParser reads Python's literals.
type pyParser struct{ s string }

func (p *pyParser) peek() byte {
	p.s = strings.TrimLeft(p.s, " \t\n")
	if p.s == "" {
		return 0
	}
	return p.s[0]
}

func (p *pyParser) take(token string) bool {
	p.peek()
	rest, ok := strings.CutPrefix(p.s, token)
	p.s = rest
	return ok
}

func (p *pyParser) str() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", errors.New("want a string")
	}
	end := strings.IndexByte(p.s[1:], quote)
	if end < 0 {
		return "", errors.New("a string without an end")
	}
	s := p.s[1 : 1+end]
	p.s = p.s[2+end:]
	return s, nil
}

func (p *pyParser) boolean() (bool, error) {
	switch {
	case p.take("True"):
		return true, nil
	case p.take("False"):
		return false, nil
	}
	return false, errors.New("want True or False")
}

// tuple reads a tuple of integers.
func (p *pyParser) tuple() ([]int64, error) {
	if !p.take("(") {
		return nil, errors.New("want a tuple")
	}
	dims := []int64{}
	for !p.take(")") {
		end := 0
		for p.peek(); end < len(p.s) && (p.s[end] >= '0' && p.s[end] <= '9' || p.s[end] == '-'); {
			end++
		}
		d, err := strconv.ParseInt(p.s[:end], 10, 64)
		if err != nil {
			return nil, errors.New("want integers that fit 63 bits")
		}
		if d < 0 {
			return nil, fmt.Errorf("want sizes of at least 0, got %d", d)
		}
		p.s = strings.TrimPrefix(p.s[end:], "L") // Python 2 writes long integers as 3L
		dims = append(dims, d)
		if !p.take(",") && p.peek() != ')' {
			return nil, errors.New("want a comma")
		}
		if len(dims) > maxRank {
			return nil, fmt.Errorf("more than %d dimensions", maxRank)
		}
	}
	return dims, nil
}
