package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner"
)

// stdio holds the streams that a command may use. Results go to out; progress, warnings and errors
// go to err.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// terminal reports whether w is a terminal, and how many columns it has.
func terminal(w io.Writer) (columns int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return columns, err == nil && columns > 0
}

// note writes a line about what the command does to stderr.
func (s stdio) note(format string, args ...any) {
	fmt.Fprintf(s.err, "tfrun: "+format+"\n", args...)
}

// run runs the command line and returns the exit code. Only run prints an error.
func run(ctx context.Context, args []string, std stdio) int {
	root := newRootCmd(std)
	root.SetArgs(args)
	err := crash.Guard(func() error { return root.ExecuteContext(ctx) })
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &interruptedError{hints: hints(err)}
	}
	var fault *crash.Error
	if errors.As(err, &fault) && slices.ContainsFunc(args, func(a string) bool { return a == "-v" || a == "--verbose" }) {
		_, _ = std.err.Write(fault.Stack)
	}
	var some *badRowsError
	if !isClosedPipe(err) && !errors.As(err, &some) {
		fmt.Fprintf(std.err, "tfrun: error: %s\n", oneLine(message(err)))
		for _, hint := range hints(err) {
			fmt.Fprintf(std.err, "tfrun: hint: %s\n", oneLine(hint))
		}
	}
	return exitCode(err)
}

// message is an error's text for people who type flags: they know nothing of the names of Go's
// options.
func message(err error) string {
	var option *runner.OptionError
	if errors.As(err, &option) {
		return option.Msg
	}
	return err.Error()
}

// oneLineMost is how many bytes of an error are shown: names of a model's nodes may be of any
// length.
const oneLineMost = 2000

// oneLine keeps an error on the one line that it is promised to take, and names in it from steering
// the terminal. Of a long one the middle is left out.
func oneLine(s string) string {
	s = strings.Map(visible, strings.Join(strings.FieldsFunc(s, isLineBreak), "; "))
	if len(s) <= oneLineMost {
		return s
	}
	head, tail := s[:oneLineMost*3/4], s[len(s)-oneLineMost/4:]
	return strings.ToValidUTF8(head, "") + " … " + strings.ToValidUTF8(tail, "")
}

// visible puts U+FFFD in the place of control characters, and of those that break a line or turn
// the direction of text around; that of bytes that are no UTF-8 is taken by [strings.Map].
func visible(r rune) rune {
	if r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
		return unicode.ReplacementChar
	}
	return r
}

func isLineBreak(r rune) bool { return r == '\n' || r == '\r' }

const rootLong = `tfrun runs TensorFlow SavedModels without Python: it describes what is inside one,
and runs rows of data through it in padded batches, as tf.data's padded_batch makes them.

MODEL is a SavedModel directory, or a folder of numbered versions (the highest is taken).

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the data does not fit the model,
4 done but for bad rows (predict --skip-bad-rows), 5 TensorFlow has ended its process,
130 interrupted.`

func newRootCmd(std stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "tfrun",
		Short:         "run any TensorFlow SavedModel, with the padding right and the shapes explained",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(flagError)
	root.Version = version
	root.SetVersionTemplate(versionLine())
	root.PersistentFlags().BoolP("verbose", "v", false, "let TensorFlow's own log lines through")
	root.AddCommand(newShapesCmd(std), newScanCmd(std), newPredictCmd(std), newBenchCmd(std), newDoctorCmd(std), newEnvCmd(std), newLibCmd(std), newVersionCmd(std), newManCmd(std))
	addHelp(root, std)
	return root
}

// unknownCommand turns "tfrun shaeps" into an error with what was meant.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	e := &usageError{msg: fmt.Sprintf("unknown command %q", args[0]), command: cmd.CommandPath()}
	cmd.SuggestionsMinimumDistance = 3
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		e.hint = fmt.Sprintf("did you mean: tfrun %s", near[0])
	}
	return e
}

// args returns a check of the number of arguments, with a message in the words of the command's own
// usage line.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		return &usageError{
			msg:     fmt.Sprintf("%s: got %d arguments; usage: %s", cmd.CommandPath(), len(args), cmd.UseLine()),
			command: cmd.CommandPath(),
		}
	}
}

// quietTensorFlow silences TensorFlow's own log lines unless -v was given or the user has set the
// level. It counts only before libtensorflow is opened.
func quietTensorFlow(cmd *cobra.Command) error {
	const level = "TF_CPP_MIN_LOG_LEVEL"
	verbose, err := cmd.Flags().GetBool("verbose")
	if err != nil || verbose {
		return err
	}
	if _, set := os.LookupEnv(level); set {
		return nil
	}
	return os.Setenv(level, "3") // 3: fatal errors alone
}
