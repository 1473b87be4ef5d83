// Package xla chooses, for each run, between a program and its twin that XLA compiles.
//
// A [State] belongs to a session. It has a [Signature] for each signature that may be compiled,
// which knows the compiled shapes, how long runs of a shape take either way, and which indices
// lookups have used. A [Compiler] belongs to a function: [Compiler.Watch] looks at the feeds before
// they go to TensorFlow, and [Compiler.Run] decides.
package xla

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// Report says what XLA did for a session.
type Report struct {
	// Shapes is the number of compiled shapes. CompileTime is the time of compiling them, with the
	// first run of each.
	Shapes      int
	CompileTime time.Duration
	// Runs is the number of compiled runs; PlainRuns that of others, of signatures that may be
	// compiled.
	Runs, PlainRuns int64
	// Fallback says why a signature is not compiled: a *[rewrite.CompileError], or a *[tf.Error] of
	// XLA's. nil: all are.
	Fallback error
}

// Options says what is compiled.
type Options struct {
	// Measure compiles a shape only after it has come a few times. Then batches are run both ways
	// in turn, and the quicker way is kept. Without Measure each shape is compiled when it first
	// comes.
	Measure bool
	// Shapes bounds the number of compiled shapes.
	Shapes int
	// Fallback, if not nil, is called once, with the reason why something is not compiled.
	Fallback func(reason error)
}

// State is what the signatures of a session share.
type State struct {
	o     Options
	start time.Time

	mu         sync.Mutex
	report     Report
	signatures map[string]*Signature
}

// New returns the state of a session that was just loaded.
func New(o Options) *State {
	return &State{o: o, start: time.Now(), signatures: map[string]*Signature{}}
}

// Report returns what was compiled so far.
func (x *State) Report() Report {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.report
}

// Fallback notes why something is not compiled, and calls Options.Fallback for the first reason.
func (x *State) Fallback(reason error) {
	x.mu.Lock()
	first := x.report.Fallback == nil
	if first {
		x.report.Fallback = reason
	}
	x.mu.Unlock()
	if first && x.o.Fallback != nil {
		x.o.Fallback(reason)
	}
}

// Signature returns the state of a signature with so many inputs. It calls compilation once, to
// find out what is compiled.
func (x *State) Signature(name string, inputs int, compilation func() (rewrite.Compilation, error)) (*Signature, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.signatures[name]; s != nil {
		return s, nil
	}
	sizes, err := compilation()
	if err != nil {
		return nil, err
	}
	s := &Signature{Sizes: sizes, state: x, name: name, shapes: map[string]*shapeState{}, ranges: make([]valueRange, inputs)}
	s.lookups = slices.ContainsFunc(sizes.Ops, func(op string) bool { return slices.Contains(lookupOps, op) })
	x.signatures[name] = s
	return s, nil
}

// Compiler chooses, for each run of a function, between the function's program and its compiled
// twin.
type Compiler struct {
	*Signature
	Program tf.Program // the compiled twin
}

// Signature is the state that the functions of one signature share.
type Signature struct {
	Sizes rewrite.Compilation // what is compiled, and for which lengths

	state   *State
	name    string
	lookups bool // a compiled operation looks up by index

	mu     sync.Mutex
	off    bool // XLA has failed
	shapes map[string]*shapeState
	ranges []valueRange // by input: values of uncompiled runs
	lost   int64        // elements of the smallest shape that was slower compiled; 0: none
}

// shapeState is the state of one combination of the inputs' shapes.
type shapeState struct {
	elements int64 // elements of the first run's inputs
	seen     int   // number of uncompiled runs before compiling
	stage    shapeStage
	turns    int       // number of runs begun in the trial
	plain    []float64 // durations per element in the trial
	xla      []float64
}

// shapeStage says how far compiling a shape has come.
type shapeStage int

const (
	stageUntried   shapeStage = iota
	stageCompiling            // the first compiled run has begun
	stageTrial                // runs go both ways in turn, and are measured
	stageKept                 // runs are compiled
	stageDropped              // runs are not compiled
)

// lookupOps fail for an index, a length or a label out of range in TensorFlow; compiled, they take
// the nearest, or pass it over.
var lookupOps = []string{
	"Bincount", "DenseBincount", "Gather", "GatherNd", "GatherV2", "InvertPermutation", "ResourceGather", "ResourceGatherNd", "ResourceScatterAdd",
	"ResourceScatterDiv", "ResourceScatterMax", "ResourceScatterMin", "ResourceScatterMul", "ResourceScatterNdAdd", "ResourceScatterNdMax",
	"ResourceScatterNdMin", "ResourceScatterNdSub", "ResourceScatterNdUpdate", "ResourceScatterSub", "ResourceScatterUpdate", "ReverseSequence",
	"ScatterNd", "SparseSoftmaxCrossEntropyWithLogits", "SparseToDense", "TensorListGather", "TensorScatterAdd", "TensorScatterMax", "TensorScatterMin",
	"TensorScatterSub", "TensorScatterUpdate", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum",
}

// Call is what the choice for a run depends on.
type Call struct {
	shape    string // shapes of all inputs
	elements int64
	ranges   []valueRange
}

// Watch looks at feeds before they go to TensorFlow.
func (c *Signature) Watch(feeds []tf.Feed) *Call {
	cc := &Call{}
	var key []byte
	for _, f := range feeds {
		dims := f.Dims
		if c.Sizes.Lengths {
			dims = slices.Clone(dims)
			for i := 1; i < len(dims); i++ {
				dims[i] = c.Sizes.Size(dims[i])
			}
		}
		key = fmt.Append(key, dims)
		n, _ := tensor.NumElements(f.Dims)
		cc.elements += n
	}
	cc.shape = string(key)
	cc.ranges = make([]valueRange, len(feeds))
	for i := range feeds {
		fill, dtype, r := feeds[i].Fill, feeds[i].DType, &cc.ranges[i]
		if !c.lookups && !dtype.IsFloat() {
			continue
		}
		feeds[i].Fill = func(dst []byte) error {
			err := fill(dst)
			*r = rangeOf(dtype, dst)
			return err
		}
	}
	return cc
}

// Run runs the fed values, compiled or not. A run that XLA fails at is repeated without it.
func (c *Compiler) Run(ctx context.Context, l tf.Loaded, cc *Call) ([]tensor.Tensor, error) {
	compiled, first := c.choose(cc)
	start := time.Now()
	if !compiled {
		out, err := l.Run(ctx, nil)
		if err == nil {
			c.ranPlain(cc, time.Since(start))
		}
		return out, err
	}
	out, err := l.Run(ctx, c.Program)
	var failed *tf.Error
	switch {
	case err == nil:
		c.ranCompiled(cc, time.Since(start), first)
	case errors.As(err, &failed):
		reason := err
		if out, err = l.Run(ctx, nil); err == nil {
			c.fail(reason)
		}
	}
	if err != nil && first {
		c.untry(cc)
	}
	return out, err
}

// untry gives a trial run back, to be tried with another run: this one was interrupted, or its
// values were wrong.
func (c *Signature) untry(cc *Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shapes[cc.shape].stage = stageUntried
}

// choose decides how to run. first says that XLA has to compile the shape.
func (c *Signature) choose(cc *Call) (compiled, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return false, false
	}
	for i, r := range cc.ranges {
		// Which of several values with a NaN among them is the largest, or the first of a sorted
		// list, XLA answers in its own way.
		if r.wild || c.lookups && !r.within(c.ranges[i]) {
			return false, false
		}
	}
	s := c.shapes[cc.shape]
	if s == nil {
		if len(c.shapes) >= maxShapeStates {
			return false, false
		}
		s = &shapeState{elements: cc.elements}
		c.shapes[cc.shape] = s
	}
	switch s.stage {
	case stageUntried:
		if !c.worthTrying(s) {
			return false, false
		}
		s.stage = stageCompiling
		if !c.state.o.Measure {
			// Other runs wait for the compiling. A shape that has come once is compiled from then
			// on.
			s.stage = stageKept
		}
		return true, true
	case stageTrial:
		s.turns++
		return s.turns%2 == 1, false
	}
	return s.stage == stageKept, false
}

// maxShapeStates bounds the memory for shapes that come only once.
const maxShapeStates = 1 << 14

const (
	// trialAfter is how many uncompiled runs of a shape come before its trial. The first run of a
	// session is too slow to compare with.
	trialAfter = 3
	// trialRuns is how many runs of a shape are measured each way. They go both ways in turn, so
	// that other work of the machine, above all another batch, affects both alike.
	trialRuns = 3
	// trialBudget and trialShare bound the time that is spent on compiling for trials.
	trialBudget = time.Second
	trialShare  = 4
)

// worthTrying reports whether a shape is to be compiled now.
func (c *Signature) worthTrying(s *shapeState) bool {
	x := c.state
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.report.Shapes >= x.o.Shapes {
		return false
	}
	if !x.o.Measure {
		return true
	}
	return s.seen >= trialAfter && (c.lost == 0 || s.elements < c.lost) &&
		x.report.CompileTime < trialBudget+time.Since(x.start)/trialShare
}

// ranPlain notes an uncompiled run without an error.
func (c *Signature) ranPlain(cc *Call, d time.Duration) {
	c.state.count(func(r *Report) { r.PlainRuns++ })
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range cc.ranges {
		c.ranges[i].include(r)
	}
	s := c.shapes[cc.shape]
	switch {
	case s == nil:
	case s.stage == stageUntried:
		s.seen++
	case s.stage == stageTrial:
		s.plain = append(s.plain, cc.per(d))
		c.decide(s)
	}
}

// ranCompiled notes a compiled run without an error.
func (c *Signature) ranCompiled(cc *Call, d time.Duration, first bool) {
	c.state.count(func(r *Report) {
		r.Runs++
		if first {
			r.Shapes++
			r.CompileTime += d
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shapes[cc.shape]
	switch {
	case first && s.stage == stageCompiling:
		s.stage = stageTrial
	case s.stage == stageTrial:
		s.xla = append(s.xla, cc.per(d))
		c.decide(s)
	}
}

// decide ends a trial when there are enough measurements.
func (c *Signature) decide(s *shapeState) {
	if len(s.plain) < trialRuns || len(s.xla) < trialRuns {
		return
	}
	slices.Sort(s.plain)
	slices.Sort(s.xla)
	if s.stage = stageKept; s.xla[len(s.xla)/2] > s.plain[len(s.plain)/2] {
		s.stage = stageDropped
		if c.lost == 0 || s.elements < c.lost {
			c.lost = s.elements
		}
	}
}

// per returns a duration per element.
func (cc *Call) per(d time.Duration) float64 {
	return float64(d) / float64(max(cc.elements, 1))
}

// fail stops using XLA for this signature.
func (c *Signature) fail(reason error) {
	c.state.count(func(r *Report) { r.PlainRuns++ })
	c.mu.Lock()
	was := c.off
	c.off = true
	c.mu.Unlock()
	if !was {
		c.state.Fallback(&rewrite.CompileError{Signature: c.name, Msg: "XLA: " + shortReason(reason)})
	}
}

func (x *State) count(f func(*Report)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(&x.report)
}

// shortReason returns the first sentence of an error of TensorFlow's; XLA's errors are pages long.
func shortReason(err error) string {
	msg := err.Error()
	var tfErr *tf.Error
	if errors.As(err, &tfErr) {
		msg = tfErr.Msg
	}
	msg, _, _ = strings.Cut(msg, "; ")
	if r := []rune(msg); len(r) > 300 {
		msg = string(r[:300]) + "…"
	}
	return msg
}
