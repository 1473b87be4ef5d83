package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/runner"
)

func newVersionCmd(std stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version of tfrun, of Go, and how it was built",
		Args:  args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			built := "with libtensorflow (tfrun doctor says which)"
			if !runner.HasTensorFlow {
				built = "without libtensorflow"
			}
			_, err := fmt.Fprintf(std.out, "tfrun %s, %s %s/%s, built %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, built)
			return err
		},
	}
}
