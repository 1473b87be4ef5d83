package text

import (
	"strings"
	"unicode/utf8"
)

// tokenizer splits text into tokens as tensorflow-datasets' Tokenizer does: runs of word characters
// and runs of other characters. Reserved tokens, which mix both, are found first.
type tokenizer struct {
	reserved *trie
	first    [256]bool // bytes that a reserved token begins with
	wordOnly bool      // drop runs of other characters
}

// newTokenizer returns a tokenizer with the given reserved tokens. Where one is the beginning of
// another the longer one is taken; tensorflow-datasets takes whichever Python's set lists first.
func newTokenizer(reserved []string, wordOnly bool) *tokenizer {
	t := &tokenizer{reserved: newTrie(), wordOnly: wordOnly}
	for i, r := range reserved {
		t.reserved.add(r, int32(i))
		t.first[r[0]] = true
	}
	return t
}

// tokenize calls yield with each token of the text, which must be UTF-8.
func (t *tokenizer) tokenize(s string, yield func(token string)) {
	start := 0
	for i := 0; i < len(s); i++ {
		if !t.first[s[i]] {
			continue
		}
		if _, n := longest(t.reserved, s[i:]); n > 0 {
			t.runs(s[start:i], yield)
			yield(s[i : i+n])
			i += n - 1
			start = i + 1
		}
	}
	t.runs(s[start:], yield)
}

// runs splits a text without reserved tokens.
func (t *tokenizer) runs(s string, yield func(token string)) {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		word := isWord(r)
		for n < len(s) {
			r, size := utf8.DecodeRuneInString(s[n:])
			if isWord(r) != word {
				break
			}
			n += size
		}
		if word || !t.wordOnly {
			yield(s[:n])
		}
		s = s[n:]
	}
}

// isMixed reports whether a string has both word characters and others.
func isMixed(s string) bool {
	word := strings.IndexFunc(s, isWord)
	other := strings.IndexFunc(s, func(r rune) bool { return !isWord(r) })
	return word >= 0 && other >= 0
}
