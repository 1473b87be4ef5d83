package isolate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/internal/lastwords"
	"github.com/tfrun/tfrun/runner/internal/option"
	"github.com/tfrun/tfrun/runner/internal/tf"
)

// markEnv is the environment variable that marks the process of an isolated model. It says whether
// the process that starts it is bounded, see [tf.BoundMemory].
const markEnv = "TFRUN_ISOLATED"

// ProcessError says that the process of an isolated model has died. The session starts another one
// when it is used again.
type ProcessError struct {
	// While is what the process was doing: "start", "load", "prepare" or "run".
	While string
	// Cause is how it ended: "SIGABRT", "SIGKILL (as when memory runs out)", "no answer in 5s",
	// "exit status 1".
	Cause string
	// Last is the last line that the process printed: a failed check of TensorFlow's, or one of the
	// C++ runtime; "" if it printed nothing.
	Last string
	// Final says that no other process will be started, since too many have died without an answer.
	Final bool

	// Alone says that the process was running nothing else.
	Alone bool

	outside bool // somebody else has killed it: the system where memory ran out, or an operator
}

// Error gives the cause and the last words.
func (e *ProcessError) Error() string {
	s := e.While + ": the model's process died: " + e.Cause
	if e.Last != "" {
		s += ": " + e.Last
	}
	if e.Final {
		s += fmt.Sprintf(" (given up after %d deaths in a row, before the model was loaded)", maxDeaths)
	}
	return s
}

const (
	// maxDeaths is how many processes in a row may die before the model is loaded. Deaths during
	// runs do not count, since any row may be deadly.
	maxDeaths = 16
	// firstLoads is how often loading is tried where the first processes are killed from outside.
	firstLoads = 3
	// grace is how much longer than a bound that TensorFlow keeps the process may take.
	grace = 2 * time.Second
	// startWithin bounds the time until the program calls IsolateMain: a moment, unless the machine
	// is very busy.
	startWithin = 30 * time.Second
	// prepareWithin bounds looking up tensors in the graph, which takes no time.
	prepareWithin = 20 * time.Second
)

// wireBuffer is the size of buffers for frames and short messages. Values of tensors pass them by.
const wireBuffer = 64 << 10

// Process is this program, started once more to serve a model. It ends when the pipe of requests is
// closed, which the kernel does whatever becomes of this process. So PR_SET_PDEATHSIG is not
// needed; it is tied to the thread that has started the process.
type Process struct {
	cmd      *exec.Cmd
	requests *os.File
	stderr   *lastwords.Filter

	writing sync.Mutex // guards w
	w       *bufio.Writer

	mu      sync.Mutex // guards the fields below
	pending map[uint32]*request
	next    uint32
	crowded bool   // it was running several requests when it died
	killed  string // why it was ended; "": it was not
	cause   string // how it has died

	ready chan struct{} // closed when the process serves
	dead  chan struct{} // closed when the process is gone and nothing is pending
}

// request is a request that waits for its answer.
type request struct {
	decode func(*bufio.Reader) error
	done   chan error
}

// startProcess starts the program once more; see [Main].
func startProcess(stderr io.Writer) (*Process, error) {
	in, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, out, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, in.Close(), requests.Close())
	}
	p := &Process{
		requests: requests, stderr: &lastwords.Filter{To: stderr}, w: bufio.NewWriterSize(requests, wireBuffer),
		pending: map[uint32]*request{}, ready: make(chan struct{}), dead: make(chan struct{}),
	}
	growPipe(in)
	growPipe(out)
	p.cmd = exec.Command(self()) //nolint:noctx // it outlives the call that starts it
	p.cmd.Args[0] = os.Args[0]
	p.cmd.Env = append(os.Environ(), markEnv+"="+strconv.FormatBool(tf.Bounded()))
	p.cmd.ExtraFiles = []*os.File{in, out}
	// What the process prints must not get between the results.
	p.cmd.Stdout, p.cmd.Stderr = p.stderr, p.stderr
	// Processes that have inherited its stderr are not waited for.
	p.cmd.WaitDelay = time.Second
	ownGroup(p.cmd)
	err = p.cmd.Start()
	closed := errors.Join(in.Close(), out.Close())
	if err != nil {
		return nil, errors.Join(err, closed, requests.Close(), answers.Close())
	}
	oomVictim(p.cmd.Process.Pid)
	crash.Go(func() error { return p.readAnswers(answers) }, func(err error) { p.finish(answers, err) })
	return p, nil
}

// await waits until the process serves. A program that does not call [Main] never does, and is
// ended.
func (p *Process) await(ctx context.Context, within time.Duration) error {
	late := time.NewTimer(within)
	defer late.Stop()
	why := fmt.Sprintf("has not called runner.IsolateMain within %v", within)
	select {
	case <-p.ready:
		return nil
	case <-ctx.Done():
		p.kill("interrupted")
		<-p.dead
		return ctx.Err()
	case <-late.C:
		p.kill(why)
		<-p.dead
	case <-p.dead:
		select {
		// If it has died since, the first request reports it.
		case <-p.ready:
			return nil
		default:
		}
		// Go's runtime ends with 2 where it cannot begin, as for want of threads.
		if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && (status.Signaled() || status.ExitStatus() == 2) {
			return p.died("start")
		}
		why = fmt.Sprintf("ended (%v) without calling runner.IsolateMain", p.cmd.ProcessState)
	}
	return &option.Error{Option: "Isolate", Msg: "the program, started anew to hold the model, " + why + ": call it first thing in main"}
}

// readAnswers reads answers until there are no more, or until one is invalid.
func (p *Process) readAnswers(answers *os.File) error {
	r := bufio.NewReaderSize(answers, wireBuffer)
	kind, _, err := readFrame(r)
	switch {
	case err == nil && kind == wireReady:
		close(p.ready)
	case err == nil:
		err = errWire
	}
	for err == nil {
		err = p.answer(r)
	}
	return err
}

// finish waits for the process to end after its last answer, and ends the requests without an
// answer.
func (p *Process) finish(answers *os.File, err error) {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		p.kill(fmt.Sprintf("its answer is damaged (%v)", err))
	}
	_ = answers.Close()
	// Nothing more can come from the process.
	late := time.AfterFunc(grace, func() { _ = p.cmd.Process.Kill() })
	waited := p.cmd.Wait()
	late.Stop()
	_ = p.requests.Close() // closing it twice does no harm
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cause = howEnded(p.cmd.ProcessState, waited)
	if p.killed != "" {
		p.cause = p.killed
	}
	p.crowded = len(p.pending) > 1
	clear(p.pending)
	close(p.dead)
}

// answer reads one answer and hands it to the request that waits for it.
func (p *Process) answer(r *bufio.Reader) error {
	kind, id, err := readFrame(r)
	if err != nil {
		return err
	}
	p.mu.Lock()
	q := p.pending[id]
	p.mu.Unlock()
	if q == nil {
		return errWire
	}
	var result error
	switch kind {
	case wireOK:
		err = q.decode(r)
	case wireError:
		var f wireFault
		if err = readJSON(r, &f); err == nil {
			result = f.err()
		}
	default:
		err = errWire
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.pending, id)
	p.mu.Unlock()
	q.done <- result
	return nil
}

// do makes a request and waits for its answer, which decode reads. The process keeps the timeout
// (0: none) itself, and is ended if it does not, or if it does not answer for some time after ctx
// is done.
func (p *Process) do(ctx context.Context, timeout time.Duration, while string, kind byte, encode func(*bufio.Writer) error, decode func(*bufio.Reader) error) error {
	q := &request{decode: decode, done: make(chan error, 1)}
	p.mu.Lock()
	if p.isDead() {
		p.mu.Unlock()
		return p.died(while)
	}
	p.next++
	id := p.next
	p.pending[id] = q
	p.mu.Unlock()
	defer p.watch(ctx, timeout)()

	p.writing.Lock()
	// A process that dies before it has read everything is noticed below.
	_ = errors.Join(writeFrame(p.w, kind, id), encode(p.w), p.w.Flush())
	p.writing.Unlock()
	select {
	case err := <-q.done:
		return err
	case <-p.dead:
	}
	select {
	case err := <-q.done:
		return err
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.died(while)
}

// watch ends the process if a request takes too long. The returned function ends the watch.
func (p *Process) watch(ctx context.Context, timeout time.Duration) (stop func()) {
	var timers []*time.Timer
	if timeout > 0 {
		limit := timeout + max(grace, timeout/4)
		timers = append(timers, time.AfterFunc(limit, func() { p.kill(fmt.Sprintf("no answer in %v", limit)) }))
	}
	var mu sync.Mutex
	over := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		timers = append(timers, time.AfterFunc(grace, func() { p.kill("interrupted") }))
	})
	return func() {
		over()
		mu.Lock()
		defer mu.Unlock()
		for _, t := range timers {
			t.Stop()
		}
	}
}

func (p *Process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// died describes the death of a dead process.
func (p *Process) died(while string) *ProcessError {
	<-p.dead
	p.mu.Lock()
	defer p.mu.Unlock()
	e := &ProcessError{While: while, Cause: p.cause, Alone: !p.crowded}
	if p.killed == "" {
		e.Last = p.stderr.Words()
		status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
		e.outside = ok && status.Signaled() && slices.Contains([]syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}, status.Signal())
	}
	return e
}

// kill ends the process at once; why is the cause to report.
func (p *Process) kill(why string) {
	p.mu.Lock()
	if p.killed == "" {
		p.killed = why
	}
	p.mu.Unlock()
	_ = p.cmd.Process.Kill() // it may be gone already
}

// stop ends the process by closing its requests, and waits for it.
func (p *Process) stop() {
	_ = p.requests.Close()
	select {
	case <-p.dead:
	case <-time.After(grace):
		p.kill("closed")
		<-p.dead
	}
}

// howEnded describes how a process has ended.
func howEnded(state *os.ProcessState, err error) string {
	if state == nil {
		return err.Error()
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		name := signalName(status.Signal())
		if status.Signal() == syscall.SIGKILL {
			name += " (as when memory runs out)"
		}
		return name
	}
	return state.String()
}
