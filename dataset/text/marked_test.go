package text_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"

	"github.com/tfrun/tfrun/dataset/text"
)

// A vocabulary is the same behind a byte order mark, and in UTF-16, as Windows' editors save it: of
// each kind, which the first line tells.
func TestMarkedVocabularies(t *testing.T) {
	t.Parallel()
	const sentence = "The cat sat on the müde mat!"
	for kind, vocabulary := range map[string]string{
		"subwords":          "### SubwordTextEncoder\n### Metadata: {}\n'cat'\n'the_'\n'müde'\n",
		"tokens":            "### TokenTextEncoder\n### Metadata: {\"lowercase\": true, \"oov_buckets\": 1, \"oov_token\": \"UNK\", \"tokenizer\": null}\ncat\nthe\nmüde\n",
		"words":             "cat\nthe\nmüde\n",
		"textvectorization": "\n[UNK]\nthe\ncat\nmüde\n",
		"stringlookup":      "[UNK]\nthe\ncat\nmüde\n",
		"tokenizer-json":    `{"class_name": "Tokenizer", "config": {"num_words": null, "filters": "!", "lower": true, "split": " ", "char_level": false, "oov_token": null, "document_count": 1, "word_counts": "{}", "word_docs": "{}", "index_docs": "{}", "index_word": "{\"1\": \"the\", \"2\": \"müde\"}", "word_index": "{\"the\": 1, \"müde\": 2}"}}`,
		"bert":              "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nmude\n##t\n",
	} {
		plain, err := text.Read(strings.NewReader(vocabulary), "plain", text.Auto)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		marked := map[string]string{"UTF-8": "\ufeff" + vocabulary}
		for name, order := range map[string]unicode.Endianness{"UTF-16, little-endian": unicode.LittleEndian, "UTF-16, big-endian": unicode.BigEndian} {
			if marked[name], err = unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(vocabulary); err != nil {
				t.Fatal(err)
			}
		}
		for name, data := range marked {
			e, err := text.Read(strings.NewReader(data), name, text.Auto)
			if err != nil {
				t.Errorf("%s in %s: %v", kind, name, err)
				continue
			}
			if diff := cmp.Diff([]any{plain.String(), plain.Encode(sentence)}, []any{e.String(), e.Encode(sentence)}); diff != "" {
				t.Errorf("%s in %s (-plain +marked):\n%s", kind, name, diff)
			}
		}
	}
}
