//go:build cgo && !notf

package tf

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	tf "github.com/galeone/tensorflow/tensorflow/go"

	"github.com/tfrun/tfrun/tensor"
)

// tfEngine is a graph in libtensorflow, with a session that runs it. tf.Session.Run may be called
// from many goroutines, and Close waits for these calls.
type tfEngine struct {
	graph   *tf.Graph
	session *tf.Session
	place   string // device for operations that are added; "": TensorFlow decides
	timeout time.Duration
	heads   int // number of heads added to the graph

	warmed func() // waits until warming up has ended
}

// Load makes a session of a model's graph and runs the steps that fill it. TensorFlow's own loader
// of SavedModels does the same with the files of a folder (cc/saved_model/loader.cc). Here the
// session gets what was looked at before, and only the graph's operations read files.
func Load(ctx context.Context, m Model, c Config) (Engine, error) {
	if _, err := OpenLibrary(c.Library); err != nil {
		return nil, err
	}
	for _, path := range c.OpLibraries {
		if _, err := LoadOpLibrary(path); err != nil {
			return nil, err
		}
	}
	config, err := c.proto()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := &tfEngine{place: c.Place, timeout: c.Timeout, warmed: beginWarmUp(c)}
	if err = guard("load", func() error { return e.load(ctx, m, config) }); err != nil {
		if e.session != nil {
			// The error that matters is there already.
			_ = guard("close", e.session.Close)
		}
		e.warmed()
		return nil, err
	}
	if c.InTurn {
		return InTurn(e), nil
	}
	return e, nil
}

// load makes the session and runs the model's steps.
func (e *tfEngine) load(ctx context.Context, m Model, config []byte) (err error) {
	e.graph = tf.NewGraph()
	if err = e.graph.Import(m.Graph, ""); err == nil {
		e.session, err = tf.NewSession(e.graph, &tf.SessionOptions{Config: config})
	}
	for _, step := range m.Steps {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = e.step(ctx, step)
		}
	}
	if err != nil && ctx.Err() == nil {
		if late := deadlineError(ctx, err); late != nil {
			return late
		}
		return &Error{Op: "load", Msg: cleanMessage(err.Error()), Code: statusCode(err)}
	}
	return err
}

// step runs one step of loading, until the context's deadline.
func (e *tfEngine) step(ctx context.Context, s Step) error {
	feeds := map[tf.Output]*tf.Tensor{}
	for name, path := range s.Feeds {
		out, err := e.output(name)
		if err != nil {
			return err
		}
		if feeds[out], err = tf.NewTensor(path); err != nil {
			return err
		}
	}
	op := e.graph.Operation(s.Run)
	if op == nil {
		return fmt.Errorf("the graph has no operation %q", s.Run)
	}
	return within(ctx, 0, func() error {
		_, err := e.session.Run(feeds, nil, []*tf.Operation{op})
		return err
	})
}

func (e *tfEngine) Close() error {
	e.warmed()
	return guard("close", e.session.Close)
}

func (e *tfEngine) Devices() ([]Device, error) { return listDevices(e.session) }

func listDevices(s *tf.Session) ([]Device, error) {
	var list []Device
	err := guard("devices", func() error {
		devices, err := s.ListDevices()
		for _, d := range devices {
			list = append(list, Device{Name: d.Name, Type: d.Type, MemoryBytes: d.MemoryLimitBytes})
		}
		return err
	})
	return list, err
}

func (e *tfEngine) Prepare(feeds, fetches []string) (Program, error) {
	p := &tfProgram{session: e.session, timeout: e.timeout, alias: make([]int, len(fetches))}
	for _, name := range feeds {
		out, err := e.output(name)
		if err != nil {
			return nil, err
		}
		p.feeds = append(p.feeds, out)
	}
	for i, name := range fetches {
		out, err := e.output(name)
		if err != nil {
			return nil, err
		}
		// TensorFlow refuses a tensor that is both fed and fetched. Its value is the fed one.
		p.alias[i] = -1
		for j, in := range p.feeds {
			if in == out {
				p.alias[i] = j
			}
		}
		if p.alias[i] < 0 {
			p.fetches = append(p.fetches, out)
		}
	}
	return p, nil
}

// output looks up the tensor "operation:index" in the graph; "operation" alone means index 0.
func (e *tfEngine) output(name string) (tf.Output, error) {
	opName, index := name, 0
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		n, err := strconv.Atoi(name[i+1:])
		if err != nil || n < 0 {
			return tf.Output{}, fmt.Errorf("tensor %q: want a name like \"operation:0\"", name)
		}
		opName, index = name[:i], n
	}
	op := e.graph.Operation(opName)
	if op == nil {
		return tf.Output{}, fmt.Errorf("tensor %q: the graph has no operation of that name", name)
	}
	// Operation.Output does not check the index, and a wrong one ends the process.
	if n := op.NumOutputs(); index >= n {
		return tf.Output{}, fmt.Errorf("tensor %q: the operation has %d outputs", name, n)
	}
	return op.Output(index), nil
}

// tfProgram is a set of feeds and fetches with their tensors of the graph.
type tfProgram struct {
	session *tf.Session
	timeout time.Duration // of a run; 0 means none
	feeds   []tf.Output
	fetches []tf.Output // without tensors that are also fed
	alias   []int       // for each wanted tensor: the feed that it equals, or -1
}

func (p *tfProgram) Load(feeds []Feed, r *Recycler) (Loaded, error) {
	l := &tfLoaded{p: p, recycler: r, feeds: make(map[tf.Output]*tf.Tensor, len(feeds)), held: make([]*cTensor, len(feeds))}
	for i, f := range feeds {
		t, err := toC(f)
		if err != nil {
			return nil, err
		}
		l.held[i], l.feeds[p.feeds[i]] = t, t.t
	}
	return l, nil
}

// tfLoaded holds the tensors of one run.
type tfLoaded struct {
	p     *tfProgram
	feeds map[tf.Output]*tf.Tensor
	held  []*cTensor

	recycler *Recycler
}

func (l *tfLoaded) Release() {
	for _, c := range l.held {
		c.release()
	}
}

func (l *tfLoaded) Refill(feeds []Feed) (bool, error) {
	for i, f := range feeds {
		if c := l.held[i]; c.memory == nil || dtypeOf(c.t) != f.DType || !slices.Equal(c.t.Shape(), f.Dims) {
			return false, nil
		}
	}
	for i, f := range feeds {
		if err := f.Fill(l.held[i].memory); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (l *tfLoaded) Run(ctx context.Context, other Program) ([]tensor.Tensor, error) {
	p := l.p
	if other != nil {
		p = other.(*tfProgram)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var fetched []*tf.Tensor
	if len(p.fetches) > 0 {
		err := guard("run", func() error {
			return within(ctx, p.timeout, func() (err error) {
				fetched, err = p.session.Run(l.feedsOf(p), p.fetches, nil)
				return err
			})
		})
		if err != nil {
			return nil, p.runError(ctx, err)
		}
	}
	out := make([]tensor.Tensor, len(p.alias))
	for i, j := range p.alias {
		var c *cTensor
		if j >= 0 {
			c = l.held[j]
		} else {
			// The tensor is copied and freed here, so it is not counted.
			c, fetched = &cTensor{t: fetched[0]}, fetched[1:]
		}
		t, err := fromC(ctx, c, l.recycler)
		if j < 0 {
			free(c.t)
		}
		if err != nil {
			for _, rest := range fetched {
				free(rest)
			}
			return nil, err
		}
		out[i] = t
	}
	runtime.KeepAlive(l)
	return out, nil
}

// runError returns the error of a run as an *[Error], or the error of the context whose deadline
// TensorFlow kept.
func (p *tfProgram) runError(ctx context.Context, err error) error {
	if late := deadlineError(ctx, err); late != nil {
		return late
	}
	if p.timeout > 0 && statusCode(err) == DeadlineExceeded {
		return Late(p.timeout)
	}
	return runError(err)
}

// deadlineError returns the context's error where TensorFlow has ended a run at the context's
// deadline, else nil. The context is done then, since callers look at it, too: TensorFlow's clock
// may be a moment ahead of Go's.
func deadlineError(ctx context.Context, err error) error {
	const moment = 10 * time.Millisecond
	deadline, ok := ctx.Deadline()
	if !ok || statusCode(err) != DeadlineExceeded || time.Until(deadline) > moment {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// runError turns an error of Session.Run into an *[Error].
func runError(err error) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // guard's own, never wrapped
		return e
	}
	return &Error{Op: opOf(err.Error()), Msg: cleanMessage(err.Error()), Code: statusCode(err)}
}

// feedsOf returns the fed values by the tensors of a program. The program may belong to another
// graph: to the same model on another device.
func (l *tfLoaded) feedsOf(p *tfProgram) map[tf.Output]*tf.Tensor {
	if p.session == l.p.session {
		return l.feeds
	}
	feeds := make(map[tf.Output]*tf.Tensor, len(l.held))
	for i, c := range l.held {
		feeds[p.feeds[i]] = c.t
	}
	return feeds
}

func (l *tfLoaded) Values() ([]tensor.Tensor, error) {
	list := make([]tensor.Tensor, len(l.held))
	for i, c := range l.held {
		var err error
		if list[i], err = fromC(context.Background(), c, nil); err != nil {
			return nil, err
		}
	}
	return list, nil
}
