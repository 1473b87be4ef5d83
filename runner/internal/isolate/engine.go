package isolate

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

	"github.com/tfrun/tfrun/internal/lastwords"
	"github.com/tfrun/tfrun/runner/internal/option"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// Engine is a [tf.Engine] in another process. A process that dies is replaced when the engine is
// used again.
type Engine struct {
	start   func(ctx context.Context) (*Process, error) // starts a process with the model loaded
	timeout time.Duration

	// turn is locked for reading by each run, and for writing while the row that a process died of
	// is looked for.
	turn sync.RWMutex

	mu     sync.Mutex // guards the fields below
	live   *Process
	told   []func(*Process) error // requests that a new process gets
	ids    int                    // number of programs
	deaths int                    // deaths since the model was loaded last
	total  int
}

// New starts a process with start, which makes it load the model, see [Start], and does so again
// after a process has died. timeout bounds a run, and is kept by TensorFlow in that process; 0:
// none.
func New(ctx context.Context, start func(ctx context.Context) (*Process, error), timeout time.Duration) (*Engine, error) {
	for deaths := 0; ; {
		p, err := start(ctx)
		var died *ProcessError
		if errors.As(err, &died) && died.outside && ctx.Err() == nil {
			if deaths++; deaths < firstLoads {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		return &Engine{start: start, timeout: timeout, live: p, total: deaths}, nil
	}
}

// process returns the live process, or starts a new one.
func (e *Engine) process(ctx context.Context) (*Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for {
		if e.live != nil && !e.live.isDead() {
			return e.live, nil
		}
		if e.live != nil {
			e.total++
			e.live = nil
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
			e.live, e.deaths = p, 0
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

// askLasting makes a request that later processes get as well. That includes a request that was
// refused, since it may have changed the graph.
func (e *Engine) askLasting(request func(*Process) error) error {
	err := e.ask(request)
	var died *ProcessError
	if errors.As(err, &died) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.told = append(e.told, func(p *Process) error {
		again := request(p)
		if err != nil && !errors.As(again, &died) {
			return nil
		}
		return again
	})
	return err
}

// ask makes a request. If the process dies, it asks a new process once more, since the old one may
// have been dead before.
func (e *Engine) ask(request func(*Process) error) (err error) {
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

// Restarts returns how many processes have died.
func (e *Engine) Restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil && e.live.isDead() {
		// No process was needed after the last death.
		return e.total + 1
	}
	return e.total
}

// PID returns the id of the live process, to look at it from outside; 0 if there is none.
func (e *Engine) PID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live == nil {
		return 0
	}
	return e.live.cmd.Process.Pid
}

// Prepare implements [tf.Engine].
func (e *Engine) Prepare(feeds, fetches []string) (tf.Program, error) {
	e.mu.Lock()
	e.ids++
	id := e.ids
	e.mu.Unlock()
	err := e.askLasting(func(p *Process) error {
		return p.ask(context.Background(), prepareWithin, "prepare", wirePrepare, prepareRequest{ID: id, Feeds: feeds, Fetches: fetches}, nil)
	})
	if err != nil {
		return nil, err
	}
	return &remoteProgram{engine: e, id: id}, nil
}

// AddHead implements [tf.Engine].
func (e *Engine) AddHead(name string, h tf.Head) ([]tf.HeadTensor, error) {
	var added []tf.HeadTensor
	err := e.askLasting(func(p *Process) error {
		added = nil
		return p.ask(context.Background(), prepareWithin, "prepare", wireHead, headRequest{Tensor: name, Head: h}, &added)
	})
	return added, err
}

// Devices implements [tf.Engine].
func (e *Engine) Devices() (list []tf.Device, err error) {
	err = e.ask(func(p *Process) error {
		return p.ask(context.Background(), prepareWithin, "prepare", wireDevices, struct{}{}, &list)
	})
	return list, err
}

// Close ends the process.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live != nil {
		e.live.stop()
	}
	return nil
}

// remoteProgram is a program of the model's process, which knows it by a number.
type remoteProgram struct {
	engine *Engine
	id     int
}

// Load copies the values. They are sent with each run, and may be sent again.
func (p *remoteProgram) Load(feeds []tf.Feed, _ *tf.Recycler) (tf.Loaded, error) {
	l := &Call{program: p, feeds: make([]tensor.Tensor, len(feeds))}
	for i, f := range feeds {
		if err := tf.CheckFeed(f); err != nil {
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

// Call is a [tf.Loaded] of an [Engine]: the values for one run.
type Call struct {
	program *remoteProgram
	feeds   []tensor.Tensor
}

// Refill returns false, since the values of a run may be needed again.
func (c *Call) Refill([]tf.Feed) (bool, error) { return false, nil }

// Release does nothing: the values are in Go's memory.
func (c *Call) Release() {}

// Run sends the values to the process and waits for the outputs.
func (c *Call) Run(ctx context.Context, other tf.Program) ([]tensor.Tensor, error) {
	p := c.program
	if other != nil {
		p = other.(*remoteProgram)
	}
	p.engine.turn.RLock()
	defer p.engine.turn.RUnlock()
	return p.run(ctx, c.feeds)
}

// Values returns the fed tensors. Unlike with other engines, the call may be run afterwards.
func (c *Call) Values() ([]tensor.Tensor, error) { return c.feeds, nil }

// Alone calls do with a function that runs feeds of the call's program, while nothing else runs in
// the process. If the process dies then, it is certain of which feeds.
func (c *Call) Alone(do func(run func(ctx context.Context, feeds []tensor.Tensor) ([]tensor.Tensor, error)) error) error {
	e := c.program.engine
	e.turn.Lock()
	defer e.turn.Unlock()
	return do(c.program.run)
}

// run runs a set of feeds. The caller holds the engine's turn.
func (p *remoteProgram) run(ctx context.Context, feeds []tensor.Tensor) ([]tensor.Tensor, error) {
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
	return out, err
}

// ask makes a request with a body and an answer in JSON; more bytes may follow the body.
func (p *Process) ask(ctx context.Context, timeout time.Duration, while string, kind byte, request, reply any, more ...[]byte) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	return p.do(ctx, timeout, while, kind,
		func(w *bufio.Writer) error {
			for _, b := range append([][]byte{body}, more...) {
				if err := writeBytes(w, b); err != nil {
					return err
				}
			}
			return nil
		},
		func(r *bufio.Reader) error {
			if reply == nil {
				return nil
			}
			return readJSON(r, reply)
		})
}

// Start starts a process and makes it load a model. memory bounds the bytes that the process may
// allocate after that; 0: no bound.
func Start(ctx context.Context, m tf.Model, c tf.Config, memory int64) (*Process, error) {
	if os.Getenv(markEnv) != "" {
		return nil, &option.Error{Option: "Isolate", Msg: "this is the model's process: call runner.IsolateMain at the start of main"}
	}
	var stderr io.Writer = os.Stderr
	if c.Logger != nil {
		stderr = &lastwords.Log{To: c.Logger, Rest: os.Stderr}
	}
	p, err := startProcess(stderr)
	if err != nil {
		return nil, fmt.Errorf("start the model's process: %w", err)
	}
	if err := p.await(ctx, startWithin); err != nil {
		return nil, err
	}
	if err := p.ask(ctx, 0, "load", wireLoad, loadRequest{Steps: m.Steps, Config: c, Memory: memory}, nil, m.Graph); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}
