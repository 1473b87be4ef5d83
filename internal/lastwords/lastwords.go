// Package lastwords passes on what TensorFlow and models print to standard error, line by line and
// with escapes for characters that steer a terminal. What is printed when a process dies it keeps,
// for the error that reports the death.
package lastwords

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/tfrun/tfrun/internal/words"
)

// fatalLine matches the first line that TensorFlow, C++ or the C library prints before it ends the
// process:
//
//	2026-01-31 12:00:00.000000: F tensorflow/core/framework/tensor_shape.cc:356] Check failed: …
//	F0000 00:00:1769860800.000000    1234 tensor.cc:1] Check failed: …
//	terminate called after throwing an instance of 'std::bad_alloc'
//	double free or corruption (out)
var fatalLine = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: F |F\d{4} \d\d:\d\d:|terminate called |(double )?free\(?\)?(:| or )|malloc\(?\)?:|munmap_chunk\(\)|corrupted |realloc\(\)|\*\*\* |fatal error: |SIG[A-Z]+: |panic: )`)

// logMark matches what TensorFlow's log writes before a message.
var logMark = regexp.MustCompile(`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: F |F\d{4} \S+\s+\d+ )`)

// preface is the line that Abseil writes once, before its first line.
const preface = "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR"

// libraryLine matches a line of the log of RE2, which has one of its own. It is about a regular
// expression that an operation returns as its error, too.
var libraryLine = regexp.MustCompile(`^external/\S*re2\S*\.(cc|h):\d+: `)

// Filter passes on the lines that a process prints, up to the first fatal one, but for Abseil's
// preface and RE2's log. The fatal one and those after it are kept, for [Filter.Words].
type Filter struct {
	To  io.Writer
	Log bool // RE2's log is passed on, too

	mu    sync.Mutex
	line  []byte   // beginning of a line
	fatal []string // from the first fatal line on
}

// maxWord bounds the bytes of a line, and maxWords the number of lines that are kept.
const (
	maxWord  = 8 << 10
	maxWords = 4
)

// Write takes the next printed bytes.
func (l *Filter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		l.line = append(l.line, line...)
		if b = rest; whole || len(l.line) >= maxWord {
			l.pass()
		}
	}
	return n, nil
}

// pass passes a whole line on, or keeps it.
func (l *Filter) pass() {
	line := strings.TrimRight(string(l.line), "\r")
	l.line = l.line[:0]
	if line == preface || !l.Log && libraryLine.MatchString(line) {
		return // it is about the library's log, not about the model
	}
	if l.fatal == nil && !fatalLine.MatchString(line) {
		// An error means that nobody reads what is printed.
		_, _ = io.WriteString(l.To, words.OneLine(line)+"\n")
		return
	}
	if len(l.fatal) < maxWords && strings.TrimSpace(line) != "" {
		l.fatal = append(l.fatal, line)
	}
}

// Words returns the kept lines as one line.
func (l *Filter) Words() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.pass()
	}
	if len(l.fatal) == 0 {
		return ""
	}
	first := logMark.ReplaceAllString(l.fatal[0], "")
	// The place in TensorFlow's source is of no use to the user of a model.
	if _, msg, ok := strings.Cut(first, "] "); ok && first != l.fatal[0] {
		first = msg
	}
	if strings.HasPrefix(first, "Non-OK-status: ") && len(l.fatal) > 1 {
		if status, ok := strings.CutPrefix(strings.TrimSpace(l.fatal[1]), "Status: "); ok {
			first = "Check failed: " + status
		}
	}
	if rest, ok := strings.CutPrefix(first, "terminate called after throwing an instance of "); ok {
		first = "C++ exception " + strings.Trim(rest, "'")
		if len(l.fatal) > 1 {
			if what, ok := strings.CutPrefix(strings.TrimSpace(l.fatal[1]), "what():"); ok && !strings.Contains(first, strings.TrimSpace(what)) {
				first += ": " + strings.TrimSpace(what)
			}
		}
	}
	return strings.TrimSpace(first)
}
