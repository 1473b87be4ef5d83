package text

import (
	"encoding/json"
	"fmt"
	"strings"
)

// wordIndexClass is the class name of a Tokenizer in to_json().
const wordIndexClass = "Tokenizer"

// WordIndex is the Tokenizer of keras.preprocessing.text, with its texts_to_sequences. Words have
// the ids 1, 2, … by how often they were seen.
type WordIndex struct {
	c     wordIndexConfig
	ids   map[string]int64
	words map[int64]string
	// filters replaces each character of the Tokenizer's filters by its separator.
	filters *strings.Replacer
	unknown int64 // id of oov_token; 0: words outside the index are left out
	size    int
}

// wordIndexConfig is the config that to_json() writes. word_index is JSON in a string.
type wordIndexConfig struct {
	NumWords  int64   `json:"num_words"`
	Filters   *string `json:"filters"`
	Lower     bool    `json:"lower"`
	Split     string  `json:"split"`
	CharLevel bool    `json:"char_level"`
	OOVToken  *string `json:"oov_token"`
	WordIndex string  `json:"word_index"`
}

// jsonClass returns the class_name of a JSON object, or "".
func jsonClass(data []byte) string {
	var head struct {
		Class string `json:"class_name"`
	}
	if json.Unmarshal(data, &head) != nil {
		return ""
	}
	return head.Class
}

// readWordIndex reads what to_json() wrote.
func readWordIndex(data []byte) (*WordIndex, error) {
	var file struct {
		Class  string          `json:"class_name"`
		Config wordIndexConfig `json:"config"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("the to_json() of a Tokenizer: %w", err)
	}
	c := file.Config
	if file.Class != wordIndexClass || c.WordIndex == "" {
		return nil, fmt.Errorf("not the to_json() of a Tokenizer: it has no config with a word_index")
	}
	w := &WordIndex{c: c, words: map[int64]string{}}
	if err := json.Unmarshal([]byte(c.WordIndex), &w.ids); err != nil {
		return nil, fmt.Errorf("word_index: %w", err)
	}
	if !c.CharLevel && c.Split == "" {
		return nil, fmt.Errorf(`split is "", by which Python splits nothing`)
	}
	for word, id := range w.ids {
		if id <= 0 || id > maxVocab {
			return nil, fmt.Errorf("word_index gives %q the id %d", word, id)
		}
		w.words[id] = word
		w.size = max(w.size, int(id)+1)
	}
	if c.OOVToken != nil {
		w.unknown = w.ids[*c.OOVToken]
		if w.unknown == 0 {
			return nil, fmt.Errorf("oov_token %q is not in word_index", *c.OOVToken)
		}
	}
	if c.NumWords > 0 {
		w.size = min(w.size, max(int(c.NumWords), int(w.unknown)+1))
	}
	if c.Filters != nil {
		var pairs []string
		for _, r := range *c.Filters {
			pairs = append(pairs, string(r), c.Split)
		}
		w.filters = strings.NewReplacer(pairs...)
	}
	return w, nil
}

// Encode returns the ids of the words of the text. Words outside the index, and those beyond
// num_words, have the id of oov_token, or are left out where there is none.
func (w *WordIndex) Encode(text string) []int64 {
	text = toValid(text)
	if w.c.Lower {
		text = lower(text)
	}
	var tokens []string
	if w.c.CharLevel {
		tokens = strings.Split(text, "")
	} else {
		if w.filters != nil {
			text = w.filters.Replace(text)
		}
		tokens = strings.Split(text, w.c.Split)
	}
	ids := []int64{}
	for _, token := range tokens {
		if token == "" {
			continue
		}
		id, ok := w.ids[token]
		if !ok || w.c.NumWords > 0 && id >= w.c.NumWords {
			id = w.unknown
		}
		if id > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Decode returns the words of the ids, joined by spaces; see [Encoder].
func (w *WordIndex) Decode(ids []int64) string {
	var words []string
	for _, id := range ids {
		if word, ok := w.words[id]; ok {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// VocabSize returns one more than the largest id that Encode gives.
func (w *WordIndex) VocabSize() int { return w.size }

// String names the class and the number of its words.
func (w *WordIndex) String() string {
	return fmt.Sprintf("Keras Tokenizer, %d words", len(w.ids))
}
