package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset/internal/jsondoc"
)

// readLines reads the lines of data through a buffer of so many bytes. A line beyond the limit is
// "long".
func readLines(t *testing.T, data []byte, buffer, limit int) []string {
	t.Helper()
	l := lineReader{files: []string{"f"}, max: limit, skipBOM: true, buf: bufio.NewReaderSize(nil, buffer), reader: iotest.HalfReader(bytes.NewReader(data))}
	var out []string
	for {
		line, err := l.read()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case errors.Is(err, errLineTooLong):
			out = append(out, "long")
		case err != nil:
			t.Fatal(err)
		default:
			out = append(out, string(line))
		}
		if l.line != int64(len(out)) {
			t.Fatalf("line %d, want %d", l.line, len(out))
		}
	}
}

// linesOf says what readLines should return.
func linesOf(data []byte, limit int) []string {
	var out []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(line) > limit {
			line = "long"
		} else if len(out) == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		out = append(out, line)
	}
	return out
}

// FuzzLines reads lines through a buffer and with a limit that the fuzzer chooses: neither where
// the buffer ends nor how long a line before was shows in a line.
func FuzzLines(f *testing.F) {
	f.Add([]byte("\ufeffa\r\n\n\r\r\nb\rc\n0123456789abcdef\r\n0123456789abcdef0\n\n0123456789abcdef0123456789abcdef\r"), uint8(0), uint16(20))
	f.Add([]byte(strings.Repeat("0123456789abcdef\n", 5)), uint8(1), uint16(16))
	f.Fuzz(func(t *testing.T, data []byte, buffer uint8, limit uint16) {
		if diff := cmp.Diff(linesOf(data, int(limit)), readLines(t, data, 16+int(buffer), int(limit))); diff != "" {
			t.Fatalf("lines (-want +got):\n%s", diff)
		}
	})
}

// Every line may end anywhere in the buffer, and beyond it.
func TestLinesOfAllLengths(t *testing.T) {
	var data []byte
	for n := range 70 {
		data = append(data, bytes.Repeat([]byte{'a' + byte(n%26)}, n)...)
		data = append(data, [...]string{"\n", "\r\n", "\r\r\n"}[n%3]...)
	}
	for buffer := 16; buffer < 80; buffer++ {
		for _, limit := range []int{0, 15, 16, 33, 100} {
			if diff := cmp.Diff(linesOf(data, limit), readLines(t, data, buffer, limit)); diff != "" {
				t.Fatalf("buffer of %d, lines of up to %d (-want +got):\n%s", buffer, limit, diff)
			}
		}
	}
}

// TestEndlessLine passes over a line that is far too long, reads the next one, and gives up a line
// without an end.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	long := make([]byte, 8<<20)
	for _, c := range []struct {
		zeros int64
		want  string
	}{
		{DefaultRowBytes * mostSkipped / 2, "[1]"},
		{DefaultRowBytes * (mostSkipped + 2), "the line goes on for more than"},
	} {
		more := io.LimitReader(overAndOver(long), c.zeros)
		l := lineReader{files: []string{"f"}, max: 1 << 20, reader: io.MultiReader(more, strings.NewReader("\n[1]\n"))}
		if _, err := l.read(); !errors.Is(err, errLineTooLong) {
			t.Fatal(err)
		}
		line, err := l.read()
		var file *FileError
		if errors.As(err, &file) {
			line = []byte(file.Msg)
		}
		if !strings.HasPrefix(string(line), c.want) {
			t.Errorf("behind %d bytes: %.40q, %v, want %q", c.zeros, line, err, c.want)
		}
	}
}

// TestEndlessRow gives up an array whose row opens more brackets than anything does.
func TestEndlessRow(t *testing.T) {
	t.Parallel()
	brackets := io.LimitReader(overAndOver(bytes.Repeat([]byte("["), 1<<20)), 17<<20)
	l := lineReader{files: []string{"f"}, max: 1 << 20, docs: &jsondoc.Options{}, reader: io.MultiReader(strings.NewReader("[\n"), brackets)}
	_, err := l.read()
	var file *FileError
	if !errors.As(err, &file) || file.Line != 2 || !strings.Contains(file.Msg, "its end is not looked for") {
		t.Error(err)
	}
}

// overAndOver reads as the same bytes over and over.
type overAndOver []byte

func (r overAndOver) Read(p []byte) (int, error) { return copy(p, r), nil }
