// Command tfrun runs TensorFlow SavedModels and explains their shapes. `tfrun help` lists what it
// can do.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/tfrun/tfrun/runner"
)

func main() {
	log.SetOutput(io.Discard) // libraries of stores may print what tfrun says itself
	runner.IsolateMain()      // the process of predict --isolate, which does nothing else
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the work in good order; after that the default is back, so that a
	// second one ends the process at once.
	context.AfterFunc(ctx, stop)
	p := newProcess(os.Args[1:])
	p.interrupt(ctx)
	// Without it, Go ends the process with the stacks of all goroutines.
	_ = runner.CatchDeath(p.died)
	code, last := execute(ctx, p.args, p.std)
	stop()
	p.exit(code, last)
}
