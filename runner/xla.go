package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// XLA says whether signatures are compiled. A compiled signature is quicker for one row or a few,
// and often slower for full batches. Where a signature has loops, such as recurrent layers, these
// alone are compiled, each by itself; full batches are quicker then, too, and what is compiled for
// one length serves others: see [savedmodel.Compilation]. Each combination of the inputs' shapes,
// but for lengths that share a [savedmodel.Compilation.Size], is compiled by itself, which takes
// from 0.1 s to some seconds, and is kept as long as the session.
//
// Two loops that run side by side take two cores: where a program runs one batch at a time, and has
// no more cores than that, [Options.IntraOp] 1 makes full batches half as quick again, as
// operations do not divide themselves then. A program that runs one row at a time may set XLA_FLAGS
// to "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=100000" in its
// environment, which XLA reads once in a process: loops with few weights are then compiled whole,
// not step by step, and take three quarters of the time. It is not for small models' batches, whose
// loops take many times as long so.
//
// Answers agree up to rounding. What TensorFlow reports at run time about the values themselves,
// XLA does not see: a division of whole numbers by zero is no error there, and an index beyond the
// end of a table takes the table's last row. Of the latter the session is wary: where what is
// compiled looks something up by index, values below or above all that went through uncompiled runs
// before are not given to XLA.
type XLA string

const (
	// XLAOff compiles nothing; "" is the same.
	XLAOff XLA = "off"
	// XLAOn compiles every shape when it comes for the first time, up to [Options.XLAShapes] of
	// them.
	XLAOn XLA = "on"
	// XLAAuto compiles a shape that has come a few times, runs the data's own batches both ways by
	// turns, and stays with the quicker one. It spends a second and a quarter of the running time
	// on compiling at most. Which of two roundings an answer has depends on the measurement.
	XLAAuto XLA = "auto"
)

// enabled reports whether anything is to be compiled.
func (x XLA) enabled() bool { return x != "" && x != XLAOff }

// DefaultXLAShapes is how many shapes are compiled at most unless told otherwise. The code of one
// takes about a megabyte.
const DefaultXLAShapes = 64

// XLAReport says what XLA did for a session.
type XLAReport struct {
	// Shapes were compiled, which took CompileTime together with the first run of each.
	Shapes      int
	CompileTime time.Duration
	// Runs were compiled ones, and PlainRuns were not, of signatures that may be compiled.
	Runs, PlainRuns int64
	// Fallback says why a signature is not compiled: a *[savedmodel.CompileError], or an *[Error]
	// of XLA's. nil where all are.
	Fallback error
}

// XLA reports what was compiled so far. It is all zero with [XLAOff].
func (s *Session) XLA() XLAReport {
	if s.xla == nil {
		return XLAReport{}
	}
	s.xla.mu.Lock()
	defer s.xla.mu.Unlock()
	return s.xla.report
}

// xlaMode is XLAOff where nothing is compiled.
func (s *Session) xlaMode() XLA {
	if s.xla == nil {
		return XLAOff
	}
	return s.xla.mode
}

// xlaState is what the functions of a session share.
type xlaState struct {
	mode     XLA
	most     int // shapes
	options  Options
	fellBack func(error)
	start    time.Time

	noLengths atomic.Bool // this libtensorflow compiles each length by itself

	mu         sync.Mutex
	report     XLAReport
	signatures map[string]*signatureXLA
}

func newXLAState(o Options) *xlaState {
	if !o.XLA.enabled() {
		return nil
	}
	x := &xlaState{mode: o.XLA, most: o.XLAShapes, options: o, fellBack: o.XLAFallback, start: time.Now(), signatures: map[string]*signatureXLA{}}
	if x.most == 0 {
		x.most = DefaultXLAShapes
	}
	return x
}

// fallback takes down why something is not compiled, and tells of the first reason.
func (x *xlaState) fallback(reason error) {
	x.mu.Lock()
	first := x.report.Fallback == nil
	if first {
		x.report.Fallback = reason
	}
	x.mu.Unlock()
	if first && x.fellBack != nil {
		x.fellBack(reason)
	}
}

// compiler chooses, for each run of a Function, between the program as it is and the one that XLA
// compiles.
type compiler struct {
	*signatureXLA
	program tf.Program
}

// signatureXLA is what the functions of one signature share.
type signatureXLA struct {
	state   *xlaState
	name    string
	lookups bool // something that is compiled is looked up by index
	sizes   savedmodel.Compilation

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

// newCompiler prepares the compiled twin of f, whose heads are given. It returns nil where XLA is
// off, or cannot compile the signature.
func (f *Function) newCompiler(outputs []Endpoint, heads []Head) (*compiler, error) {
	s := f.session
	if s.xla == nil {
		return nil, nil
	}
	err := s.graph.CheckCompile(f.signature)
	if s.noTwins != "" {
		err = &savedmodel.CompileError{Signature: f.signature.Name, Msg: "XLA needs marks in the graph, and there is no copy of it: " + s.noTwins}
	}
	var refused *savedmodel.CompileError
	if errors.As(err, &refused) {
		s.xla.fallback(err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	twin := &Function{session: s, signature: f.signature, outputs: slices.Clone(outputs)}
	for i := range twin.outputs {
		twin.outputs[i].Tensor = savedmodel.CompiledTensor(twin.outputs[i].Tensor)
	}
	if err := twin.addHeads(heads); err != nil {
		return nil, err
	}
	program, err := s.engine.Prepare(tensorNames(f.inputs), tensorNames(twin.outputs))
	if err != nil {
		return nil, err
	}
	shared, err := f.signatureXLA()
	return &compiler{signatureXLA: shared, program: program}, err
}

// signatureXLA returns what is known of the function's signature.
func (f *Function) signatureXLA() (*signatureXLA, error) {
	x := f.session.xla
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.signatures[f.signature.Name]; c != nil {
		return c, nil
	}
	compiled, err := f.session.graph.Compilation(f.signature, x.options.reduction(!x.noLengths.Load()))
	if err != nil {
		return nil, err
	}
	c := &signatureXLA{state: x, name: f.signature.Name, sizes: compiled, shapes: map[string]*shapeState{}, ranges: make([]valueRange, len(f.inputs))}
	c.lookups = slices.ContainsFunc(compiled.Ops, func(op string) bool { return slices.Contains(lookupOps, op) })
	x.signatures[c.name] = c
	return c, nil
}

// compiledCall is what the choice for one run depends on.
type compiledCall struct {
	shape    string // of all inputs
	elements int64
	ranges   []valueRange
}

// watch looks at feeds on their way to TensorFlow.
func (c *signatureXLA) watch(feeds []tf.Feed) *compiledCall {
	cc := &compiledCall{}
	var key []byte
	for _, f := range feeds {
		dims := f.Dims
		if c.sizes.Lengths {
			dims = slices.Clone(dims)
			for i := 1; i < len(dims); i++ {
				dims[i] = c.sizes.Size(dims[i])
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

// run runs the fed values one way or the other. What XLA fails at is run as it is.
func (c *compiler) run(ctx context.Context, l tf.Loaded, cc *compiledCall) ([]tensor.Tensor, error) {
	compiled, first := c.choose(cc)
	start := time.Now()
	if !compiled {
		out, err := l.Run(ctx, nil)
		if err == nil {
			c.ranPlain(cc, time.Since(start))
		}
		return out, err
	}
	out, err := l.Run(ctx, c.program)
	var failed *Error
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
func (c *signatureXLA) untry(cc *compiledCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shapes[cc.shape].stage = stageUntried
}

// choose decides on a run. first says that XLA has to compile it.
func (c *signatureXLA) choose(cc *compiledCall) (compiled, first bool) {
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
		if c.state.mode == XLAOn {
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
	// autoAfter is how many uncompiled runs of a shape auto waits for: the first of a session is no
	// measure.
	autoAfter = 3
	// autoRuns is how many runs of a shape auto measures each way, by turns: what else the machine
	// does, another batch above all, is then the same for both.
	autoRuns = 3
	// autoBudget and autoShare bound the time that auto spends on compiling.
	autoBudget = time.Second
	autoShare  = 4
)

// worthTrying reports whether a shape is to be compiled now.
func (c *signatureXLA) worthTrying(s *shapeState) bool {
	x := c.state
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.report.Shapes >= x.most {
		return false
	}
	if x.mode == XLAOn {
		return true
	}
	return s.seen >= autoAfter && (c.lost == 0 || s.elements < c.lost) &&
		x.report.CompileTime < autoBudget+time.Since(x.start)/autoShare
}

// ranPlain takes down an uncompiled run that went well.
func (c *signatureXLA) ranPlain(cc *compiledCall, d time.Duration) {
	c.state.count(func(r *XLAReport) { r.PlainRuns++ })
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
func (c *signatureXLA) ranCompiled(cc *compiledCall, d time.Duration, first bool) {
	c.state.count(func(r *XLAReport) {
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
func (c *signatureXLA) decide(s *shapeState) {
	if len(s.plain) < autoRuns || len(s.xla) < autoRuns {
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
func (cc *compiledCall) per(d time.Duration) float64 {
	return float64(d) / float64(max(cc.elements, 1))
}

// fail gives XLA up for this function.
func (c *signatureXLA) fail(reason error) {
	c.state.count(func(r *XLAReport) { r.PlainRuns++ })
	c.mu.Lock()
	was := c.off
	c.off = true
	c.mu.Unlock()
	if !was {
		c.state.fallback(&savedmodel.CompileError{Signature: c.name, Msg: "XLA: " + shortReason(reason)})
	}
}

func (x *xlaState) count(f func(*XLAReport)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(&x.report)
}

// fewLengths rounds a length up so that there are at most four in each doubling: a quarter of
// padding at most, for as many shapes to compile.
func fewLengths(n int64) int64 {
	step := int64(8)
	for step*8 <= n {
		step *= 2
	}
	return (n + step - 1) / step * step
}

// shortReason is the first sentence of an error of TensorFlow's, of which XLA's are pages long.
func shortReason(err error) string {
	msg := err.Error()
	var tfErr *Error
	if errors.As(err, &tfErr) {
		msg = tfErr.Msg
	}
	msg, _, _ = strings.Cut(msg, "; ")
	if r := []rune(msg); len(r) > 300 {
		msg = string(r[:300]) + "…"
	}
	return msg
}
