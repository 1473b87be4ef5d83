package text

import (
	"fmt"
	"strings"
)

// unknownToken is what Keras and BERT call a token outside the vocabulary.
const unknownToken = "[UNK]"

// Standardize is the change that TextVectorization makes to a text before it splits it.
type Standardize int

// The values of TextVectorization's argument standardize. As in tf.strings.lower, only ASCII
// letters become lower case; punctuation is ASCII's too.
const (
	LowerAndStripPunctuation Standardize = iota // the default
	Lower
	StripPunctuation
	AsItIs // standardize=None
)

// Split is how TextVectorization splits a text into tokens.
type Split int

// The values of TextVectorization's argument split.
const (
	SplitWhitespace Split = iota // the default: runs of ASCII white space, as tf.strings.split
	SplitCharacter               // characters of UTF-8
	SplitNothing                 // split=None: the text is one token
)

// VectorizationOptions are the arguments of TextVectorization that its vocabulary does not show.
// The zero value has Keras' defaults.
type VectorizationOptions struct {
	Standardize Standardize
	Split       Split
}

// Vectorization is Keras' layer TextVectorization with output_mode "int": a text is standardized,
// split, and each token looked up. Id 0 is padding and 1 a token outside the vocabulary.
type Vectorization struct {
	table keysTable
	opts  VectorizationOptions
}

// NewVectorization returns the encoder with the vocabulary that get_vocabulary() gives: "" and
// "[UNK]" come first. A vocabulary that does not begin so, or that has a token twice, is an error.
func NewVectorization(vocab []string, opts VectorizationOptions) (*Vectorization, error) {
	if len(vocab) < 2 || vocab[0] != "" {
		return nil, fmt.Errorf(`want the vocabulary of a TextVectorization, which begins with "" and an unknown token`)
	}
	table, err := newKeysTable(vocab, 1)
	return &Vectorization{table: table, opts: opts}, err
}

// Encode returns an id for each token of the text. Bytes that are not UTF-8 stay as they are, as in
// tf.strings, unless the text is split into characters.
func (v *Vectorization) Encode(text string) []int64 {
	if s := v.opts.Standardize; s == LowerAndStripPunctuation || s == Lower {
		text = mapASCII(text, func(c byte) (byte, bool) {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			return c, true
		})
	}
	if s := v.opts.Standardize; s == LowerAndStripPunctuation || s == StripPunctuation {
		text = mapASCII(text, func(c byte) (byte, bool) { return c, !punctuation(c) })
	}
	ids := []int64{}
	for _, token := range v.split(text) {
		ids = append(ids, v.table.id(token))
	}
	return ids
}

// split cuts a standardized text into tokens.
func (v *Vectorization) split(text string) []string {
	switch v.opts.Split {
	case SplitCharacter:
		return strings.Split(toValid(text), "")
	case SplitNothing:
		return []string{text}
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' })
}

// Decode returns the tokens of the ids, joined by spaces, or by nothing where the text was split
// into characters; see [Encoder].
func (v *Vectorization) Decode(ids []int64) string {
	if v.opts.Split == SplitCharacter {
		return strings.Join(v.table.tokens(ids), "")
	}
	return strings.Join(v.table.tokens(ids), " ")
}

// VocabSize returns the number of ids: padding, the unknown token and the tokens.
func (v *Vectorization) VocabSize() int { return len(v.table.vocab) }

// String names the layer and the size of its vocabulary.
func (v *Vectorization) String() string {
	return fmt.Sprintf("Keras TextVectorization, %d tokens", len(v.table.vocab))
}

// Lookup is Keras' layer StringLookup: the whole text is one token.
type Lookup struct {
	table keysTable
}

// NewLookup returns the encoder with the vocabulary that get_vocabulary() gives: "[UNK]" first, or
// "" for mask_token="" and then "[UNK]". A vocabulary that does not begin so, or that has a token
// twice, is an error.
func NewLookup(vocab []string) (*Lookup, error) {
	unknown := 0
	if len(vocab) > 1 && vocab[0] == "" {
		unknown = 1
	}
	if len(vocab) <= unknown || vocab[unknown] != unknownToken {
		return nil, fmt.Errorf("want the vocabulary of a StringLookup, which begins with %q", unknownToken)
	}
	table, err := newKeysTable(vocab, int64(unknown))
	return &Lookup{table: table}, err
}

// Encode returns the one id of the text.
func (l *Lookup) Encode(text string) []int64 { return []int64{l.table.id(text)} }

// Decode returns the texts of the ids, joined by spaces; see [Encoder].
func (l *Lookup) Decode(ids []int64) string { return strings.Join(l.table.tokens(ids), " ") }

// VocabSize returns the number of ids.
func (l *Lookup) VocabSize() int { return len(l.table.vocab) }

// String names the layer and the size of its vocabulary.
func (l *Lookup) String() string {
	return fmt.Sprintf("Keras StringLookup of whole texts, %d tokens", len(l.table.vocab))
}

// keysTable is a vocabulary whose ids are indices of a list.
type keysTable struct {
	vocab   []string
	ids     map[string]int64
	unknown int64 // id of tokens that the vocabulary does not have
}

func newKeysTable(vocab []string, unknown int64) (keysTable, error) {
	t := keysTable{vocab: vocab, ids: make(map[string]int64, len(vocab)), unknown: unknown}
	for i, token := range vocab {
		if first, twice := t.ids[token]; twice {
			return t, fmt.Errorf("lines %d and %d are both %q: a vocabulary has each token once", first+1, i+1, token)
		}
		t.ids[token] = int64(i)
	}
	return t, nil
}

func (t keysTable) id(token string) int64 {
	if id, ok := t.ids[token]; ok {
		return id
	}
	return t.unknown
}

// tokens returns the tokens of the ids, without padding.
func (t keysTable) tokens(ids []int64) []string {
	var tokens []string
	for _, id := range ids {
		if id >= 0 && id < int64(len(t.vocab)) && t.vocab[id] != "" {
			tokens = append(tokens, t.vocab[id])
		}
	}
	return tokens
}

// mapASCII returns s with each byte of ASCII replaced by another, or dropped.
func mapASCII(s string, f func(c byte) (byte, bool)) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c, keep := s[i], true
		if c < 0x80 {
			c, keep = f(c)
		}
		if keep {
			b = append(b, c)
		}
	}
	return string(b)
}

// punctuation reports whether a byte is punctuation or a symbol of ASCII: the characters that
// Keras' regular expression and BERT's code name.
func punctuation(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}
