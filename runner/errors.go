package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/tensor"
)

var (
	// ErrNoTensorFlow is returned by everything that needs libtensorflow in a program that was
	// built without cgo.
	ErrNoTensorFlow = errors.New("this program was built without libtensorflow (CGO_ENABLED=0): it can describe models, not run them")

	// ErrClosed is returned by the methods of a [Session] after [Session.Close].
	ErrClosed = errors.New("the session is closed")
)

// LibraryError says that libtensorflow could not be opened: where it was looked for, and why each
// place failed.
type LibraryError struct {
	Tried []LibraryTry // in the order of the search; never empty
}

// LibraryTry is one place where libtensorflow was looked for.
type LibraryTry struct {
	Path   string // a file
	Reason string // what the dynamic linker, or the file system, says
}

// Error gives the reason of the first place where there is a library, or lists the places where
// there is none.
func (e *LibraryError) Error() string {
	var missing []string
	for _, t := range e.Tried {
		if !filepath.IsAbs(t.Path) {
			continue // looked for by the dynamic linker
		}
		if _, err := os.Stat(t.Path); err == nil {
			return fmt.Sprintf("libtensorflow %q: %s", t.Path, t.Reason)
		}
		missing = append(missing, filepath.Dir(t.Path))
	}
	if len(missing) == 0 {
		return fmt.Sprintf("libtensorflow %q: %s", e.Tried[0].Path, e.Tried[0].Reason)
	}
	return "libtensorflow is not in " + strings.Join(missing, ", ") + ", nor where the dynamic linker looks"
}

// The errors of output files.
type (
	// OutputFileError is an error of writing an output: a disk that is full, a directory that is
	// gone. Its fields are Path, the output, and Err, the cause.
	OutputFileError = partfile.OutputFileError
	// ResumeError says why an interrupted run cannot be gone on with. Its fields are Output, and
	// Msg, the reason.
	ResumeError = partfile.ResumeError
)

// FeedError says that a tensor does not fit an input of the signature.
type FeedError struct {
	Input     string // the input's name in the signature
	WantDType tensor.DType
	WantShape tensor.Shape
	GotDType  tensor.DType
	GotShape  tensor.Shape
}

// Error says what was wanted and what came.
func (e *FeedError) Error() string {
	return fmt.Sprintf("input %q: want %s %s, got %s %s", e.Input, e.WantDType, e.WantShape, e.GotDType, e.GotShape)
}

// NameError says that a name is none of those there are, or that one that is needed is missing.
type NameError struct {
	Kind    string   // "input", "output" or "signature"
	Name    string   // the name in question
	Missing bool     // the name is needed and was not given
	Have    []string // the names there are, sorted
}

// Error names the names there are.
func (e *NameError) Error() string {
	have := "it has none"
	if len(e.Have) > 0 {
		have = "it has " + strings.Join(e.Have, ", ")
	}
	if e.Missing {
		return fmt.Sprintf("%s %q: nothing given for it", e.Kind, e.Name)
	}
	return fmt.Sprintf("%s %q: the signature has no such %s; %s", e.Kind, e.Name, e.Kind, have)
}

// Error is what TensorFlow, or the binding, says of a call.
type Error struct {
	Op  string // what was being done: "load", "run", or with the cause: "feed", "fetch"
	Msg string // TensorFlow's message, shortened by [cleanMessage]
	// TF_Code of tensorflow/c/tf_status.h: 8 is RESOURCE_EXHAUSTED; 0 where there is none
	Code int
}

// Error returns the operation and the message.
func (e *Error) Error() string { return e.Op + ": " + e.Msg }

// DTypeError says that a tensor's dtype cannot be moved into or out of TensorFlow.
type DTypeError struct {
	DType tensor.DType
}

// Error names the type.
func (e *DTypeError) Error() string {
	return fmt.Sprintf("dtype %s: its values cannot be fed or fetched, they live inside TensorFlow", e.DType)
}

var (
	nodeMark = regexp.MustCompile(`\s*\[\[(\{\{(function_node|node) [^}]*\}\})+\]\]`)
	funcMark = regexp.MustCompile(`\{\{function_node [^}]*\}\}\s*`)
	callMark = regexp.MustCompile(`\s*\[\[[\w/.:-]+\]\]|\s*\[Op:[^\]]*\]( name: *\S*)?`)
	spaces   = regexp.MustCompile(`\s*\n\s*`)
)

// shortReason is the first sentence of an error of TensorFlow's, of which XLA's are pages long.
func shortReason(err error) string {
	msg := err.Error()
	var tfErr *Error
	if errors.As(err, &tfErr) {
		msg = tfErr.Msg
	}
	msg, _, _ = strings.Cut(msg, "; ")
	if r := []rune(msg); len(r) > 300 {
		msg = string(r[:300]) + "…"
	}
	return msg
}

// cleanMessage makes one line of a message of TensorFlow: without the marks of function nodes,
// which repeat the names of the graph's functions, without stack traces, and without what follows
// from the first error ("1 root error(s) found").
func cleanMessage(msg string) string {
	if i := strings.Index(msg, "root error(s) found."); i >= 0 {
		msg = msg[i+len("root error(s) found."):]
		if j := strings.Index(msg, "(1) "); j >= 0 {
			msg = msg[:j]
		}
		if _, rest, ok := strings.Cut(msg, "(0) "); ok {
			msg = rest
			if code, text, ok := strings.Cut(msg, ": "); ok && !strings.Contains(code, " ") {
				msg = text
			}
		}
	}
	msg = nodeMark.ReplaceAllString(msg, "")
	msg = funcMark.ReplaceAllString(msg, "")
	msg = callMark.ReplaceAllString(msg, "")
	lines := slices.DeleteFunc(spaces.Split(strings.TrimSpace(msg), -1), func(s string) bool {
		return s == "" || s == "<stack traces unavailable>" || strings.HasPrefix(s, "Detected at node") ||
			strings.HasPrefix(s, "Graph execution error") || strings.HasPrefix(s, "0 successful operations") ||
			strings.HasSuffix(s, "derived errors ignored.") || strings.HasPrefix(s, "Hint: If you want to see a list of allocated tensors")
	})
	return strings.Join(lines, "; ")
}
