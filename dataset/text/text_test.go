package text_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset/text"
)

func Example() {
	e := text.NewSubwords([]string{"the_", "movie", "was_", "good"})
	ids := e.Encode("the movie was good!")
	fmt.Println(ids)
	fmt.Println(e.Decode(ids))
	// Output:
	// [1 2 37 3 4 38]
	// the movie was good!
}

func ExampleNewTokens() {
	e, err := text.NewTokens([]string{"the", "movie", "was", "good"}, text.TokenOptions{Lowercase: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	ids := e.Encode("The film was GOOD!")
	fmt.Println(ids)
	fmt.Println(e.Decode(ids))
	// Output:
	// [1 5 3 4]
	// the UNK was good
}

func open(t testing.TB, name string) text.Encoder {
	t.Helper()
	e, err := text.Open(filepath.Join("testdata", name), text.Auto)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestSubwordsInvert checks that decoding gives the text back, but for a text that says \&undsc
// itself, and for underscores of which the vocabulary has more than one in a piece:
// tensorflow-datasets encodes "__" as `\&undsc\&undsc` then, and decodes it as that.
func TestSubwordsInvert(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]string{"corpus.subwords": `\_`, "bytes.subwords": `\`} {
		e := open(t, name)
		rapid.Check(t, func(t *rapid.T) {
			s := rapid.String().Draw(t, "text")
			ids := e.Encode(s)
			for _, id := range ids {
				if id < 1 || id >= int64(e.VocabSize()) {
					t.Fatalf("Encode(%q) has the id %d; want 1 to %d", s, id, e.VocabSize()-1)
				}
			}
			if got := e.Decode(append(ids, 0, 0)); got != s && !strings.ContainsAny(s, without) {
				t.Fatalf("Decode(Encode(%q)) = %q", s, got)
			}
		})
	}
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{"", "the movie ", "👩‍👩‍👧", "\xff", "\xe2\x82", `\&undsc `, "_ _", "\xed\xa0\x80", "a\x00b"} {
		f.Add(s)
	}
	var encoders []text.Encoder
	for _, name := range []string{"corpus.subwords", "hand.subwords", "bytes.subwords", "plain.tokens", "buckets.tokens", "lower.tokens"} {
		encoders = append(encoders, open(f, name))
	}
	f.Fuzz(func(t *testing.T, s string) {
		if (text.Check(s) == nil) != utf8.ValidString(s) {
			t.Fatalf("Check(%q) = %v", s, text.Check(s))
		}
		for _, e := range encoders {
			ids := e.Encode(s)
			for _, id := range ids {
				if id < 1 || id >= int64(e.VocabSize()) {
					t.Fatalf("Encode(%q) has the id %d; want 1 to %d", s, id, e.VocabSize()-1)
				}
			}
			if back := e.Decode(ids); !utf8.ValidString(back) {
				t.Fatalf("Decode(Encode(%q)) = %q, which is not UTF-8", s, back)
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"### SubwordTextEncoder\n### Metadata: {}\n'a_'\n'b'\n", "### TokenTextEncoder\n### Metadata: {\"oov_buckets\": 2}\nthe\n", "the\nmovie",
		"### SubwordTextEncoder", "### TokenTextEncoder\n### Metadata: {", "'", "\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := text.Read(strings.NewReader(s), "vocab", text.Auto)
		if err != nil {
			return
		}
		if e.VocabSize() < 1 {
			t.Fatalf("VocabSize() = %d", e.VocabSize())
		}
		e.Decode(e.Encode("the movie_ was \\&undsc 👍 a"))
	})
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, want string }{
		{"empty", "", `vocabulary "v": no tokens`},
		{"no metadata", "### SubwordTextEncoder\n", `vocabulary "v": the metadata line is missing`},
		{"bad metadata", "### TokenTextEncoder\n### Metadata: {\n", `vocabulary "v": metadata: unexpected end of JSON input`},
		{"another encoder", "### ByteTextEncoder\n### Metadata: {}\n", `vocabulary "v": no vocabulary, but a ByteTextEncoder`},
		{"own tokenizer", "### TokenTextEncoder\n### Metadata: {\"has_tokenizer\": true}\n", `vocabulary "v": it has a tokenizer of its own, which is not read`},
		{"not text", "a\xffb", `vocabulary "v": text: byte 1 is not UTF-8`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := text.Read(strings.NewReader(tt.file), "v", text.Auto)
			if _, ok := errors.AsType[*text.FormatError](err); !ok || err.Error() != tt.want {
				t.Errorf("Read(%q): %v, want %s", tt.file, err, tt.want)
			}
		})
	}
	if _, err := text.Read(iotest.ErrReader(iotest.ErrTimeout), "v", text.Auto); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("Read of a failing reader: %v, want %v", err, iotest.ErrTimeout)
	}
	if _, err := text.Open(filepath.Join(t.TempDir(), "none"), text.Auto); err == nil {
		t.Error("Open of no file: no error")
	}
}

func TestReadPlain(t *testing.T) {
	t.Parallel()
	e, err := text.Read(iotest.OneByteReader(strings.NewReader("the\r\nmovie\n was \n")), "vocab.txt", text.Auto)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Encode("was the, movie? no"), []int64{3, 1, 2, 4}; !cmp.Equal(got, want) {
		t.Errorf("Encode = %v, want %v", got, want)
	}
}

func TestNoOOV(t *testing.T) {
	t.Parallel()
	e, err := text.NewTokens([]string{"a", "b"}, text.TokenOptions{OOVBuckets: text.NoOOV})
	if err != nil {
		t.Fatal(err)
	}
	if got := e.Encode("b x a"); !slices.Equal(got, []int64{2, 1}) || e.VocabSize() != 3 {
		t.Errorf("Encode = %v of a vocabulary of %d, want [2 1] of 3", got, e.VocabSize())
	}
	if _, err := text.NewTokens([]string{"a-b", "a-b"}, text.TokenOptions{}); err == nil {
		t.Error("a reserved token twice: no error")
	}
}

func BenchmarkSubwordsEncode(b *testing.B) {
	e := open(b, "corpus.subwords").(*text.Subwords)
	s := strings.Repeat("The movie was not very good, and I don't know why the plot of it is great! ", 20)
	ids := make([]int64, 0, len(s))
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		ids = e.AppendEncode(ids[:0], s)
	}
}
