package runner

import (
	"errors"
	"slices"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/xla"
)

// XLA says whether signatures are compiled. A compiled signature is quicker for one row or a few,
// and often slower for full batches. Where a signature has loops, such as recurrent layers, these
// alone are compiled, each by itself; full batches are quicker then, too, and what is compiled for
// one length serves others: see [rewrite.Compilation]. Each combination of the inputs' shapes,
// but for lengths that share a [rewrite.Compilation.Size], is compiled by itself, which takes
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

// XLA reports what was compiled so far. It is all zero with [XLAOff].
func (s *Session) XLA() XLAReport {
	if s.xla == nil {
		return XLAReport{}
	}
	return s.xla.Report()
}

// newXLA returns the state of what is compiled of a session; nil where nothing is.
func newXLA(o Options) *xla.State {
	if !o.XLA.enabled() {
		return nil
	}
	x := xla.Options{Measure: o.XLA == XLAAuto, Shapes: o.XLAShapes, Fallback: o.XLAFallback}
	if x.Shapes == 0 {
		x.Shapes = DefaultXLAShapes
	}
	return xla.New(x)
}

// newCompiler prepares the compiled twin of f, whose heads are given. It returns nil where XLA is
// off, or cannot compile the signature.
func (f *Function) newCompiler(outputs []Endpoint, heads []Head, picks []pick) (*xla.Compiler, error) {
	s := f.session
	if s.xla == nil {
		return nil, nil
	}
	err := rewrite.CheckCompile(s.graph, f.signature)
	var refused *rewrite.CompileError
	if errors.As(err, &refused) {
		s.xla.Fallback(err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	twin := &Function{session: s, signature: f.signature, outputs: slices.Clone(outputs)}
	for i := range twin.outputs {
		if twin.outputs[i].input {
			continue
		}
		twin.outputs[i].Tensor = rewrite.CompiledTensor(twin.outputs[i].Tensor)
	}
	if err := twin.addHeads(heads); err != nil {
		return nil, err
	}
	if err := twin.arrange(picks); err != nil {
		return nil, err
	}
	program, err := s.engine.Prepare(tensorNames(f.inputs), tensorNames(twin.outputs))
	if err != nil {
		return nil, err
	}
	shared, err := s.xla.Signature(f.signature.Name, len(f.inputs), func() (rewrite.Compilation, error) {
		return rewrite.CompilationOf(s.graph, f.signature, s.o.reduction(!s.noLengths.Load()))
	})
	if err != nil {
		return nil, err
	}
	return &xla.Compiler{Signature: shared, Program: program}, nil
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
