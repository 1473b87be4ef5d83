package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/store"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// Exit codes, as --help lists them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitData        = 3
	exitBadRows     = 4
	exitDied        = 5
	exitInterrupted = 130
	exitClosedPipe  = 141 // as shells report SIGPIPE
)

// badRowsError is returned by a run that has ended with bad rows. Its summary has reported them.
type badRowsError struct{ rows int64 }

func (e *badRowsError) Error() string { return rowCount(e.rows) + " could not be read or run" }

// interruptedError replaces an error after SIGINT or SIGTERM.
type interruptedError struct{ hints []string }

func (e *interruptedError) Error() string   { return "interrupted" }
func (e *interruptedError) Hints() []string { return e.hints }

// keptError is the error of a run whose finished rows are kept.
type keptError struct{ err error }

func (e *keptError) Error() string { return e.err.Error() }
func (e *keptError) Unwrap() error { return e.err }
func (e *keptError) Hints() []string {
	return []string{"what is finished is kept: the same command with --resume goes on from there"}
}

// usageError says that the command line is invalid.
type usageError struct {
	msg     string
	command string // whose --help the hint names
	hint    string // what to type instead of --help, or ""
}

func (e *usageError) Error() string { return e.msg }

// usagef returns a usageError of a command.
func usagef(command, format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...), command: command}
}

// isClosedPipe reports whether the reader of stdout has gone away (| head), so that nobody reads an
// error.
func isClosedPipe(err error) bool {
	var path *fs.PathError
	return errors.Is(err, syscall.EPIPE) && errors.As(err, &path) && path.Path == os.Stdout.Name()
}

// exitCode maps an error to the process's exit code.
func exitCode(err error) int {
	var (
		stopped   *interruptedError
		usage     *usageError
		option    *runner.OptionError
		name      *runner.NameError
		axis      *runner.BatchAxisError
		output    *runner.OutputError
		padding   *runner.PaddingError
		signature *savedmodel.SignatureError
		tags      *savedmodel.TagError
		feed      *runner.FeedError
		syntax    *dataset.SyntaxError
		row       *dataset.Error
		column    *dataset.ColumnError
		limit     *dataset.LimitError
		request   *job.RequestError
		refused   *runner.RowError
		died      *runner.ProcessError
		some      *badRowsError
		madeUp    *job.MadeUpError
	)
	switch {
	case err == nil:
		return exitDone
	case store.KindOf(err) == store.Usage:
		return exitUsage
	case errors.As(err, &stopped):
		return exitInterrupted
	case errors.As(err, &madeUp):
		return exitFailed // not about the user's data
	case errors.As(err, &some):
		return exitBadRows
	case isClosedPipe(err):
		return exitClosedPipe
	case errors.As(err, &died):
		return exitDied
	case errors.As(err, &syntax), errors.As(err, &row), errors.As(err, &refused), errors.As(err, &column), errors.As(err, &limit), errors.As(err, &feed), errors.As(err, &request):
		return exitData
	case errors.As(err, &usage), errors.As(err, &option), errors.As(err, &name), errors.As(err, &axis), errors.As(err, &output), errors.As(err, &padding),
		errors.As(err, &signature), errors.As(err, &tags):
		return exitUsage
	}
	return exitFailed
}

// hints returns at most two lines with what to type next.
func hints(err error) []string {
	var (
		usage     *usageError
		signature *savedmodel.SignatureError
		library   *runner.LibraryError
		limit     *dataset.LimitError
		column    *dataset.ColumnError
		tooMany   *job.BadRowsError
		key       *dataset.KeyError
		hinted    interface{ Hints() []string }
	)
	switch {
	case errors.As(err, &limit):
		return []string{fmt.Sprintf("a larger limit: --%s", limitFlags[limit.Limit])}
	case errors.As(err, &tooMany):
		return []string{"what is finished is kept: --resume goes on with a larger --max-bad-rows"}
	case errors.As(err, &hinted):
		return hinted.Hints()
	case errors.As(err, &column):
		return columnHints(column)
	case errors.As(err, &key):
		return []string{"say which key it is: --column INPUT=KEY", "or, where the key holds a text to encode: --text KEY --vocab FILE"}
	case errors.As(err, &usage):
		if usage.hint != "" {
			return []string{usage.hint}
		}
		return []string{fmt.Sprintf("see: %s --help", usage.command)}
	case errors.As(err, &signature) && len(signature.Callables) > 0:
		name, _, _ := strings.Cut(signature.Callables[0], "(")
		return []string{fmt.Sprintf("save it with one, in Python: tf.saved_model.save(m, DIR, signatures=m.%s)", words.OneLine(name))}
	case errors.As(err, &signature) && len(signature.Have) == 0:
		return nil
	case errors.As(err, &signature):
		return []string{fmt.Sprintf("list the signatures with: tfrun shapes %s", words.ShellFile(signature.Model))}
	case errors.As(err, &library):
		return []string{
			"name the library or its folder: export TFRUN_LIBTENSORFLOW=/usr/local/lib",
			"or get it: tfrun lib",
		}
	case errors.Is(err, runner.ErrNoTensorFlow):
		return []string{"build it with cgo: make build"}
	}
	return nil
}

// columnHints returns how to read an input from a column of another name.
func columnHints(e *dataset.ColumnError) []string {
	if e.Component == "" || e.Msg != "" || len(e.Have) == 0 {
		return nil
	}
	if e.Near != "" {
		return []string{fmt.Sprintf("read it from that column: --column %s", words.Shell(e.Component+"="+e.Near))}
	}
	return []string{fmt.Sprintf("say which column it is, or which stand side by side in it: --column %s, --column %s", words.Shell(e.Component+"=COLUMN"), words.Shell(e.Component+"=f*"))}
}

// cause removes the file's name from a file system's error, for messages that have the name
// already.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// message returns an error's text for people who type flags. They do not know the names of Go's
// options.
func message(err error) string {
	var option *runner.OptionError
	if errors.As(err, &option) {
		return option.Msg
	}
	return err.Error()
}

// oneLineMost is how many bytes of an error are shown. Names of a model's nodes may have any
// length.
const oneLineMost = 2000

// oneLine returns an error as one line, and removes from names in it what would steer a terminal.
// Of a long error the middle is left out.
func oneLine(s string) string {
	s = strings.Map(visible, strings.Join(strings.FieldsFunc(s, isLineBreak), "; "))
	if len(s) <= oneLineMost {
		return s
	}
	head, tail := s[:oneLineMost*3/4], s[len(s)-oneLineMost/4:]
	return strings.ToValidUTF8(head, "") + " … " + strings.ToValidUTF8(tail, "")
}

// visible replaces control characters, and characters that break a line or turn the direction of
// text, by U+FFFD. [strings.Map] does that to bytes that are not UTF-8.
func visible(r rune) rune {
	if r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
		return unicode.ReplacementChar
	}
	return r
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' }
