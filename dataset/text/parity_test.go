package text_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tfrun/tfrun/dataset/text"
)

// parityCase is what tensorflow-datasets makes of a text, or of ids; testdata/make_parity.py writes
// them.
type parityCase struct {
	Vocab       string
	Text        *string
	B64         []byte
	IDs         []int64
	Decoded     string
	DecodeFails bool `json:"decode_fails"`
	ErrorAt     *int `json:"error_at"`
	VocabSize   int  `json:"vocab_size"`
}

// TestParity compares with tensorflow-datasets, on testdata and on the directory that TFRUN_PARITY
// names.
func TestParity(t *testing.T) {
	dirs := []string{"testdata"}
	if d := os.Getenv("TFRUN_PARITY"); d != "" {
		dirs = append(dirs, d)
	}
	for _, dir := range dirs {
		f, err := os.Open(filepath.Join(dir, "parity.jsonl.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		encoders := map[string]text.Encoder{}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<20)
		n := 0
		for lines.Scan() {
			var c parityCase
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatal(err)
			}
			if encoders[c.Vocab] == nil {
				if encoders[c.Vocab], err = text.Open(filepath.Join(dir, c.Vocab), text.Auto); err != nil {
					t.Fatal(err)
				}
			}
			checkParity(t, encoders[c.Vocab], c)
			n++
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d cases", dir, n)
	}
}

func checkParity(t *testing.T, e text.Encoder, c parityCase) {
	t.Helper()
	if e.VocabSize() != c.VocabSize {
		t.Errorf("%s: VocabSize() = %d, want %d", c.Vocab, e.VocabSize(), c.VocabSize)
	}
	if c.Text != nil || c.B64 != nil {
		in := string(c.B64)
		if c.Text != nil {
			in = *c.Text
		}
		if diff := cmp.Diff(c.IDs, e.Encode(in), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: Encode(%q) (-want +got):\n%s", c.Vocab, in, diff)
		}
		bad, ok := errors.AsType[*text.EncodingError](text.Check(in))
		if ok != (c.ErrorAt != nil) || ok && bad.Offset != *c.ErrorAt {
			t.Errorf("Check(%q) = %v, want an error: %v", in, bad, c.ErrorAt != nil)
		}
	}
	if s, ok := e.(*text.Subwords); ok {
		_, err := s.DecodeStrict(c.IDs)
		if (err != nil) != c.DecodeFails {
			t.Errorf("%s: DecodeStrict(%v): %v; want an error: %v", c.Vocab, c.IDs, err, c.DecodeFails)
		}
	}
	if got := e.Decode(c.IDs); !c.DecodeFails && got != c.Decoded {
		t.Errorf("%s: Decode(%v) = %q, want %q", c.Vocab, c.IDs, got, c.Decoded)
	}
}

func TestWriteTo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"corpus.subwords", "hand.subwords", "bytes.subwords"} {
		want, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		e, err := text.Open(filepath.Join("testdata", name), text.Auto)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		n, err := e.(*text.Subwords).WriteTo(&got)
		if err != nil || n != int64(len(want)) || got.String() != string(want) {
			t.Errorf("%s: WriteTo wrote %d bytes (%v), want %d equal ones", name, n, err, len(want))
		}
	}
}
