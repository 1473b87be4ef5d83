// Package text turns text into ids and back with the vocabularies that text models are trained
// with:
//
//   - [Subwords] and [Tokens] are the encoders of tensorflow-datasets: SubwordTextEncoder, which
//     imdb_reviews/subwords8k and the text-classification tutorials use, and TokenTextEncoder.
//   - [Vectorization] and [Lookup] are Keras' layers TextVectorization and StringLookup, over the
//     list of get_vocabulary().
//   - [WordIndex] is the Tokenizer of keras.preprocessing.text, from its to_json().
//   - [WordPiece] is BERT's tokenizer, over its vocab.txt.
//
// [Open] reads any of them from its file. Each agrees with its original in Python id by id; scripts
// in testdata record the ids of the originals.
package text

import (
	"fmt"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Encoder turns text into ids and back. Implementations are safe for use by many goroutines.
type Encoder interface {
	// Encode returns the ids of the text. Bytes that are not UTF-8 are read as U+FFFD, as Python's
	// "replace" does, unless the encoder says otherwise.
	Encode(text string) []int64
	// Decode returns the text of the ids, as far as the ids determine it. Padding, and ids that the
	// vocabulary does not have, are left out.
	Decode(ids []int64) string
	// VocabSize returns one more than the largest id.
	VocabSize() int
	// String describes the encoder for people: "BERT WordPiece, lower case, 30522 tokens".
	String() string
}

// Unmarked returns a text without the byte order mark that Windows' editors put before it; one in
// UTF-16, which such a mark tells, as UTF-8.
func Unmarked(data []byte) ([]byte, error) {
	out, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	return out, err
}

// EncodingError says that a text is not UTF-8, which tensorflow-datasets refuses
// (UnicodeDecodeError).
type EncodingError struct {
	Offset int // of the first byte at fault
}

// Error returns the offset of the byte at fault.
func (e *EncodingError) Error() string { return fmt.Sprintf("text: byte %d is not UTF-8", e.Offset) }

// Check returns a *[EncodingError] if the text is not UTF-8. tensorflow-datasets refuses to encode
// such a text, while Encode reads U+FFFD in the place of broken bytes.
func Check(text string) error {
	for i := 0; i < len(text); {
		n, ok := sequence(text[i:])
		if !ok {
			return &EncodingError{Offset: i}
		}
		i += n
	}
	return nil
}
