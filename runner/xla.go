package runner

import (
	"errors"
	"slices"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/xla"
)

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
