package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/internal/words"
)

// flagError returns an error about a flag in the user's words. The text of pflag is about Go's
// parsers.
func flagError(cmd *cobra.Command, err error) error {
	e := &usageError{msg: err.Error(), command: cmd.CommandPath()}
	var unknown *pflag.NotExistError
	var bad *pflag.InvalidValueError
	var bare *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		name := unknown.GetSpecifiedName()
		e.msg = fmt.Sprintf("%s has no flag --%s", cmd.CommandPath(), name)
		if near := nearestFlag(cmd, name); near != "" {
			e.hint = "did you mean --" + near + "? see: " + cmd.CommandPath() + " --help"
		}
	case errors.As(err, &unknown):
		e.msg = fmt.Sprintf("%s has no flag -%s", cmd.CommandPath(), unknown.GetSpecifiedName())
	case errors.As(err, &bad):
		e.msg = fmt.Sprintf("--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), wantedValue(bad))
	case errors.As(err, &bare):
		metavar, _ := flagUsage(bare.GetFlag())
		e.msg = fmt.Sprintf("--%s wants a value: --%s %s", bare.GetFlag().Name, bare.GetFlag().Name, metavar)
	}
	return e
}

// nearestFlag returns the flag of a command that a misspelled name stands for: the only flag that
// begins with it, or one that differs in few letters.
func nearestFlag(cmd *cobra.Command, name string) string {
	var names, begin []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names = append(names, f.Name)
		if len(name) > 2 && strings.HasPrefix(f.Name, name) {
			begin = append(begin, f.Name)
		}
	})
	if len(begin) == 1 {
		return begin[0]
	}
	return words.Nearest(name, names)
}

// wantedValue describes the values of a flag.
func wantedValue(e *pflag.InvalidValueError) string {
	switch e.GetFlag().Value.Type() {
	case "int", "int64", "uint":
		return "want a whole number"
	case "float64":
		return "want a number"
	case "bool":
		return "want true or false"
	case "duration":
		return "want a time with its unit, such as 30s or 5m"
	case "intSlice", "int64Slice":
		return "want whole numbers, separated by commas"
	case "stringSlice":
		return "want names, separated by commas"
	}
	return errors.Unwrap(e).Error()
}

// unknownCommand returns an error for "tfrun shaeps" that names the command that was meant.
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

// args returns a check of the number of arguments, whose error has the words of the command's usage
// line.
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
