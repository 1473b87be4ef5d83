package files_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tfrun/tfrun/dataset/internal/files"
)

// endless has no end, and counts what is read of it.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	clear(p)
	e.n += len(p)
	return len(p), nil
}

// What can only be read once is copied, if it begins as it has to: anything else may have no end.
func TestOpenAtLooksBeforeItCopies(t *testing.T) {
	t.Parallel()
	zeros := &endless{}
	broken := errors.New("the cable was pulled")
	for name, tt := range map[string]struct {
		r    io.Reader
		want string
	}{
		"whole":   {iotest.OneByteReader(strings.NewReader("PAR1 and more")), ""},
		"other":   {strings.NewReader("PAR2 and more"), `f: not a Parquet file: it begins with "PAR2"`},
		"short":   {strings.NewReader("PA"), `f: not a Parquet file: it begins with "PA"`},
		"nothing": {strings.NewReader(""), `f: not a Parquet file: it begins with ""`},
		"endless": {zeros, `f: not a Parquet file: it begins with "\x00\x00\x00\x00"`},
		"broken":  {iotest.ErrReader(broken), "read f: the cable was pulled"},
	} {
		f, err := files.OpenAt(func(string) (io.ReadCloser, error) {
			return struct{ io.ReadCloser }{io.NopCloser(struct{ io.Reader }{tt.r})}, nil
		}, "f", files.Format{Name: "Parquet", Magic: "PAR1"})
		if tt.want != "" {
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b := make([]byte, f.Size)
		if _, err := f.ReadAt(b, 0); err != nil || string(b) != "PAR1 and more" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if zeros.n > 4096 {
		t.Errorf("%d bytes were read of what has no end", zeros.n)
	}
}
