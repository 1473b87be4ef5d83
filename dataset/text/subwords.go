package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// numBytes is the number of ids that stand for single bytes. They follow the subwords'.
const numBytes = 256

// underscore is what an underscore of the text is replaced by before the text is looked up. In
// subwords an underscore stands for the space that ends a word.
const underscore = `\&undsc`

// Subwords is tensorflow-datasets' SubwordTextEncoder: an invertible encoding by word pieces, and
// by single bytes where no piece fits. Ids are 1 for the first subword and so on, then the 256
// bytes.
type Subwords struct {
	subwords []string
	trie     *trie
	tokens   *tokenizer
}

// undscID marks the escaped underscore in the trie.
const undscID = 1<<31 - 1

// NewSubwords returns the encoder with the given subwords. Empty ones are left out.
func NewSubwords(subwords []string) *Subwords {
	e := &Subwords{trie: newTrie()}
	reserved := []string{underscore}
	for _, s := range subwords {
		if s == "" {
			continue
		}
		s = toValid(s)
		e.trie.add(s, int32(len(e.subwords)))
		e.subwords = append(e.subwords, s)
		if isMixed(s) && s != underscore {
			reserved = append(reserved, s)
		}
	}
	e.trie.add(underscore, undscID)
	e.tokens = newTokenizer(reserved, false)
	return e
}

// Subwords returns the vocabulary.
func (e *Subwords) Subwords() []string { return slices.Clone(e.subwords) }

// VocabSize returns the number of ids: padding, the subwords and the 256 bytes.
func (e *Subwords) VocabSize() int { return 1 + len(e.subwords) + numBytes }

// String names the encoder and the size of its vocabulary.
func (e *Subwords) String() string {
	return fmt.Sprintf("tensorflow-datasets SubwordTextEncoder, %d ids", e.VocabSize())
}

// Encode returns the ids of the text; see [Encoder].
func (e *Subwords) Encode(text string) []int64 { return e.AppendEncode(nil, text) }

// AppendEncode appends the ids of the text to dst.
func (e *Subwords) AppendEncode(dst []int64, text string) []int64 {
	p := preparer{e: e, ids: dst}
	e.tokens.tokenize(toValid(text), p.token)
	p.flush()
	return p.ids
}

// preparer encodes the tokens of a text. A single space after a token is encoded with that token.
type preparer struct {
	e    *Subwords
	ids  []int64
	held string // last token, until it is known whether a single space follows it
	some bool
	buf  []byte
}

func (p *preparer) token(t string) {
	if p.some && t == " " {
		p.encode(p.held, true)
		if p.some = p.held == underscore; p.some {
			p.held = t // this token never takes the space after it
		}
		return
	}
	p.flush()
	p.held, p.some = t, true
}

func (p *preparer) flush() {
	if p.some {
		p.encode(p.held, false)
	}
	p.some = false
}

// encode adds the ids of a token. space says that a single space follows it.
func (p *preparer) encode(t string, space bool) {
	// The text itself holds \&undsc. It is encoded in two halves, so that it is not taken for an
	// underscore.
	if t == underscore {
		p.pieces(append(p.buf[:0], underscore[:2]...))
		t = underscore[2:]
	}
	b := p.buf[:0]
	if strings.Contains(t, "_") {
		b = append(b, strings.ReplaceAll(t, "_", underscore)...)
	} else {
		b = append(b, t...)
	}
	if space {
		b = append(b, '_')
	}
	p.pieces(b)
}

// pieces splits a prepared token greedily into the longest subwords.
func (p *preparer) pieces(b []byte) {
	p.buf = b
	bytes := int64(len(p.e.subwords)) + 1 // id of byte 0
	for len(b) > 0 {
		id, n := longest(p.e.trie, b)
		switch {
		case n > 0 && id == undscID:
			p.ids = append(p.ids, bytes+'_')
		case n > 0:
			p.ids = append(p.ids, int64(id)+1)
		case b[0] == '_':
			p.ids = append(p.ids, bytes+' ')
			n = 1
		default:
			_, n = utf8.DecodeRune(b)
			for _, c := range b[:n] {
				p.ids = append(p.ids, bytes+int64(c))
			}
		}
		b = b[n:]
	}
}

// Decode returns the text of the ids; see [Encoder].
func (e *Subwords) Decode(ids []int64) string {
	text, _ := e.decode(ids)
	return text
}

// DecodeStrict is Decode, but fails where tensorflow-datasets does: at an id that the vocabulary
// does not have, and at padding that is not at the end.
func (e *Subwords) DecodeStrict(ids []int64) (string, error) {
	text, bad := e.decode(ids)
	if bad >= 0 {
		return "", fmt.Errorf("text: id %d at position %d is invalid: ids are 0 to %d, and 0 only at the end", ids[bad], bad, e.VocabSize()-1)
	}
	return text, nil
}

// decode returns the text and the position of the first invalid id, or -1.
func (e *Subwords) decode(ids []int64) (text string, bad int) {
	var b strings.Builder
	var raw []byte // bytes in a row, which may be parts of one character
	flush := func() {
		b.WriteString(toValid(string(raw)))
		raw = raw[:0]
	}
	bad = -1
	for len(ids) > 0 && ids[len(ids)-1] == 0 {
		ids = ids[:len(ids)-1]
	}
	n := int64(len(e.subwords))
	for i, id := range ids {
		switch id--; {
		case id < 0 || id >= n+numBytes:
			if bad < 0 {
				bad = i
			}
		case id >= n:
			raw = append(raw, byte(id-n))
		default:
			flush()
			s, space := strings.CutSuffix(e.subwords[id], "_")
			b.WriteString(s)
			if space {
				b.WriteByte(' ')
			}
		}
	}
	flush()
	return b.String(), bad
}

// WriteTo writes the vocabulary as SubwordTextEncoder.save_to_file does.
func (e *Subwords) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	b.WriteString(subwordHeader + "\n" + metadataPrefix + "{}\n")
	for _, s := range e.subwords {
		b.WriteString("'" + s + "'\n")
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}
