package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tfrun/tfrun/internal/words"
	"golang.org/x/term"
)

// stdio holds the streams of a command. Results go to out; progress, warnings and errors go to err.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// terminal reports whether w is a terminal, and returns its number of columns.
func terminal(w io.Writer) (columns int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	return columns, err == nil && columns > 0
}

// note writes a line about the command's work to stderr, without what would steer a terminal.
func (s stdio) note(format string, args ...any) {
	fmt.Fprintf(s.err, "tfrun: %s\n", words.OneLine(fmt.Sprintf(format, args...)))
}

// wrapped breaks a text into lines of at most the given width, between words.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// lineWidth returns the width for text: the terminal's, within the range that is easy to read.
func lineWidth(std stdio) int {
	if columns, ok := terminal(std.out); ok {
		return min(max(columns, 40), 100)
	}
	return 80
}

// rowCount returns "1 row", "2,560 rows".
func rowCount(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return words.Thousands(n) + " rows"
}

// quietTensorFlow silences TensorFlow's log, unless -v was given or the user has set the level. It
// must be called before libtensorflow is opened.
func quietTensorFlow(cmd *cobra.Command) error {
	const level = "TF_CPP_MIN_LOG_LEVEL"
	verbose, err := cmd.Flags().GetBool("verbose")
	if err != nil || verbose {
		return err
	}
	if _, set := os.LookupEnv(level); set {
		return nil
	}
	return os.Setenv(level, "3") // only fatal errors
}
