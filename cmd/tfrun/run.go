package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/internal/crash"
)

// run runs the command line, prints its error and returns the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	code, last := execute(ctx, args, std)
	last()
	return code
}

// execute runs the command line. It returns the exit code, and what prints the error: who else ends
// the process meanwhile, after a signal, says so in its place and not beside it.
func execute(ctx context.Context, args []string, std stdio) (code int, last func()) {
	root := newRootCmd(std)
	root.SetArgs(args)
	err := crash.Guard(func() error { return root.ExecuteContext(ctx) })
	if err == nil {
		return exitDone, func() {}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &interruptedError{hints: hints(err)}
	}
	return exitCode(err), func() { printError(err, args, std) }
}

// printError prints an error, and what to type next.
func printError(err error, args []string, std stdio) {
	var fault *crash.Error
	if errors.As(err, &fault) && verbose(args) {
		_, _ = std.err.Write(fault.Stack)
	}
	var some *badRowsError
	if !isClosedPipe(err) && !errors.As(err, &some) {
		fmt.Fprintf(std.err, "tfrun: error: %s\n", oneLine(message(err)))
		for _, hint := range hints(err) {
			fmt.Fprintf(std.err, "tfrun: hint: %s\n", oneLine(hint))
		}
	}
}

const rootLong = `tfrun runs TensorFlow SavedModels without Python: it describes what is inside one,
and runs rows of data through it in padded batches, as tf.data's padded_batch makes them.

MODEL is a SavedModel directory, or a folder of numbered versions (the highest is taken).

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the data does not fit the model,
4 done but for bad rows (predict --skip-bad-rows), 5 the process was ended by TensorFlow
or by Go's runtime, 130 interrupted.`

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
