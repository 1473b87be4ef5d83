package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Special tokens of BERT's vocabularies, beside [UNK].
const (
	startToken = "[CLS]"
	endToken   = "[SEP]"
)

// maxWord is the number of characters above which BERT takes a word for an unknown one.
const maxWord = 200

// WordPieceOptions says how [NewWordPiece] encodes. The zero value is BERT's uncased tokenizer.
type WordPieceOptions struct {
	// Cased keeps upper case and accents (do_lower_case=False).
	Cased bool
	// Marked puts [CLS] before the ids and [SEP] after them, as models trained on sentences expect.
	Marked bool
}

// WordPiece is BERT's FullTokenizer. Text is cleaned, and split at white space, punctuation and
// Chinese characters. Each word is then split into the longest pieces of the vocabulary; all pieces
// but the first begin with "##". A word that cannot be split so is [UNK].
type WordPiece struct {
	vocab []string
	// starts holds the pieces that begin a word, rest the others without their "##".
	starts, rest       *trie
	unknown, cls, last int64
	opts               WordPieceOptions
}

// NewWordPiece returns the encoder with the tokens of a vocab.txt; a token's id is its place. White
// space around a token is removed. Of a token that is there twice the first one counts. It is an
// error if [UNK] is missing, or, with Marked, [CLS] or [SEP].
func NewWordPiece(vocab []string, opts WordPieceOptions) (*WordPiece, error) {
	w := &WordPiece{starts: newTrie(), rest: newTrie(), opts: opts}
	ids := make(map[string]int64, len(vocab))
	for _, token := range vocab {
		token = strip(token)
		if _, twice := ids[token]; twice {
			continue
		}
		id := len(w.vocab)
		ids[token] = int64(id)
		w.vocab = append(w.vocab, token)
		if piece, inner := strings.CutPrefix(token, "##"); inner && piece != "" {
			w.rest.add(piece, int32(id))
		}
		if token != "" {
			w.starts.add(token, int32(id))
		}
	}
	for _, special := range []struct {
		token  string
		id     *int64
		wanted bool
	}{{unknownToken, &w.unknown, true}, {startToken, &w.cls, opts.Marked}, {endToken, &w.last, opts.Marked}} {
		id, ok := ids[special.token]
		if !ok && special.wanted {
			return nil, fmt.Errorf("a BERT vocabulary without %s", special.token)
		}
		*special.id = id
	}
	return w, nil
}

// Encode returns the ids of the text. Bytes that are not UTF-8 are left out, as BERT does.
func (w *WordPiece) Encode(text string) []int64 {
	ids := []int64{}
	if w.opts.Marked {
		ids = append(ids, w.cls)
	}
	for _, word := range strings.FieldsFunc(w.clean(text), isSpace) {
		if !w.opts.Cased {
			word = stripAccents(lower(word))
		}
		for _, part := range splitPunctuation(word) {
			ids = w.pieces(ids, part)
		}
	}
	if w.opts.Marked {
		ids = append(ids, w.last)
	}
	return ids
}

// clean drops control characters, and puts spaces in the place of white space and around Chinese
// characters.
func (w *WordPiece) clean(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == 0, r == utf8.RuneError: // range yields this for a byte that is not UTF-8
		case r == '\t', r == '\n', r == '\r', unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case unicode.In(r, unicode.Cc, unicode.Cf):
		case isChinese(r):
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// pieces appends the ids of a word's pieces.
func (w *WordPiece) pieces(ids []int64, word string) []int64 {
	before, pieces := len(ids), w.starts
	if utf8.RuneCountInString(word) > maxWord {
		return append(ids, w.unknown)
	}
	for len(word) > 0 {
		id, n := longest(pieces, word)
		if n == 0 {
			return append(ids[:before], w.unknown)
		}
		ids = append(ids, int64(id))
		word, pieces = word[n:], w.rest
	}
	return ids
}

// Decode returns the words of the ids, joined by spaces, with the pieces of a word put together.
// Special tokens are left out, and padding, see [Encoder].
func (w *WordPiece) Decode(ids []int64) string {
	var b strings.Builder
	for _, id := range ids {
		if id < 0 || id >= int64(len(w.vocab)) {
			continue
		}
		token := w.vocab[id]
		piece, inner := strings.CutPrefix(token, "##")
		switch {
		case token == startToken, token == endToken, token == "[PAD]":
			continue
		case !inner && b.Len() > 0:
			b.WriteByte(' ')
		}
		b.WriteString(piece)
	}
	return b.String()
}

// VocabSize returns the number of ids.
func (w *WordPiece) VocabSize() int { return len(w.vocab) }

// String describes how the text is split, and the size of the vocabulary.
func (w *WordPiece) String() string {
	letters, marks := "lower case", "without [CLS] and [SEP]"
	if w.opts.Cased {
		letters = "upper and lower case"
	}
	if w.opts.Marked {
		marks = "between [CLS] and [SEP]"
	}
	return fmt.Sprintf("BERT WordPiece, %s, %s, %d tokens", letters, marks, len(w.vocab))
}

// stripAccents decomposes characters and drops the marks (NFD without the category Mn).
func stripAccents(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s))
}

// splitPunctuation splits a word before and after each punctuation mark, and at white space that
// decomposing characters has brought in.
func splitPunctuation(word string) []string {
	var parts []string
	start := 0
	cut := func(end int) {
		if end > start {
			parts = append(parts, word[start:end])
		}
	}
	for i, r := range word {
		n := utf8.RuneLen(r)
		switch {
		case r < 0x80 && punctuation(byte(r)) || unicode.Is(unicode.P, r):
			cut(i)
			parts = append(parts, word[i:i+n])
			start = i + n
		case isSpace(r):
			cut(i)
			start = i + n
		}
	}
	cut(len(word))
	return parts
}

// isChinese reports whether a character is a Chinese one for BERT, which makes it a word by itself.
func isChinese(r rune) bool {
	return 0x4E00 <= r && r <= 0x9FFF || 0x3400 <= r && r <= 0x4DBF || 0x20000 <= r && r <= 0x2A6DF ||
		0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F || 0x2B820 <= r && r <= 0x2CEAF ||
		0xF900 <= r && r <= 0xFAFF || 0x2F800 <= r && r <= 0x2FA1F
}
