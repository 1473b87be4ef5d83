package text_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tfrun/tfrun/dataset/text"
)

// TestKerasParity compares with what Keras' layers, its Tokenizer and BERT's tokenizer gave: on
// testdata, and on the directory that TFRUN_KERAS_PARITY names. testdata/make_keras.py writes both.
func TestKerasParity(t *testing.T) {
	t.Parallel()
	dirs := []string{filepath.Join("testdata", "keras")}
	if d := os.Getenv("TFRUN_KERAS_PARITY"); d != "" {
		dirs = append(dirs, d)
	}
	for _, dir := range dirs {
		cases := kerasCases(t, dir)
		if len(cases) < 100 {
			t.Errorf("%s: only %d cases", dir, len(cases))
		}
		encoders := map[string]text.Encoder{}
		for _, c := range cases {
			e := encoders[c.Vocab]
			if e == nil {
				var err error
				if e, err = text.Open(filepath.Join(dir, c.Vocab), text.Auto); err != nil {
					t.Fatal(err)
				}
				encoders[c.Vocab] = e
			}
			got := e.Encode(c.Text)
			if diff := cmp.Diff(c.IDs, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: Encode(%q) (-want +got):\n%s", c.Vocab, c.Text, diff)
			}
			for _, id := range got {
				if id < 0 || id >= int64(e.VocabSize()) {
					t.Errorf("%s: Encode(%q) has the id %d of %d", c.Vocab, c.Text, id, e.VocabSize())
				}
			}
		}
		t.Logf("%s: %d cases, %d vocabularies", dir, len(cases), len(encoders))
	}
}

type kerasCase struct {
	Vocab, Text string
	IDs         []int64
}

func kerasCases(t *testing.T, dir string) (cases []kerasCase) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "keras.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c kerasCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestRecognize checks that each sort of file is read as what it is, or refused by name, and that a
// format by name is taken even so.
func TestRecognize(t *testing.T) {
	t.Parallel()
	const (
		bert      = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n##re\n"
		tokenizer = `{"class_name": "Tokenizer", "config": {"num_words": null, "filters": "!", "lower": true, "split": " ", "char_level": false, "oov_token": null, "word_index": "{\"the\": 1}"}}`
	)
	tests := []struct {
		name, file string
		format     text.Format
		want       string // of the encoder's String, or of the error
	}{
		{"subwords", "### SubwordTextEncoder\n### Metadata: {}\n'the_'\n", "", "SubwordTextEncoder"},
		{"subwords with CRLF", "### SubwordTextEncoder\r\n### Metadata: {}\r\n'the_'\r\n", "", "SubwordTextEncoder, 258 ids"},
		{"plain", "the\ncat\n", text.Auto, "TokenTextEncoder"},
		{"TextVectorization", "\n[UNK]\nthe\ncat", "", "TextVectorization, 4 tokens"},
		{"StringLookup", "[UNK]\nthe\ncat\n", "", "StringLookup of whole texts, 3 tokens"},
		{"StringLookup with a mask token", "\n[UNK]\nthe\n", text.LookupFormat, "StringLookup of whole texts, 3 tokens"},
		{"BERT", bert, "", "BERT WordPiece, lower case, without [CLS] and [SEP], 6 tokens"},
		{"BERT, cased", bert + "The\n", "", "BERT WordPiece, upper and lower case, without"},
		{"BERT, marked", bert, text.BERTMarkedFormat, "between [CLS] and [SEP], 6 tokens"},
		{"BERT as tokens", bert, text.TokensFormat, "TokenTextEncoder"},
		{"Tokenizer", tokenizer, "", "Keras Tokenizer, 1 words"},
		{"a twin", "\n[UNK]\nthe\nthe\n", "", `lines 3 and 4 are both "the"`},
		{"plain as TextVectorization", "the\ncat\n", text.VectorizeFormat, `begins with ""`},
		{"plain as StringLookup", "the\ncat\n", text.LookupFormat, `begins with "[UNK]"`},
		{"plain as BERT", "the\ncat\n", text.BERTFormat, "without [UNK]"},
		{"plain as subwords", "the\ncat\n", text.SubwordsFormat, "### SubwordTextEncoder"},
		{"other JSON", `{"model": {"type": "BPE"}}`, "", "not the to_json()"},
		{"a JSON list", `["", "[UNK]"]`, "", "one a line"},
		{"a pickle", "\x80\x04\x95\x10", "", "pickle"},
		{"SentencePiece", "\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02\n\x09\n\x03\xe2\x96\x81\x15\x00\x00\x00\xc0", "", "SentencePiece"},
		{"no such format", "the\n", "word2vec", `no format "word2vec": want one of auto, subwords`},
	}
	for _, tt := range tests {
		e, err := text.Read(strings.NewReader(tt.file), "v", tt.format)
		got := fmt.Sprint(e)
		if err != nil {
			got = err.Error()
			if _, ok := errors.AsType[*text.FormatError](err); !ok {
				t.Errorf("%s: %v is no *FormatError", tt.name, err)
			}
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s; want it to say %q", tt.name, got, tt.want)
		}
	}
}

// TestMarked checks the ids of a sentence for BERT, between its marks, and back.
func TestMarked(t *testing.T) {
	t.Parallel()
	vocab := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "!"}
	e, err := text.NewWordPiece(vocab, text.WordPieceOptions{Marked: true})
	if err != nil {
		t.Fatal(err)
	}
	ids := e.Encode("Unáffable! xyz")
	if diff := cmp.Diff([]int64{2, 4, 5, 6, 7, 1, 3}, ids); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
	if got, want := e.Decode(append(ids, 0, 0)), "unaffable ! [UNK]"; got != want {
		t.Errorf("Decode = %q, want %q", got, want)
	}
}

func ExampleOpen() {
	file := "\n[UNK]\nthe\ncat\nsat" // "\n".join(layer.get_vocabulary())
	e, err := text.Read(strings.NewReader(file), "vocab.txt", text.Auto)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e)
	fmt.Println(e.Encode("The cat sat on the mat!"))
	// Output:
	// Keras TextVectorization, 5 tokens
	// [2 3 4 1 2 1]
}
