// Package xla chooses, run by run, between a program as it is and its twin that XLA compiles.
//
// A [State] belongs to a session, and has a [Signature] for each that may be compiled: which shapes
// are compiled, what a shape takes either way, and which values lookups by index have seen. A
// [Compiler] is one function's: [Compiler.Watch] looks at the feeds on their way to TensorFlow,
// [Compiler.Run] decides.
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
	// Shapes were compiled, which took CompileTime together with the first run of each.
	Shapes      int
	CompileTime time.Duration
	// Runs were compiled ones, and PlainRuns were not, of signatures that may be compiled.
	Runs, PlainRuns int64
	// Fallback says why a signature is not compiled: a *[rewrite.CompileError], or a *[tf.Error]
	// of XLA's. nil where all are.
	Fallback error
}

// Options says what is compiled.
type Options struct {
	// Measure compiles only shapes that have come a few times, runs the data's own batches both
	// ways by turns, and stays with the quicker one. Else every shape is compiled when it comes for
	// the first time.
	Measure bool
	// Shapes is how many shapes are compiled at most.
	Shapes int
	// Fallback, if not nil, is told once why something is not compiled.
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

// New returns the state of a session that has just been loaded.
func New(o Options) *State {
	return &State{o: o, start: time.Now(), signatures: map[string]*Signature{}}
}

// Report says what was compiled so far.
func (x *State) Report() Report {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.report
}

// Fallback takes down why something is not compiled, and tells of the first reason.
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

// Signature returns what is known of a signature of so many inputs. compilation is asked for what
// is compiled of it, once.
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

// Compiler chooses, for each run of a function, between its program as it is and the one that XLA
// compiles.
type Compiler struct {
	*Signature
	Program tf.Program // the compiled twin
}

// Signature is what the functions of one signature share.
type Signature struct {
	Sizes rewrite.Compilation // what is compiled, and for which lengths

	state   *State
	name    string
	lookups bool // something that is compiled is looked up by index

	mu     sync.Mutex
	off    bool // XLA failed
	shapes map[string]*shapeState
	ranges []valueRange // of the inputs, as uncompiled runs had them
	lost   int64        // elements of the smallest shape that was slower compiled; 0: none
}

// shapeState is what is known of one combination of the inputs' shapes.
type shapeState struct {
	elements int64 // of the first that came
	seen     int   // uncompiled runs before it was compiled
	stage    shapeStage
	turns    int       // runs that were given out in the trial
	plain    []float64 // durations per element, in the trial
	xla      []float64
}

// shapeStage is how far XLA is with a shape.
type shapeStage int

const (
	stageUntried   shapeStage = iota
	stageCompiling            // the first compiled run is under way
	stageTrial                // runs take turns, and are measured
	stageKept                 // XLA runs it
	stageDropped              // XLA does not
)

// lookupOps fail for an index that is out of range; compiled, they take the nearest one.
var lookupOps = []string{
	"Gather", "GatherNd", "GatherV2", "ResourceGather", "ResourceGatherNd", "ResourceScatterAdd", "ResourceScatterNdUpdate", "ResourceScatterUpdate",
	"ScatterNd", "TensorScatterAdd", "TensorScatterUpdate",
}

// Call is what the choice for one run depends on.
type Call struct {
	shape    string // of all inputs
	elements int64
	ranges   []valueRange
}

// Watch looks at feeds on their way to TensorFlow.
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
	if c.lookups {
		cc.ranges = make([]valueRange, len(feeds))
		for i := range feeds {
			fill, dtype, r := feeds[i].Fill, feeds[i].DType, &cc.ranges[i]
			feeds[i].Fill = func(dst []byte) error {
				err := fill(dst)
				*r = rangeOf(dtype, dst)
				return err
			}
		}
	}
	return cc
}

// Run runs the fed values one way or the other. What XLA fails at is run as it is.
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

// untry lets another run try what this one could not: it was interrupted, or its values are at
// fault.
func (c *Signature) untry(cc *Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shapes[cc.shape].stage = stageUntried
}

// choose decides on a run. first says that XLA has to compile it.
func (c *Signature) choose(cc *Call) (compiled, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		return false, false
	}
	if c.lookups {
		for i, r := range cc.ranges {
			if !r.within(c.ranges[i]) {
				return false, false
			}
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
			s.stage = stageKept // others wait for it: what has come once is compiled from then on
		}
		return true, true
	case stageTrial:
		s.turns++
		return s.turns%2 == 1, false
	}
	return s.stage == stageKept, false
}

// maxShapeStates bounds the memory that shapes which come only once take.
const maxShapeStates = 1 << 14

const (
	// trialAfter is how many uncompiled runs of a shape are waited for: the first of a session is
	// no measure.
	trialAfter = 3
	// trialRuns is how many runs of a shape are measured each way, by turns: what else the machine
	// does, another batch above all, is then the same for both.
	trialRuns = 3
	// trialBudget and trialShare bound the time that is spent on compiling then.
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

// ranPlain takes down an uncompiled run that went well.
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

// ranCompiled takes down a compiled run that went well.
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

// decide ends a trial when there is enough to go by.
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

// per is a duration per element.
func (cc *Call) per(d time.Duration) float64 {
	return float64(d) / float64(max(cc.elements, 1))
}

// fail gives XLA up for this function.
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

// shortReason is the first sentence of an error of TensorFlow's, of which XLA's are pages long.
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
