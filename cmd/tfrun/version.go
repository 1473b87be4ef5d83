package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/tfrun/tfrun/runner"
)

// version is set by the build.
var version = "dev"

func newVersionCmd(std stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version of tfrun, of Go, and how it was built",
		Args:  args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(std.out, versionLine())
			return err
		},
	}
}

// versionLine returns what tfrun version and --version print.
func versionLine() string {
	built := "with libtensorflow (tfrun doctor says which)"
	if !runner.HasTensorFlow {
		built = "without libtensorflow"
	}
	return fmt.Sprintf("tfrun %s, %s %s/%s, built %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, built)
}
