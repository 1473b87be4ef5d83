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

// ErrNoTensorFlow is the error of everything that needs libtensorflow, in a program that was built
// without cgo.
var ErrNoTensorFlow = errors.New("this program was built without libtensorflow (CGO_ENABLED=0): it can describe models, not run them")

// LibraryError says that libtensorflow could not be opened: in which places it was looked for, and
// what was wrong with each.
type LibraryError struct {
	Tried []LibraryTry // in the order of the search; never empty
}

// LibraryTry is a place where libtensorflow was looked for.
type LibraryTry struct {
	Path   string // a file
	Reason string // from the dynamic linker or the file system
}

// Error returns what is wrong with the first place that has a library, or lists the places if none
// has.
func (e *LibraryError) Error() string {
	var missing []string
	linker := "" // whether the dynamic linker's own search was tried
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

// Error is an error of TensorFlow's, or of the binding.
type Error struct {
	Op   string // what was done: "load", "run"; or which part failed: "graph", "feed", "fetch"
	Msg  string // TensorFlow's message, shortened by [cleanMessage]
	Code Code
}

// opGraph is the Op of errors of a run's graph.
const opGraph = "graph"

// OfGraph reports whether the graph that was to be run is to blame, whatever is fed to it: loops
// that meet, a function that is missing.
func (e *Error) OfGraph() bool { return e.Op == opGraph }

// ofRun are parts of errors that come while a graph runs: an operation has refused its inputs, or a
// value was not taken into the branch of control flow that would have made it. What is missing is
// seen at the end of a run, or where a function that is no part of the graph, but is called,
// returns a float in its place.
var ofRun = []string{"[[{{", "does not have value", "does not match declared output type", "-th output from {{"}

// opOf returns the Op of an error of a run. TensorFlow adds the operation to what an operation has
// refused: without one it has refused to run the graph.
func opOf(msg string) string {
	if slices.ContainsFunc(ofRun, func(part string) bool { return strings.Contains(msg, part) }) {
		return "run"
	}
	return opGraph
}

// Late returns the error of a run that exceeded its timeout.
func Late(timeout time.Duration) *Error {
	return &Error{Op: "run", Msg: fmt.Sprintf("took longer than %v", timeout), Code: DeadlineExceeded}
}

// Error returns the operation and the message.
func (e *Error) Error() string { return e.Op + ": " + e.Msg }

// DTypeError says that tensors of a dtype cannot be moved into or out of TensorFlow.
type DTypeError struct {
	DType tensor.DType
}

// Error names the type.
func (e *DTypeError) Error() string {
	return fmt.Sprintf("dtype %s: its values cannot be fed or fetched, they live inside TensorFlow", e.DType)
}

// opMissing is the beginning of TensorFlow's error about an unknown operation.
const opMissing = "Op type not registered '"

var (
	nodeMark = regexp.MustCompile(`\s*\[\[(\{\{(function_node|node) [^}]*\}\})+\]\]`)
	funcMark = regexp.MustCompile(`\{\{function_node [^}]*\}\}\s*`)
	callMark = regexp.MustCompile(`\s*\[\[[\w/.:-]+\]\]|\s*\[Op:[^\]]*\]( name: *\S*)?`)
	spaces   = regexp.MustCompile(`\s*\n\s*`)
)

// cleanMessage makes a message of TensorFlow's one line. It removes marks of function nodes, which
// repeat names of the graph's functions, stack traces, and repetitions of the first error ("1 root
// error(s) found").
func cleanMessage(msg string) string {
	// The binding appends its own stack to errors of adding an operation.
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
	if i := strings.Index(msg, opMissing); i >= 0 { // the rest is about tf.contrib
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
