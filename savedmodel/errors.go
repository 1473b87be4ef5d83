package savedmodel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotFound says that there is no SavedModel at a path: no such directory, or one without
// saved_model.pb and saved_model.pbtxt. It is always wrapped in a [*FileError] that says which of
// these it is.
var ErrNotFound = errors.New("not a SavedModel")

// ErrNoSignatures says that a meta graph has no signature to run. It is wrapped in a
// [*SignatureError].
var ErrNoSignatures = errors.New("no signatures")

// inLine keeps an error on one line: names out of a model may hold line breaks, and whatever steers
// a terminal. Such are written as Go's escapes.
func inLine(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if c := s[:n]; unprintable(r) || r == utf8.RuneError && n == 1 {
			quoted := strconv.Quote(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(c)
		}
		s = s[n:]
	}
	return b.String()
}

func unprintable(r rune) bool { return !strconv.IsPrint(r) }

// FileError says that a file of the model is missing or cannot be read.
type FileError struct {
	File string // the path, as a user would type it
	Msg  string // what is wrong
	Err  error  // the cause, or nil: ErrNotFound, an *fs.PathError …
}

// Error returns the path and what is wrong with it.
func (e *FileError) Error() string { return inLine(fmt.Sprintf("%s: %s", e.File, e.Msg)) }

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
		return inLine(fmt.Sprintf("%s: byte %d: %s", e.File, e.Offset, e.Msg))
	}
	return inLine(fmt.Sprintf("%s: %s", e.File, e.Msg))
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
		sets[i] = "[" + inLine(strings.Join(s, " ")) + "]"
	}
	have := strings.Join(sets, ", ")
	if e.Want == nil {
		return fmt.Sprintf("model %q: several graphs and none tagged [serve]; choose the tags of one: %s", e.Model, have)
	}
	return fmt.Sprintf("model %q: no graph with tags [%s]; the model has %s", e.Model, inLine(strings.Join(e.Want, " ")), have)
}

// SignatureError says that a meta graph has no signature of the wanted name, or none that can be
// taken by default.
type SignatureError struct {
	Model      string   // the model's directory
	Want       string   // "": none was asked for, and no choice is obvious
	Have       []string // the names of the signatures that can be run, sorted
	DidYouMean string   // the nearest of them, or ""
	Err        error    // ErrNoSignatures when Have is empty
}

// Error lists the signatures that the model has.
func (e *SignatureError) Error() string {
	switch {
	case len(e.Have) == 0:
		return fmt.Sprintf("model %q has no signatures: there is nothing to run", e.Model)
	case e.Want == "":
		return fmt.Sprintf("model %q has no signature \"serving_default\"; choose one of: %s", e.Model, inLine(strings.Join(e.Have, ", ")))
	case e.DidYouMean != "":
		return fmt.Sprintf("model %q has no signature %q; did you mean %q?", e.Model, e.Want, e.DidYouMean)
	}
	return fmt.Sprintf("model %q has no signature %q; it has: %s", e.Model, e.Want, inLine(strings.Join(e.Have, ", ")))
}

// Unwrap returns ErrNoSignatures when there are none.
func (e *SignatureError) Unwrap() error { return e.Err }

// nearest returns the candidate with the smallest edit distance to name, or "" when none is close.
func nearest(name string, candidates []string) string {
	best, limit := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(c)); d < limit {
			best, limit = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's. Names longer than 200 bytes are cut, which bounds the work on
// hostile ones.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 200)], b[:min(len(b), 200)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diag, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diag+cost)
		}
	}
	return row[len(b)]
}
