package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/lastwords"
	"github.com/tfrun/tfrun/internal/partfile"
)

// process is how a command and the process around it end. Whatever wants to end them comes through
// it, and only the first one does.
type process struct {
	std   stdio
	said  *lastwords.Filter // what TensorFlow and the model print
	give  func()            // takes the standard streams back
	args  []string
	first sync.Once
}

// newProcess gives the command the standard streams for itself. What others print to them, such as
// a model with tf.print, goes to stderr line by line, with nothing that steers a terminal.
func newProcess(args []string) *process {
	p := &process{std: stdio{os.Stdin, os.Stdout, os.Stderr}, give: func() {}, args: args}
	if out, errs, ok := ownStreams(); ok {
		p.std.out, p.std.err = out, errs
		p.said = &lastwords.Filter{To: errs}
		p.give = divert(p.said)
	}
	return p
}

// exit ends the process, once what was printed has arrived.
func (p *process) exit(code int, last func()) {
	p.first.Do(func() {
		p.give()
		last()
		os.Exit(code)
	})
	select {} // another one is ending it
}

// How long a command may take to end by itself after the first SIGINT or SIGTERM. One that runs a
// model keeps what is finished; TensorFlow may be in a run that does not end.
const (
	endWithin    = time.Second
	runEndWithin = 4 * time.Second
)

// interrupt ends a command that does not do so by itself once ctx is done.
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

// died ends the process after TensorFlow has done so in truth: the thread that it happened on
// stands still, and results that are finished still go out.
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
