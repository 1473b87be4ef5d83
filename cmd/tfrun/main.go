// Command tfrun runs TensorFlow SavedModels and explains their shapes. `tfrun help` lists its
// commands.
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
	log.SetOutput(io.Discard) // libraries of stores would repeat what tfrun reports
	boundGarbage()
	runner.IsolateMain() // does all of the work of a process for predict --isolate
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the work in an orderly way. Then the default is restored, so that a
	// second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	p := newProcess(os.Args[1:])
	// Without this, Go would print the stacks of all goroutines when a library ends the process.
	_ = runner.CatchDeath(p.died)
	p.takeStreams()
	p.interrupt(ctx)
	p.quits()
	code, last := execute(ctx, p.args, p.std)
	stop()
	p.exit(code, last)
}
