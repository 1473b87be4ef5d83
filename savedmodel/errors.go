package savedmodel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/words"
	"google.golang.org/protobuf/proto"
)

// ErrNotFound says that there is no SavedModel at a path: no such directory, or one without
// saved_model.pb and saved_model.pbtxt. It is always wrapped in a [*FileError] that says which of
// these it is.
var ErrNotFound = errors.New("not a SavedModel")

// ErrNoSignatures says that a meta graph has no signature to run. It is wrapped in a
// [*SignatureError].
var ErrNoSignatures = errors.New("no signatures")

// FileError says that a file of the model is missing or cannot be read.
type FileError struct {
	File string // the path, as a user would type it
	Msg  string // what is wrong
	Err  error  // the cause, or nil: ErrNotFound, an *fs.PathError …
}

// Error returns the path and what is wrong with it.
func (e *FileError) Error() string { return words.OneLine(fmt.Sprintf("%s: %s", e.File, e.Msg)) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// FormatError says that a file of the model is there but does not hold what it should.
type FormatError struct {
	File   string // the path, as a user would type it
	Msg    string // what is wrong
	Offset int64  // where in the file, in bytes, or -1 when no single place is to blame
}

// Error returns the path, the offset where one is known, and what is wrong.
func (e *FormatError) Error() string {
	if e.Offset >= 0 {
		return words.OneLine(fmt.Sprintf("%s: byte %d: %s", e.File, e.Offset, e.Msg))
	}
	return words.OneLine(fmt.Sprintf("%s: %s", e.File, e.Msg))
}

// formatError returns a FormatError that blames no single byte.
func formatError(file, format string, args ...any) error {
	return &FormatError{File: file, Msg: fmt.Sprintf(format, args...), Offset: -1}
}

// TagError says that no meta graph of the model has the wanted tags.
type TagError struct {
	Model string     // the model's directory
	Want  []string   // nil: none were asked for, and no choice is obvious
	Have  [][]string // the tag sets of the model
}

// Error lists the tag sets that the model has.
func (e *TagError) Error() string {
	sets := make([]string, len(e.Have))
	for i, s := range e.Have {
		sets[i] = "[" + words.OneLine(strings.Join(s, " ")) + "]"
	}
	have := strings.Join(sets, ", ")
	if e.Want == nil {
		return fmt.Sprintf("model %q: several graphs and none tagged [serve]; choose the tags of one: %s", e.Model, have)
	}
	return fmt.Sprintf("model %q: no graph with tags [%s]; the model has %s", e.Model, words.OneLine(strings.Join(e.Want, " ")), have)
}

// mostNamed bounds the functions that an error names.
const mostNamed = 10

// SignatureError says that a meta graph has no signature of the wanted name, or none that can be
// taken by default.
type SignatureError struct {
	Model      string   // the model's directory
	Want       string   // "": none was asked for, and no choice is obvious
	Have       []string // the names of the signatures that can be run, sorted
	DidYouMean string   // the nearest of them, or ""
	Callables  []string // functions that Python could call, when Have is empty
	Err        error    // ErrNoSignatures when Have is empty
}

// Error lists the signatures that the model has.
func (e *SignatureError) Error() string {
	switch {
	case len(e.Have) == 0 && len(e.Callables) > 0:
		some := e.Callables[:min(len(e.Callables), mostNamed)]
		more := ""
		if n := len(e.Callables) - len(some); n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return fmt.Sprintf("model %q has no signatures, only functions for Python: %s%s", e.Model, words.OneLine(strings.Join(some, ", ")), more)
	case len(e.Have) == 0:
		return fmt.Sprintf("model %q has no signatures: there is nothing to run", e.Model)
	case e.Want == "":
		return fmt.Sprintf("model %q has no signature \"serving_default\"; choose one of: %s", e.Model, words.OneLine(strings.Join(e.Have, ", ")))
	case e.DidYouMean != "":
		return fmt.Sprintf("model %q has no signature %q; did you mean %q?", e.Model, e.Want, e.DidYouMean)
	}
	return fmt.Sprintf("model %q has no signature %q; it has: %s", e.Model, e.Want, words.OneLine(strings.Join(e.Have, ", ")))
}

// Unwrap returns ErrNoSignatures when there are none.
func (e *SignatureError) Unwrap() error { return e.Err }

// fileFaults is the path of a model's file, as the errors of its graph name it.
type fileFaults string

// Damaged says that a part of the file is damaged; a *[FormatError] says so already.
func (f fileFaults) Damaged(part string, err error) error {
	var fe *FormatError
	if errors.As(err, &fe) {
		return err
	}
	return formatError(string(f), "%s is damaged: %v", part, err)
}

// Undecodable says that protobuf cannot decode a part of the file.
func (f fileFaults) Undecodable(part string, err error) error {
	return formatError(string(f), "%s in it cannot be decoded: %v", part, protoCause(err))
}

// unmarshal decodes a part of a file; what says which, for the error.
func unmarshal(file string, data []byte, to proto.Message, what string) error {
	if err := graph.Unmarshal(data, to); err != nil {
		return fileFaults(file).Undecodable(what, err)
	}
	return nil
}

// protoCause returns a protobuf error's text without the package's prefix, whose first space is not
// always the same character.
func protoCause(err error) string {
	text := err.Error()
	if len(text) > len("proto:") && text[:len("proto:")] == "proto:" {
		text = text[len("proto:"):]
		for _, space := range []string{"\u00a0", " "} {
			if len(text) >= len(space) && text[:len(space)] == space {
				return text[len(space):]
			}
		}
	}
	return text
}
