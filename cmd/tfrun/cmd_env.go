package main

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/internal/cache"
	"github.com/tfrun/tfrun/internal/cgoenv"
)

const envLong = `Sets Go up for programs that use the package runner: lays the headers of TensorFlow's C API and a
stand-in for the library into the cache, and prints the variables with which go build finds them.
libtensorflow need not be there: a program opens it when it loads its first model, from
Options.Library, TFRUN_LIBTENSORFLOW, the program's folder (or lib in it, or beside it), the dynamic
linker's path or the cache, where tfrun lib puts it.

With -w the variables go into Go's own environment (go env GOENV) instead, beside what stands there,
so that every module of this user builds; -u takes them out again. CC names another C compiler, such
as one for another processor.`

const envExample = `  tfrun env -w     # once a machine; then go get, go build as ever
  eval "$(tfrun env)"
  export CC=aarch64-linux-gnu-gcc GOARCH=arm64; eval "$(tfrun env)"
  CGO_ENABLED=0 go run github.com/tfrun/tfrun/cmd/tfrun@latest env -w`

func newEnvCmd(std stdio) *cobra.Command {
	var write, undo bool
	cmd := &cobra.Command{
		Use:     "env",
		Short:   "set Go up for programs that use package runner",
		Long:    envLong,
		Example: envExample,
		Args:    args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if write && undo {
				return &usageError{msg: "env: -w and -u: want one of them"}
			}
			dir, err := cache.Dir()
			if err != nil {
				return err
			}
			lay := cgoenv.Install
			if undo {
				lay = cgoenv.Folder
			}
			if dir, err = lay(cmd.Context(), dir, cmp.Or(strings.TrimSpace(os.Getenv("CC")), "gcc")); err != nil {
				return err
			}
			if !write && !undo {
				return printEnv(std, dir)
			}
			file, err := cgoenv.Write(cmd.Context(), dir, undo)
			switch {
			case err != nil:
				return err
			case undo:
				std.note("took tfrun's flags out of %s", file)
			default:
				std.note("wrote tfrun's flags to %s: go build works in every module now", file)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the variables to Go's own environment")
	cmd.Flags().BoolVarP(&undo, "undo", "u", false, "take them out of Go's own environment")
	return cmd
}

// printEnv prints lines for a shell to evaluate. Evaluating them twice changes nothing.
func printEnv(std stdio, dir string) error {
	lines := []string{"export CGO_ENABLED=1"}
	for _, f := range cgoenv.Flags(dir) {
		value := cmp.Or(os.Getenv(f.Name), "-O2 -g")
		lines = append(lines, "export "+f.Name+"="+shellQuote(f.With(value)))
	}
	_, err := fmt.Fprintln(std.out, strings.Join(lines, "\n"))
	return err
}
