package runner

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// isolateEnv marks the process that holds an isolated model.
const isolateEnv = "TFRUN_ISOLATED"

// IsolateMain is to be called first thing in main by a program that uses [Options.Isolate]: the
// model's process is the program itself, started anew, and there IsolateMain serves the model and
// does not return. Elsewhere it does nothing. Of a program that does not call it, [Load] says so,
// in 10 s at the most.
func IsolateMain() {
	if os.Getenv(isolateEnv) == "" {
		return
	}
	os.Exit(serveIsolated())
}

// ProcessError says that the process of an isolated model has died; see [Options.Isolate]. The
// session starts another one when it is used again.
type ProcessError struct {
	// While is what it was doing: "start", "load", "prepare" or "run".
	While string
	// Cause is how it ended: "SIGABRT", "SIGKILL (as when memory runs out)", "no answer in 5s",
	// "exit status 1".
	Cause string
	// Last is what it said last: the line of a failed check of TensorFlow's, or of the C++ runtime;
	// "" where it said nothing.
	Last string
	// Final says that no other one will be started: too many have died without an answer.
	Final bool

	alone bool // nothing else was being run in it
}

// Error gives the cause and the last words.
func (e *ProcessError) Error() string {
	s := e.While + ": the model's process died: " + e.Cause
	if e.Last != "" {
		s += ": " + e.Last
	}
	if e.Final {
		s += fmt.Sprintf(" (given up after %d deaths in a row)", maxDeaths)
	}
	return s
}

const (
	// maxDeaths is how many processes in a row may die without having run anything to its end.
	maxDeaths = 16
	// isolateGrace is how long the process may take beyond a bound that TensorFlow itself is to
	// keep.
	isolateGrace = 2 * time.Second
	// startWithin is how long the program may take to get to IsolateMain: a moment, unless the
	// machine has much else to do.
	startWithin = 30 * time.Second
	// prepareWithin bounds what takes no time: looking things up in the graph.
	prepareWithin = 20 * time.Second
)

// isolated is an engine in another process. A process that dies is replaced when the engine is next
// used, by one that is told the same.
type isolated struct {
	start   func(ctx context.Context) (*process, error) // with the model loaded
	timeout time.Duration

	// turn is held for reading by each run, and for writing by who looks for the row that a process
	// died of.
	turn sync.RWMutex

	mu     sync.Mutex // of what follows
	live   *process
	told   []func(*process) error // what a new process has to be told
	ids    int                    // of programs
	deaths int                    // since the last run that came to its end
	total  int
}

// isolate starts a process and loads the model there; why is that of loadFiles.
func (s *Session) isolate(ctx context.Context, o Options) (e engine, why string, err error) {
	start := func(ctx context.Context) (*process, error) {
		var p *process
		var err error
		why, err = s.withFiles(o, func(dir string, o Options) (err error) {
			p, err = startIsolated(ctx, dir, s.graph.Tags, o)
			return err
		})
		return p, err
	}
	p, err := start(ctx)
	if err != nil {
		return nil, "", err
	}
	return &isolated{start: start, timeout: o.Timeout, live: p}, why, nil
}

// process returns the live process, or a new one.
func (e *isolated) process(ctx context.Context) (*process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.live != nil && !e.live.isDead() {
			return e.live, nil
		}
		if e.live != nil {
			e.deaths++
			e.total++
			died := e.live.died("run")
			e.live = nil
			if died.Final = e.deaths >= maxDeaths; died.Final {
				return nil, died
			}
		} else if e.deaths >= maxDeaths {
			return nil, &ProcessError{While: "run", Cause: "it is not started again", Final: true}
		}
		p, err := e.start(ctx)
		for i := 0; err == nil && i < len(e.told); i++ {
			err = e.told[i](p)
		}
		var died *ProcessError
		switch {
		case err == nil:
			e.live = p
		case errors.As(err, &died) && ctx.Err() == nil:
			e.deaths++
			e.total++
			if died.Final = e.deaths >= maxDeaths; died.Final {
				return nil, died
			}
		default:
			if p != nil {
				p.stop()
			}
			return nil, err
		}
	}
}

// tell makes a request that a later process has to be told as well. A refused one too: it may have
// left something in the graph.
func (e *isolated) tell(request func(*process) error) error {
	err := e.ask(request)
	var died *ProcessError
	if errors.As(err, &died) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, func(p *process) error {
		again := request(p)
		if err != nil && !errors.As(again, &died) {
			return nil
		}
		return again
	})
	return err
}

// ask makes a request, once more where the process dies of it: it may have died before.
func (e *isolated) ask(request func(*process) error) (err error) {
	for range 2 {
		p, startErr := e.process(context.Background())
		if startErr != nil {
			return startErr
		}
		err = request(p)
		var died *ProcessError
		if !errors.As(err, &died) {
			break
		}
	}
	return err
}

// restarts is how many processes have died.
func (e *isolated) restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil && e.live.isDead() {
		return e.total + 1 // and none has been needed since
	}
	return e.total
}

func (e *isolated) prepare(feeds, fetches []string) (program, error) {
	e.mu.Lock()
	e.ids++
	id := e.ids
	e.mu.Unlock()
	err := e.tell(func(p *process) error {
		return p.ask(context.Background(), prepareWithin, "prepare", wirePrepare, prepareRequest{ID: id, Feeds: feeds, Fetches: fetches}, nil)
	})
	if err != nil {
		return nil, err
	}
	return &isolatedProgram{engine: e, id: id}, nil
}

func (e *isolated) addHead(name string, h Head) ([]headTensor, error) {
	h.Labels = nil // known here
	var reply []headReply
	err := e.tell(func(p *process) error {
		reply = nil
		return p.ask(context.Background(), prepareWithin, "prepare", wireHead, headRequest{Tensor: name, Head: h}, &reply)
	})
	added := make([]headTensor, len(reply))
	for i, r := range reply {
		added[i] = headTensor{suffix: r.Suffix, tensor: r.Tensor, dtype: r.DType, label: r.Label}
	}
	return added, err
}

func (e *isolated) devices() (list []Device, err error) {
	err = e.ask(func(p *process) error {
		return p.ask(context.Background(), prepareWithin, "prepare", wireDevices, struct{}{}, &list)
	})
	return list, err
}

func (e *isolated) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil {
		e.live.stop()
	}
	return nil
}

// isolatedProgram is a program whose number the process knows.
type isolatedProgram struct {
	engine *isolated
	id     int
}

// load copies the values, which travel when they are run: they may be needed again.
func (p *isolatedProgram) load(feeds []Feed, _ *recycler) (loaded, error) {
	l := &isolatedCall{program: p, feeds: make([]tensor.Tensor, len(feeds))}
	for i, f := range feeds {
		if err := checkFeed(f); err != nil {
			return nil, err
		}
		var err error
		if f.DType == tensor.String {
			l.feeds[i], err = tensor.FromSlice(f.Strings, f.Dims...)
		} else if l.feeds[i], err = tensor.New(f.DType, f.Dims...); err == nil {
			err = f.Fill(l.feeds[i].Bytes())
		}
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// isolatedCall holds the values of one run.
type isolatedCall struct {
	program *isolatedProgram
	feeds   []tensor.Tensor
}

func (c *isolatedCall) refill([]Feed) (bool, error) { return false, nil }

func (c *isolatedCall) release() {}

func (c *isolatedCall) run(ctx context.Context, other program) ([]tensor.Tensor, error) {
	p := c.program
	if other != nil {
		p = other.(*isolatedProgram)
	}
	p.engine.turn.RLock()
	defer p.engine.turn.RUnlock()
	return p.runWith(ctx, c.feeds)
}

func (c *isolatedCall) values() ([]tensor.Tensor, error) { return c.feeds, nil }

// runWith runs a set of feeds. The engine's turn must be held.
func (p *isolatedProgram) runWith(ctx context.Context, feeds []tensor.Tensor) ([]tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := p.engine
	proc, err := e.process(ctx)
	if err != nil {
		return nil, err
	}
	var out []tensor.Tensor
	err = proc.do(ctx, e.timeout, "run", wireRun,
		func(w *bufio.Writer) error { return writeRun(w, p.id, feeds) },
		func(r *bufio.Reader) (err error) {
			out, err = readTensors(r)
			return err
		})
	var died *ProcessError
	if !errors.As(err, &died) {
		e.mu.Lock()
		e.deaths = 0
		e.mu.Unlock()
	}
	return out, err
}

// ask makes a request whose body and answer are JSON.
func (p *process) ask(ctx context.Context, timeout time.Duration, while string, kind byte, request, reply any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return p.do(ctx, timeout, while, kind,
		func(w *bufio.Writer) error { return writeBytes(w, body) },
		func(r *bufio.Reader) error {
			if reply == nil {
				return nil
			}
			return readJSON(r, reply)
		})
}

// startIsolated starts a process and has it load the model in dir.
func startIsolated(ctx context.Context, dir string, tags []string, o Options) (*process, error) {
	if os.Getenv(isolateEnv) != "" {
		return nil, &OptionError{Option: "Isolate", Msg: "this is the model's process: call runner.IsolateMain at the start of main"}
	}
	p, err := startProcess(isolateStderr)
	if err != nil {
		return nil, fmt.Errorf("start the model's process: %w", err)
	}
	if err := p.await(ctx, startWithin); err != nil {
		return nil, err
	}
	o.Isolate = false
	if err := p.ask(ctx, 0, "load", wireLoad, loadRequest{Dir: dir, Tags: tags, Options: o}, nil); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// isolateStderr is where the lines go that the model's process writes, as they would without it:
// TensorFlow's log and what tf.print says.
var isolateStderr io.Writer = os.Stderr
