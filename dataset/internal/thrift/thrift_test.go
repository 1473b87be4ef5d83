package thrift

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What is written is read again, taken or skipped.
func TestWritten(t *testing.T) {
	t.Parallel()
	var w Writer
	w.ListStruct(func() {
		w.Int(1, I32, -5)
		w.Int(2, I64, 1<<62)
		w.Bool(3, true)
		w.Bool(5, false)
		w.Binary(40, "text")
		w.Struct(41, func() { w.Int(1, Byte, 7) })
		w.List(42, Struct, 20)
		for range 20 {
			w.ListStruct(func() { w.List(1, I32, 2); w.ListInt(1); w.ListInt(-1) })
		}
	})
	var got []string
	r := NewReader(w.Bytes)
	r.Struct(func(id int16, typ Type) {
		switch id {
		case 1:
			got = append(got, fmt.Sprint(r.Int32()))
		case 2:
			got = append(got, fmt.Sprint(r.Int()))
		case 3, 5:
			got = append(got, fmt.Sprint(typ == True))
		case 40:
			got = append(got, r.String())
		default:
			r.Skip(typ)
		}
	})
	if want := "-5 4611686018427387904 true false text"; strings.Join(got, " ") != want || r.Err != nil || r.At() != len(w.Bytes) {
		t.Errorf("read %q, want %q; %d bytes of %d, %v", got, want, r.At(), len(w.Bytes), r.Err)
	}
	for n := range w.Bytes {
		if r := NewReader(w.Bytes[:n]); skipAll(r) || !errors.Is(r.Err, ErrShort) {
			t.Errorf("the first %d bytes: %v, want %v", n, r.Err, ErrShort)
		}
	}
}

// skipAll reports whether a structure could be passed over.
func skipAll(r *Reader) bool { r.Skip(Struct); return r.Err == nil }

// TestHostile: bytes that nest or go on without end are refused, and end.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"deep structures":        strings.Repeat("\x1c", 1000),
		"deep lists":             "\x19" + strings.Repeat("\x19", 1000),
		"a list without an end":  "\x19\xf0\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"a map without an end":   "\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00",
		"a type that is none":    "\x1e",
		"a number without end":   "\x15\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"a string without bytes": "\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	} {
		if skipAll(NewReader([]byte(b))) {
			t.Errorf("%s: no error", name)
		}
	}
	r := NewReader([]byte("\x15\x80\x80\x80\x80\x80\x01\x00"))
	r.Struct(func(int16, Type) { r.Int32() })
	if r.Err == nil {
		t.Error("a number that does not fit 32 bits: no error")
	}
}
