package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/runner/internal/xla"
	"github.com/tfrun/tfrun/tensor"
)

// Function prepares a signature: "" is serving_default, or the only one. outputs picks and orders
// the signature's outputs, NAME=OUTPUT under another name; without any, all are returned in the
// order of their names. Errors are
// *[savedmodel.SignatureError], *[savedmodel.UninitializedError] and *[NameError].
func (s *Session) Function(signature string, outputs ...string) (*Function, error) {
	return s.functionWith(signature, outputs, nil, false)
}

// functionWith is Function with heads on its outputs. byRows puts together the inputs that one row
// has one value for, see [savedmodel.MetaGraph.ByRows].
func (s *Session) functionWith(signature string, outputs []string, heads []Head, byRows bool) (*Function, error) {
	sig, err := s.graph.Signature(signature)
	if err != nil {
		return nil, err
	}
	if err := s.checkOps(sig.Name); err != nil {
		return nil, err
	}
	if err := s.known(sig).check(); err != nil {
		return nil, err
	}
	f := &Function{session: s, signature: sig}
	if byRows {
		if sig, err = s.graph.ByRows(sig); err != nil {
			return nil, err
		}
		f.joined, f.signature = sig != f.signature, sig
	}
	for _, name := range sig.InputNames() {
		f.inputs = append(f.inputs, endpoints(name, sig.Inputs[name])...)
	}
	picks := parsePicks(sig, outputs)
	if err := f.pickOutputs(picks); err != nil {
		return nil, err
	}
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	s.headsMu.Lock()
	defer s.headsMu.Unlock()
	if err := f.passInputs(); err != nil {
		return nil, err
	}
	bare := slices.Clone(f.outputs)
	if err = f.addHeads(heads); err != nil {
		return nil, err
	}
	if err = f.arrange(picks); err != nil {
		return nil, err
	}
	f.program, err = s.engine.Prepare(tensorNames(f.inputs), tensorNames(f.outputs))
	if err == nil {
		f.compiler, err = f.newCompiler(bare, heads, picks)
	}
	if err == nil {
		f.state, err = s.graph.State(f.signature)
	}
	if err != nil {
		return nil, fmt.Errorf("signature %q: %w", sig.Name, err)
	}
	if !f.state.Keeps() && f.compiler == nil {
		f.fed = &tf.Recycler{}
	}
	return f, nil
}

// passInputs lets outputs be fetched that are inputs, such as a row's key that the model hands
// back. TensorFlow's session refuses to fetch a tensor that is fed, so an Identity of the tensor is
// fetched in its place.
func (f *Function) passInputs() error {
	fed := map[string]bool{}
	for _, in := range f.inputs {
		fed[strings.TrimSuffix(in.Tensor, ":0")] = true
	}
	for i := range f.outputs {
		out := &f.outputs[i]
		if !fed[strings.TrimSuffix(out.Tensor, ":0")] {
			continue
		}
		added, err := f.session.engine.AddHead(out.Tensor, tf.Head{})
		if err != nil {
			return fmt.Errorf("output %q: %w", out.Name, err)
		}
		out.Tensor, out.input = added[0].Tensor, true
	}
	return nil
}

// Run feeds tensors by name and returns the outputs by name, in Go memory. Every input must be
// given that has no default. Errors are *[FeedError], *[NameError], *[Error], [ErrClosed] and the
// context's.
//
// Run returns at once when the context is done. TensorFlow itself ends a run only at the context's
// deadline or after [Options.Timeout], between two operations. A run whose context is canceled
// before that goes on to its end, unseen, and [Session.Close] waits for that end.
func (f *Function) Run(ctx context.Context, feeds map[string]tensor.Tensor) (map[string]tensor.Tensor, error) {
	list := make([]tf.Feed, len(f.inputs))
	for i, in := range f.inputs {
		t, ok := feeds[in.Name]
		if !ok {
			t, ok = f.signature.Defaults[in.Name]
		}
		if !ok {
			return nil, &NameError{Kind: "input", Name: in.Name, Missing: true, Have: endpointNames(f.inputs)}
		}
		list[i] = tf.FeedTensor(t)
	}
	for name := range feeds {
		if !slices.ContainsFunc(f.inputs, func(in Endpoint) bool { return in.Name == name }) {
			return nil, f.unknownInput(feeds)
		}
	}
	values, err := f.Call(ctx, list)
	if err != nil {
		return nil, err
	}
	out := make(map[string]tensor.Tensor, len(values))
	for i, e := range f.outputs {
		out[e.Name] = values[i]
	}
	return out, nil
}

// unknownInput is the error of the first name, in alphabetical order, that is no input.
func (f *Function) unknownInput(feeds map[string]tensor.Tensor) error {
	have := endpointNames(f.inputs)
	names := slices.Sorted(maps.Keys(feeds))
	i := slices.IndexFunc(names, func(name string) bool { return !slices.Contains(have, name) })
	return &NameError{Kind: "input", Name: names[i], Have: have}
}

// Call is [Function.Run] by position: feeds in the order of [Function.Inputs], results in the order
// of [Function.Outputs]. The feeds' values are written straight into TensorFlow's memory.
func (f *Function) Call(ctx context.Context, feeds []tf.Feed) ([]tensor.Tensor, error) {
	if sizeOf(feeds).bytes <= recycledFeed {
		return f.callWith(ctx, feeds, f.fed)
	}
	return f.callWith(ctx, feeds, nil)
}

// callWith is Call with memory from r, for few values, or without.
func (f *Function) callWith(ctx context.Context, feeds []tf.Feed, r *tf.Recycler) ([]tensor.Tensor, error) {
	cut := func() error { return nil }
	if r == nil {
		feeds, cut = within(ctx, feeds)
	}
	c, err := f.load(feeds, r)
	if err != nil {
		return nil, err
	}
	if err := cut(); err != nil {
		c.loaded.Release()
		return nil, err
	}
	out, err := c.run(ctx)
	if err == nil {
		c.recycle()
	}
	return out, err
}

// within returns feeds that leave the rest of their values out once the context is done, and a
// function that returns the context's error if one did.
func within(ctx context.Context, feeds []tf.Feed) (_ []tf.Feed, cut func() error) {
	var failed error
	feeds = slices.Clone(feeds)
	for i := range feeds {
		feeds[i] = feeds[i].Within(ctx, func(err error) { failed = err })
	}
	return feeds, func() error { return failed }
}

// recycledFeed is how many bytes the values of a call hold at most for their memory to be kept for
// the next call: asking for memory is a fifth of what a call of one row costs beside the model.
const recycledFeed = 64 << 10

// call is a set of feeds in TensorFlow's memory, checked against the signature, to be run once.
type call struct {
	function *Function
	loaded   tf.Loaded
	compiled *xla.Call // nil where XLA has no say
	fit      *fitter   // of a predictor's batch
	size     feedSize

	recycler *tf.Recycler // of a predictor's batches of one size, or of calls of few values
	taken    bool         // the values were taken out again
}

// load checks the feeds and hands their values to TensorFlow, in memory that may come from r.
func (f *Function) load(feeds []tf.Feed, r *tf.Recycler) (*call, error) {
	if len(feeds) != len(f.inputs) {
		return nil, fmt.Errorf("signature %q: want %d inputs (%s), got %d",
			f.signature.Name, len(f.inputs), strings.Join(endpointNames(f.inputs), ", "), len(feeds))
	}
	for i, in := range f.inputs {
		got := feeds[i]
		if got.DType != in.DType || !in.Shape.Admits(got.Dims) {
			return nil, &FeedError{Input: in.Name, WantDType: in.DType, WantShape: in.Shape, GotDType: got.DType, GotShape: tensor.MakeShape(got.Dims...)}
		}
	}
	if !f.session.enter() {
		return nil, ErrClosed
	}
	defer f.session.leave()
	return f.feed(feeds, r)
}

// feed hands values that fit the signature to TensorFlow. The session is entered already.
func (f *Function) feed(feeds []tf.Feed, r *tf.Recycler) (*call, error) {
	c := &call{function: f, size: sizeOf(feeds), recycler: r}
	if f.compiler != nil {
		feeds = slices.Clone(feeds)
		c.compiled = f.compiler.Watch(feeds)
	}
	var err error
	c.loaded, err = r.Load(f.program, feeds)
	return c, err
}

// run runs what is fed, until the context is done or the session's timeout is over: TensorFlow may
// go on for longer, in which case the values are left to it, and released at its end.
func (c *call) run(ctx context.Context) ([]tensor.Tensor, error) {
	timeout := c.function.session.patience()
	if ctx.Done() == nil && timeout == nil {
		return c.wait(ctx)
	}
	type result struct {
		out []tensor.Tensor
		err error
	}
	over := make(chan result, 1)
	var out []tensor.Tensor
	var left atomic.Bool // the caller has left, or the run is over: whichever comes first
	crash.Go(func() (err error) {
		out, err = c.wait(ctx)
		return err
	}, func(err error) {
		if over <- (result{out, err}); !left.CompareAndSwap(false, true) {
			c.loaded.Release()
		}
	})
	leave := func(err error) ([]tensor.Tensor, error) {
		if !left.CompareAndSwap(false, true) {
			c.loaded.Release()
		}
		return nil, err
	}
	select {
	case r := <-over:
		return r.out, r.err
	case <-ctx.Done():
		return leave(ctx.Err())
	case <-timeout:
		return leave(tf.Late(c.function.session.o.Timeout))
	}
}

// patience returns a channel that is ready some time after TensorFlow should have ended a run for
// its timeout, since TensorFlow interrupts no operation that takes long. It returns nil, a channel
// that is never ready, where there is no timeout, and where the model has a process of its own,
// which is ended after the timeout.
func (s *Session) patience() <-chan time.Time {
	if s.o.Timeout == 0 || s.o.Isolate {
		return nil
	}
	return time.After(s.o.Timeout + 20*time.Millisecond)
}

// wait runs what is fed to its end.
func (c *call) wait(ctx context.Context) ([]tensor.Tensor, error) {
	if !c.function.session.enter() {
		return nil, ErrClosed
	}
	defer c.function.session.leave()
	if c.fit != nil {
		return c.fit.run(ctx, c)
	}
	return c.attempt(ctx)
}

// recycle frees the fed values of a run that succeeded, or keeps their memory for the next run.
func (c *call) recycle() {
	if c.taken || !c.recycler.GiveFed(c.loaded) {
		c.loaded.Release()
	}
}

// attempt runs what is fed, all at once.
func (c *call) attempt(ctx context.Context) (out []tensor.Tensor, err error) {
	end := c.function.session.stats.begin(c.size.bytes)
	defer func() { end(out, err) }()
	if c.compiled != nil {
		return c.function.compiler.Run(ctx, c.loaded, c.compiled)
	}
	return c.loaded.Run(ctx, nil)
}

// Run runs a signature ("" for serving_default, or the only one) on one set of whole tensors: batch
// axis included, keyed by input name. It returns all outputs, keyed by name, in Go memory. See
// [Function] for the names of composite values, and for running many times.
func (s *Session) Run(ctx context.Context, signature string, feeds map[string]tensor.Tensor) (map[string]tensor.Tensor, error) {
	f, err := s.function(signature)
	if err != nil {
		return nil, err
	}
	return f.Run(ctx, feeds)
}

// function returns the Function of a signature with all its outputs, made once.
func (s *Session) function(signature string) (*Function, error) {
	s.functionsMu.Lock()
	defer s.functionsMu.Unlock()
	if f, ok := s.functions[signature]; ok {
		return f, nil
	}
	f, err := s.Function(signature)
	if err == nil {
		s.functions[signature] = f
	}
	return f, err
}
