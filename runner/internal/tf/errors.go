package tf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// ErrNoTensorFlow is returned by everything that needs libtensorflow in a program that was built
// without cgo.
var ErrNoTensorFlow = errors.New("this program was built without libtensorflow (CGO_ENABLED=0): it can describe models, not run them")

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
	linker := "" // whether the dynamic linker was asked
	for _, t := range e.Tried {
		if !filepath.IsAbs(t.Path) {
			linker = ", nor where the dynamic linker looks"
			continue
		}
		if _, err := os.Stat(t.Path); err == nil {
			return fmt.Sprintf("libtensorflow %q: %s", t.Path, t.Reason)
		}
		missing = append(missing, filepath.Dir(t.Path))
	}
	if len(missing) == 0 {
		return fmt.Sprintf("libtensorflow %q: %s", e.Tried[0].Path, e.Tried[0].Reason)
	}
	return "libtensorflow is not in " + strings.Join(slices.Compact(missing), ", ") + linker
}

// Error is what TensorFlow, or the binding, says of a call.
type Error struct {
	Op   string // what was being done: "load", "run", or with the cause: "feed", "fetch"
	Msg  string // TensorFlow's message, shortened by [cleanMessage]
	Code Code
}

// Late is the error of a run that its timeout ended.
func Late(timeout time.Duration) *Error {
	return &Error{Op: "run", Msg: fmt.Sprintf("took longer than %v", timeout), Code: DeadlineExceeded}
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

// opMissing begins what TensorFlow says of an operation that it does not have.
const opMissing = "Op type not registered '"

var (
	nodeMark = regexp.MustCompile(`\s*\[\[(\{\{(function_node|node) [^}]*\}\})+\]\]`)
	funcMark = regexp.MustCompile(`\{\{function_node [^}]*\}\}\s*`)
	callMark = regexp.MustCompile(`\s*\[\[[\w/.:-]+\]\]|\s*\[Op:[^\]]*\]( name: *\S*)?`)
	spaces   = regexp.MustCompile(`\s*\n\s*`)
)

// cleanMessage makes one line of a message of TensorFlow: without the marks of function nodes,
// which repeat the names of the graph's functions, without stack traces, and without what follows
// from the first error ("1 root error(s) found").
func cleanMessage(msg string) string {
	// The binding adds its own stack to the error of an operation that it adds to a graph.
	msg, _, _ = strings.Cut(msg, " (Stacktrace: goroutine")
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
	if i := strings.Index(msg, opMissing); i >= 0 { // what follows is about tf.contrib
		if j := strings.Index(msg[i:], " in binary"); j > 0 {
			msg = msg[:i+j]
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
