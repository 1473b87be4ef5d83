package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"
)

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1": 1, "500000": 500000, "64MB": 64e6, "1.5GiB": 3 << 29, "2 kib": 2048, "7k": 7000, "3b": 3} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("Set(%q) = %d, %v, want %d", text, b, err, want)
		}
		var again byteSize
		if err := again.Set(b.String()); err != nil || again != b {
			t.Errorf("Set(%q) = %d, %v, want %d", b.String(), again, err, b)
		}
	}
	for _, text := range []string{"", "MB", "0", "-1", "1e30", "NaN", "inf", "1 parsec"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("Set(%q) took it", text)
		}
	}
}

// Labels are lines of text, however an editor has saved them.
func TestReadLabels(t *testing.T) {
	t.Parallel()
	const two = "Zürich\nb c\n"
	utf16 := func(order unicode.Endianness) string {
		s, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(two)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, test := range map[string]struct {
		data string
		want []string // nil: the file is refused
	}{
		"lines":                 {two, []string{"Zürich", "b c"}},
		"no line feed at last":  {"a\nb", []string{"a", "b"}},
		"empty lines at last":   {"a\nb\n\n\n", []string{"a", "b"}},
		"an empty line between": {"a\n\nb\n", []string{"a", "", "b"}},
		"Windows' lines":        {"a\r\nb\r\n", []string{"a", "b"}},
		"a byte order mark":     {"\ufeff" + two, []string{"Zürich", "b c"}},
		"UTF-16":                {utf16(unicode.LittleEndian), []string{"Zürich", "b c"}},
		"UTF-16, big-endian":    {utf16(unicode.BigEndian), []string{"Zürich", "b c"}},
		"Latin-1":               {"Z\xfcrich\nb\n", nil},
		"nothing":               {"", nil},
		"nothing but lines":     {"\n\n", nil},
	} {
		file := filepath.Join(t.TempDir(), "labels.txt")
		if err := os.WriteFile(file, []byte(test.data), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readLabels(t.Context(), file)
		if diff := cmp.Diff(test.want, got); diff != "" || (err == nil) != (test.want != nil) {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// A run whose batches do not fit the device's memory says so, unless it is to be quiet.
func TestHalvedNote(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	halvedNote(true, stdio{err: &b})(64, nil)
	halvedNote(false, stdio{err: &b})(64, nil)
	const want = "tfrun: device memory: a batch of 64 rows does not fit, and is run in halves, as later ones are; --batch-size 32 saves the tries\n"
	if b.String() != want {
		t.Errorf("the note is %q, want %q", b.String(), want)
	}
}
