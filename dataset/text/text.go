// Package text turns text into ids and back with the vocabularies of the tensorflow-datasets
// library: [Subwords] is its SubwordTextEncoder, the encoder of imdb_reviews/subwords8k and of the
// text-classification tutorials, and [Tokens] its TokenTextEncoder, a plain vocabulary of one token
// a line. [Open] reads either from its file.
//
// Both agree with tensorflow-datasets id by id. Id 0 is always padding: Encode never gives it, and
// Decode ignores it.
package text

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tfrun/tfrun/dataset"
)

// Encoder turns text into ids and back. Implementations are safe for use by many goroutines.
type Encoder interface {
	// Encode returns the ids of the text. Bytes that are not UTF-8 are read as U+FFFD, as Python's
	// "replace" does.
	Encode(text string) []int64
	// Decode returns the text of the ids. Padding, and ids that the vocabulary does not have, are
	// left out.
	Decode(ids []int64) string
	// VocabSize returns one more than the largest id: padding counts.
	VocabSize() int
}

// EncodingError says that a text is not UTF-8, which tensorflow-datasets refuses
// (UnicodeDecodeError).
type EncodingError struct {
	Offset int // of the first byte at fault
}

// Error returns the offset of the byte at fault.
func (e *EncodingError) Error() string { return fmt.Sprintf("text: byte %d is not UTF-8", e.Offset) }

// Check returns a *[EncodingError] if the text is not UTF-8: where tensorflow-datasets would refuse
// to encode it and Encode reads U+FFFD.
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

// FormatError says that a file is no vocabulary.
type FormatError struct {
	File string
	Msg  string
}

// Error returns the file and what is wrong with it.
func (e *FormatError) Error() string { return fmt.Sprintf("vocabulary %q: %s", e.File, e.Msg) }

// Headers of the files that tensorflow-datasets writes.
const (
	subwordHeader  = "### SubwordTextEncoder"
	tokenHeader    = "### TokenTextEncoder"
	metadataPrefix = "### Metadata: "
)

// maxVocab bounds a vocabulary file's size in bytes.
const maxVocab = 64 << 20

// Open reads a vocabulary file: one that tensorflow-datasets' SubwordTextEncoder or
// TokenTextEncoder wrote, told by its first line, or any other text file, as a plain vocabulary of
// one token a line. A file of another sort is a *[FormatError].
func Open(name string) (Encoder, error) {
	f, err := dataset.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, name)
}

// Read is [Open] for a reader. name is for error messages.
func Read(r io.Reader, name string) (Encoder, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxVocab+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("vocabulary %q: %w", name, err)
	case len(data) > maxVocab:
		return nil, &FormatError{File: name, Msg: fmt.Sprintf("larger than %d bytes", maxVocab)}
	}
	if err := Check(string(data)); err != nil {
		return nil, &FormatError{File: name, Msg: err.Error()}
	}
	lines := fileLines(data)
	if len(lines) == 0 {
		return nil, &FormatError{File: name, Msg: "no tokens"}
	}
	switch {
	case lines[0] == subwordHeader:
		if len(lines) < 2 {
			return nil, &FormatError{File: name, Msg: "the metadata line is missing"}
		}
		return NewSubwords(unquote(lines[2:])), nil
	case lines[0] == tokenHeader:
		return readTokens(lines, name)
	case strings.HasPrefix(lines[0], "### ") && len(lines) > 1 && strings.HasPrefix(lines[1], metadataPrefix):
		return nil, &FormatError{File: name, Msg: fmt.Sprintf("no vocabulary, but a %s", strings.TrimPrefix(lines[0], "### "))}
	}
	return NewTokens(lines, TokenOptions{})
}

// fileLines returns the lines without their newlines. As in Python's iteration over a file of
// bytes, only "\n" ends a line.
func fileLines(data []byte) []string {
	var lines []string
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, maxVocab+1)
	s.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return i + 1, data[:i], nil
		}
		if atEOF && len(data) > 0 {
			return len(data), data, nil
		}
		return 0, nil, nil
	})
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines
}

// unquote takes the first and the last character off each line: the quotes that SubwordTextEncoder
// puts around a subword.
func unquote(lines []string) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		r := []rune(l)
		if len(r) < 2 {
			continue // an empty subword, which SubwordTextEncoder leaves out
		}
		out = append(out, string(r[1:len(r)-1]))
	}
	return out
}

// readTokens reads the file of a TokenTextEncoder.
func readTokens(lines []string, name string) (Encoder, error) {
	meta := struct {
		Buckets   *int   `json:"oov_buckets"`
		Lowercase bool   `json:"lowercase"`
		Token     string `json:"oov_token"`
		Tokenizer bool   `json:"has_tokenizer"`
	}{}
	if len(lines) < 2 || !strings.HasPrefix(lines[1], metadataPrefix) {
		return nil, &FormatError{File: name, Msg: "the metadata line is missing"}
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[1], metadataPrefix)), &meta); err != nil {
		return nil, &FormatError{File: name, Msg: fmt.Sprintf("metadata: %v", err)}
	}
	if meta.Tokenizer {
		return nil, &FormatError{File: name, Msg: "it has a tokenizer of its own, which is not read"}
	}
	opts := TokenOptions{Lowercase: meta.Lowercase, OOVToken: meta.Token}
	if meta.Buckets != nil {
		if opts.OOVBuckets = *meta.Buckets; opts.OOVBuckets <= 0 {
			opts.OOVBuckets = NoOOV
		}
	}
	return NewTokens(lines[2:], opts)
}
