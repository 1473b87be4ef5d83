package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/tfrun/tfrun/dataset"
)

// Format names a kind of vocabulary file.
type Format string

// Formats of vocabulary files. [Auto] stands for the one that the file's contents show.
const (
	Auto             Format = "auto"
	SubwordsFormat   Format = "subwords"          // tensorflow-datasets' SubwordTextEncoder
	TokensFormat     Format = "tokens"            // its TokenTextEncoder, or one token a line
	VectorizeFormat  Format = "textvectorization" // Keras' TextVectorization
	LookupFormat     Format = "stringlookup"      // Keras' StringLookup
	WordIndexFormat  Format = "tokenizer-json"    // Keras' Tokenizer
	BERTFormat       Format = "bert"              // BERT's vocab.txt; no [CLS], no [SEP]
	BERTMarkedFormat Format = "bert-cls"          // the same, between [CLS] and [SEP]
)

// Formats lists the formats that [Open] takes.
func Formats() []Format {
	return []Format{
		Auto, SubwordsFormat, TokensFormat, VectorizeFormat, LookupFormat, WordIndexFormat, BERTFormat, BERTMarkedFormat,
	}
}

// Headers of the files that tensorflow-datasets writes.
const (
	subwordHeader  = "### SubwordTextEncoder"
	tokenHeader    = "### TokenTextEncoder"
	metadataPrefix = "### Metadata: "
)

var errNoMetadata = errors.New("the metadata line is missing")

// maxVocab bounds a vocabulary file's size in bytes.
const maxVocab = 64 << 20

// Open reads a vocabulary file. With [Auto], or "", the file's contents decide:
//
//   - the header line of tensorflow-datasets: a [Subwords] or a [Tokens];
//   - a JSON object of the class Tokenizer: a [WordIndex];
//   - tokens "[UNK]", "[CLS]" and "[SEP]": a [WordPiece], in lower case if no word of the
//     vocabulary has an upper-case letter;
//   - an empty first line and then "[UNK]": a [Vectorization]; "[UNK]" first: a [Lookup];
//   - any other list of tokens, one a line: a [Tokens].
//
// Lines end in "\n", or all of them in "\r\n". A byte order mark is passed over, and says that a
// file is of UTF-16. A file of another kind, such as a SentencePiece model or a pickled Tokenizer,
// is a *[FormatError].
func Open(name string, format Format) (Encoder, error) {
	f, err := dataset.OpenFile(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, name, format)
}

// Read is [Open] for a reader. name is for error messages.
func Read(r io.Reader, name string, format Format) (Encoder, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxVocab+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("vocabulary %q: %w", name, err)
	case len(data) > maxVocab:
		return nil, &FormatError{File: name, Msg: fmt.Sprintf("larger than %d bytes", maxVocab)}
	}
	var e Encoder
	if data, err = Unmarked(data); err == nil {
		e, err = parse(data, format)
	}
	if err != nil {
		return nil, &FormatError{File: name, Msg: err.Error()}
	}
	return e, nil
}

// FormatError says that a file is no vocabulary.
type FormatError struct {
	File string
	Msg  string
}

// Error returns the file and what is wrong with it.
func (e *FormatError) Error() string { return fmt.Sprintf("vocabulary %q: %s", e.File, e.Msg) }

// parse reads a vocabulary file's bytes.
func parse(data []byte, format Format) (Encoder, error) {
	if err := foreign(data); err != nil {
		return nil, err
	}
	if err := Check(string(data)); err != nil {
		return nil, err
	}
	if format == Auto || format == "" {
		format = recognize(data)
	}
	lines := fileLines(data)
	if len(lines) == 0 {
		return nil, fmt.Errorf("no tokens")
	}
	switch format {
	case SubwordsFormat:
		switch {
		case lines[0] != subwordHeader:
			return nil, fmt.Errorf("want %q as the first line", subwordHeader)
		case len(lines) < 2:
			return nil, errNoMetadata
		}
		return NewSubwords(unquote(lines[2:])), nil
	case TokensFormat:
		return readTokens(lines)
	case VectorizeFormat:
		return NewVectorization(lines, VectorizationOptions{})
	case LookupFormat:
		return NewLookup(lines)
	case WordIndexFormat:
		return readWordIndex(data)
	case BERTFormat, BERTMarkedFormat:
		return NewWordPiece(lines, WordPieceOptions{Cased: cased(lines), Marked: format == BERTMarkedFormat})
	}
	return nil, fmt.Errorf("no format %q: want one of %s", format, join(Formats()))
}

// foreign returns an error that names the kind of file, for vocabularies in a form that is not
// read.
func foreign(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("\x80\x02")), bytes.HasPrefix(data, []byte("\x80\x03")),
		bytes.HasPrefix(data, []byte("\x80\x04")), bytes.HasPrefix(data, []byte("\x80\x05")):
		return fmt.Errorf("a pickle of Python, which is code: write the tokenizer's to_json(), or its vocabulary one token a line")
	case bytes.HasPrefix(data, []byte("\n")) && bytes.Contains(data[:min(len(data), 512)], []byte("\xe2\x96\x81")) &&
		bytes.IndexByte(data[:min(len(data), 512)], 0x15) >= 0:
		return fmt.Errorf("a SentencePiece model, which is not read: encode the text beforehand")
	}
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '{' && json.Valid(text) {
		if class := jsonClass(text); class != wordIndexClass {
			return fmt.Errorf("JSON, but not the to_json() of Keras' Tokenizer")
		}
	}
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '[' && json.Valid(text) {
		return fmt.Errorf("a JSON list: write the tokens one a line")
	}
	return nil
}

// recognize returns the format that a file's contents show.
func recognize(data []byte) Format {
	lines := fileLines(data)
	switch {
	case len(lines) == 0:
		return TokensFormat
	case lines[0] == subwordHeader:
		return SubwordsFormat
	case strings.HasPrefix(lines[0], "{") && jsonClass(data) == wordIndexClass:
		return WordIndexFormat
	case slices.Contains(lines, unknownToken) && slices.Contains(lines, startToken) && slices.Contains(lines, endToken):
		return BERTFormat
	case len(lines) > 1 && lines[0] == "" && lines[1] == unknownToken:
		return VectorizeFormat
	case lines[0] == unknownToken:
		return LookupFormat
	}
	return TokensFormat
}

// cased reports whether a BERT vocabulary has upper case: whether a token has an upper-case letter,
// other than the special tokens, which stand in brackets.
func cased(lines []string) bool {
	return slices.ContainsFunc(lines, func(token string) bool {
		special := strings.HasPrefix(token, "[") && strings.HasSuffix(token, "]")
		return !special && strings.ContainsFunc(token, unicode.IsUpper)
	})
}

// fileLines returns the lines without their ends. A line ends in "\n", as in Python's iteration
// over a file of bytes. Where all lines but an unfinished last one end in "\r\n", as editors on
// Windows write them, that is the end.
func fileLines(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	end := "\n"
	if n := bytes.Count(data, []byte("\n")); n > 0 && n == bytes.Count(data, []byte("\r\n")) {
		end = "\r\n"
	}
	return strings.Split(strings.TrimSuffix(string(data), end), end)
}

// unquote removes the first and the last character of each line: the quotes around a subword.
func unquote(lines []string) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		r := []rune(l)
		if len(r) < 2 {
			// SubwordTextEncoder leaves empty subwords out.
			continue
		}
		out = append(out, string(r[1:len(r)-1]))
	}
	return out
}

// readTokens reads the file of a TokenTextEncoder, or a list of tokens without its header.
func readTokens(lines []string) (Encoder, error) {
	meta := struct {
		Buckets   *int   `json:"oov_buckets"`
		Lowercase bool   `json:"lowercase"`
		Token     string `json:"oov_token"`
		Tokenizer bool   `json:"has_tokenizer"`
	}{}
	class, header := strings.CutPrefix(lines[0], "### ")
	switch {
	case header && lines[0] != tokenHeader && len(lines) > 1 && strings.HasPrefix(lines[1], metadataPrefix):
		return nil, fmt.Errorf("no vocabulary, but a %s", class)
	case lines[0] != tokenHeader:
		return NewTokens(lines, TokenOptions{})
	case len(lines) < 2 || !strings.HasPrefix(lines[1], metadataPrefix):
		return nil, errNoMetadata
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[1], metadataPrefix)), &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if meta.Tokenizer {
		return nil, fmt.Errorf("it has a tokenizer of its own, which is not read")
	}
	opts := TokenOptions{Lowercase: meta.Lowercase, OOVToken: meta.Token}
	if meta.Buckets != nil {
		if opts.OOVBuckets = *meta.Buckets; opts.OOVBuckets <= 0 {
			opts.OOVBuckets = NoOOV
		}
	}
	return NewTokens(lines[2:], opts)
}

// join lists names for an error.
func join(formats []Format) string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}
