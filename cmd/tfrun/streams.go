package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/internal/lastwords"
	"github.com/tfrun/tfrun/internal/partfile"
)

// process ends the command and its process. Everything that wants to end them calls it, and only
// the first call does.
type process struct {
	std   stdio
	said  *lastwords.Filter // collects what TensorFlow and the model print
	give  func()            // restores the standard streams
	args  []string
	first sync.Once
}

func newProcess(args []string) *process {
	return &process{std: stdio{os.Stdin, os.Stdout, os.Stderr}, give: func() {}, args: args}
}

// takeStreams gives the command streams of its own. What others print to the standard streams, such
// as a model with tf.print, goes to stderr line by line, without characters that steer a terminal.
func (p *process) takeStreams() {
	if out, errs, ok := ownStreams(); ok {
		p.std.out, p.std.err = out, errs
		p.said = &lastwords.Filter{To: errs, Log: verbose(p.args)}
		p.give = divert(p.said, verbose(p.args))
	}
}

// verbose reports whether -v is among the arguments.
func verbose(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return a == "-v" || a == "--verbose" })
}

// exit ends the process, after what was printed has been passed on.
func (p *process) exit(code int, last func()) {
	p.first.Do(func() {
		p.give()
		last()
		os.Exit(code)
	})
	select {} // another call is ending it
}

// How long a command may take to end after the first SIGINT or SIGTERM. A command that runs a model
// keeps what is finished; TensorFlow may be in a run that does not end.
const (
	endWithin    = time.Second
	runEndWithin = 4 * time.Second
)

// interrupt ends a command that does not end by itself after ctx is done.
func (p *process) interrupt(ctx context.Context) {
	within := endWithin
	if slices.ContainsFunc(p.args, func(a string) bool { return a == "predict" || a == "bench" || a == "doctor" }) {
		within = runEndWithin
	}
	context.AfterFunc(ctx, func() {
		time.Sleep(within)
		p.exit(exitInterrupted, func() {
			partfile.AbandonAll()
			fmt.Fprintln(p.std.err, "tfrun: error: interrupted, in the middle of something that does not end")
		})
	})
}

// quits ends the process at SIGQUIT (Ctrl-\), whatever it is doing; with -v after the stacks of all
// goroutines. Go's own handler, which a second SIGQUIT meets, reads stacks while their goroutines
// run on, where it may fault, and in a thread of TensorFlow's it just dies.
func (p *process) quits() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	crash.Go(func() error {
		<-quit
		signal.Reset(syscall.SIGQUIT)
		if verbose(p.args) {
			_ = pprof.Lookup("goroutine").WriteTo(p.std.err, 2) // useful, but not necessary
		}
		return nil
	}, func(error) {
		p.exit(exitInterrupted, func() {
			partfile.AbandonAll()
			fmt.Fprintln(p.std.err, "tfrun: error: interrupted by SIGQUIT")
		})
	})
}

// died ends the process after a library has tried to end it. The thread in which that happened has
// stopped, and finished results are still written.
func (p *process) died(cause string) {
	time.Sleep(2 * flushWithin)
	p.exit(exitDied, func() {
		partfile.AbandonAll()
		text := "TensorFlow has ended the process: " + cause
		if p.said != nil {
			if words := p.said.Words(); words != "" {
				text += ": " + words
			}
		}
		fmt.Fprintf(p.std.err, "tfrun: error: %s\n", oneLine(text))
		if slices.Contains(p.args, "predict") {
			fmt.Fprintln(p.std.err, "tfrun: hint: run the model in a process of its own, which names the row: --isolate; --skip-bad-rows goes on after it")
			fmt.Fprintln(p.std.err, "tfrun: hint: what is finished of a file is kept: --resume goes on from there")
		}
	})
}

// flushWithin is how long a result may wait before it is written to stdout.
const flushWithin = 100 * time.Millisecond
