package text

import (
	"crypto/md5" //nolint:gosec // tensorflow-datasets hashes unknown tokens with it; nothing is secret
	"fmt"
	"math/bits"
	"strings"
)

// NoOOV, as the number of OOV buckets, drops tokens that the vocabulary does not have.
const NoOOV = -1

// TokenOptions says how [NewTokens] encodes. The zero value is TokenTextEncoder's default.
type TokenOptions struct {
	// OOVBuckets is the number of ids, after the vocabulary's, that tokens outside the vocabulary
	// are spread over. 0: 1. [NoOOV]: none.
	OOVBuckets int
	// OOVToken is the text that the ids of OOV buckets decode to. "": "UNK".
	OOVToken string
	// Lowercase changes text and vocabulary to lower case.
	Lowercase bool
	// KeepSpace keeps white space around the vocabulary's tokens.
	KeepSpace bool
}

// Tokens is tensorflow-datasets' TokenTextEncoder: a vocabulary of whole tokens. Text is split into
// words, and what is between words is dropped. Ids are 1 for the first token and so on, then the
// OOV buckets.
type Tokens struct {
	tokens   []string
	ids      map[string]int64
	opts     TokenOptions
	splitter *tokenizer
}

// NewTokens returns the encoder with the given vocabulary. It fails if a token that mixes word
// characters with others is there twice.
func NewTokens(vocab []string, opts TokenOptions) (*Tokens, error) {
	if opts.OOVBuckets == 0 {
		opts.OOVBuckets = 1
	}
	if opts.OOVToken == "" {
		opts.OOVToken = "UNK"
	}
	e := &Tokens{ids: make(map[string]int64, len(vocab)), opts: opts}
	var reserved []string
	for i, t := range vocab {
		t = toValid(t)
		if !opts.KeepSpace {
			t = strip(t)
		}
		if opts.Lowercase {
			t = lower(t)
		}
		if isMixed(t) {
			if _, twice := e.ids[t]; twice {
				return nil, fmt.Errorf("text: the token %q stands twice in the vocabulary", t)
			}
			reserved = append(reserved, t)
		}
		e.tokens = append(e.tokens, t)
		e.ids[t] = int64(i) + 1
	}
	e.splitter = newTokenizer(reserved, true)
	return e, nil
}

// VocabSize returns the number of ids: padding, the tokens and the OOV buckets.
func (e *Tokens) VocabSize() int { return 1 + len(e.tokens) + max(e.opts.OOVBuckets, 0) }

// String names the encoder and the size of its vocabulary.
func (e *Tokens) String() string {
	return fmt.Sprintf("tensorflow-datasets TokenTextEncoder (words, one token a line), %d tokens", len(e.tokens))
}

// Encode returns the ids of the text; see [Encoder].
func (e *Tokens) Encode(text string) []int64 {
	text = toValid(text)
	if e.opts.Lowercase {
		text = lower(text)
	}
	var ids []int64
	e.splitter.tokenize(text, func(t string) {
		id, ok := e.ids[t]
		if !ok {
			id = e.bucket(t)
		}
		if id > 0 {
			ids = append(ids, id)
		}
	})
	return ids
}

// bucket returns the id of a token outside the vocabulary, or 0.
func (e *Tokens) bucket(t string) int64 {
	n := uint64(max(e.opts.OOVBuckets, 0))
	if n == 0 {
		return 0
	}
	sum := md5.Sum([]byte(t)) //nolint:gosec // see the import
	var rest uint64           // remainder of the digest as a 128-bit number
	for i := 0; i < len(sum); i += 8 {
		var word uint64
		for _, b := range sum[i : i+8] {
			word = word<<8 | uint64(b)
		}
		_, rest = bits.Div64(rest, word, n)
	}
	return int64(len(e.tokens)) + 1 + int64(rest)
}

// Decode returns the tokens of the ids, joined by spaces; see [Encoder].
func (e *Tokens) Decode(ids []int64) string {
	var words []string
	for _, id := range ids {
		switch {
		case id <= 0:
		case id <= int64(len(e.tokens)):
			words = append(words, e.tokens[id-1])
		default:
			words = append(words, e.opts.OOVToken)
		}
	}
	return strings.Join(words, " ")
}
