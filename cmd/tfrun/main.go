// Command tfrun runs TensorFlow SavedModels and explains their shapes. `tfrun help` lists what it
// can do.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/runner"
)

// version is set by the build.
var version = "dev"

func main() {
	runner.IsolateMain() // the process of predict --isolate, which does nothing else
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the work in good order; after that the default is back, so that a
	// second one ends the process at once.
	context.AfterFunc(ctx, stop)
	p := newProcess(os.Args[1:])
	p.interrupt(ctx)
	// Without it, Go ends the process with the stacks of all goroutines.
	_ = runner.CatchDeath(p.died)
	code := run(ctx, p.args, p.std)
	stop()
	p.exit(code, nil)
}

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

// versionLine is what tfrun version, and --version, print.
func versionLine() string {
	built := "with libtensorflow (tfrun doctor says which)"
	if !runner.HasTensorFlow {
		built = "without libtensorflow"
	}
	return fmt.Sprintf("tfrun %s, %s %s/%s, built %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, built)
}
