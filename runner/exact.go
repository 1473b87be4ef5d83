package runner

import (
	"fmt"
	"math"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel/padding"
	"github.com/tfrun/tfrun/tensor"
)

// exactTwin is the twin of a signature that takes each row's length too. For a row of a padded
// batch it gives what the signature gives for the row alone; see [rewrite.Exact].
type exactTwin struct {
	*rewrite.Exact
	// function takes the signature's inputs, then the lengths of rows. It gives the outputs that
	// are asked for, then the lengths that these are cut to.
	function *Function
	cuts     [][]exactCut // by output
}

// exactCut says that an axis of a row's answer is to be cut to the length that an output has.
type exactCut struct{ axis, from int }

// usualPad bounds the padding values that a twin keeps out.
const usualPad = 1e4

// suitsTwin reports whether batches may be fed to a twin under the predictor's options.
func (p *Predictor) suitsTwin() bool {
	o := p.o
	// a twin was made of the signature as the file has it
	if p.f.joined || !p.f.session.o.reduction(false).Exact || o.NoBatch || o.BatchSize == 1 || p.f.state.Stateful() || o.Sequences.PadSide == Pre || len(o.PadTo) > 0 || len(o.PaddedShapes) > 0 {
		return false
	}
	for _, v := range o.Pad {
		if x, isFloat := numbers(v); isFloat && !(math.Abs(x[0]) < usualPad) { // NaN neither
			return false
		}
	}
	return true
}

// findTwin prepares the twin of the predictor's signature, where it has one that suits the options.
func (p *Predictor) findTwin() error {
	if !p.suitsTwin() {
		return nil
	}
	s := p.f.session
	found, err := s.known(p.f.signature).exact()
	if found == nil || err != nil {
		return err
	}
	t := &exactTwin{Exact: found, function: &Function{session: s, signature: p.f.signature, inputs: slices.Clone(p.f.inputs)}}
	for _, e := range p.f.outputs {
		if _, ok := found.Outputs[e.from()]; !ok || e.Role != "" {
			return nil
		}
	}
	if err := t.prepare(p); err != nil {
		return fmt.Errorf("signature %q: %w", p.f.signature.Name, err)
	}
	p.twin = t
	return nil
}

// prepare finds the twin's tensors in the session.
func (t *exactTwin) prepare(p *Predictor) error {
	f := t.function
	for _, l := range t.Lengths {
		f.inputs = append(f.inputs, Endpoint{Name: l.Tensor, Value: l.Tensor, DType: tensor.Int32, Shape: tensor.MakeShape(tensor.Unknown), Tensor: l.Tensor})
	}
	seen := map[string]bool{}
	for _, e := range p.f.outputs {
		if from := e.from(); !seen[from] {
			seen[from] = true
			info := p.f.signature.Outputs[from]
			f.outputs = append(f.outputs, Endpoint{Name: from, Value: from, DType: info.DType, Shape: info.Shape, Tensor: t.Outputs[from].Tensor})
		}
	}
	s := f.session
	if !s.enter() {
		return ErrClosed
	}
	defer s.leave()
	s.headsMu.Lock()
	defer s.headsMu.Unlock()
	if err := f.addHeads(p.o.Heads); err != nil {
		return err
	}
	if err := f.arrange(parsePicks(f.signature, p.o.Outputs)); err != nil {
		return err
	}
	sizes := map[string]int{}
	for _, e := range f.outputs {
		var cuts []exactCut
		for _, c := range t.Outputs[e.from()].Cuts {
			at, have := sizes[c.Tensor]
			if !have {
				at = len(f.outputs)
				sizes[c.Tensor] = at
				f.outputs = append(f.outputs, Endpoint{Name: c.Tensor, Value: c.Tensor, DType: tensor.Int32, Shape: tensor.MakeShape(tensor.Unknown), Tensor: c.Tensor})
			}
			cuts = append(cuts, exactCut{c.Axis - 1, at})
		}
		t.cuts = append(t.cuts, cuts)
	}
	var err error
	f.program, err = s.engine.Prepare(tensorNames(f.inputs), tensorNames(f.outputs))
	return err
}

// lengthFeeds are the twin's feeds for a batch, beside the inputs.
func (p *Predictor) lengthFeeds(b *dataset.Batch) []tf.Feed {
	var feeds []tf.Feed
	for _, l := range p.using.Lengths {
		lengths := make([]int32, b.Len(), max(int64(b.Len()), p.fixed))
		for i := range lengths {
			lengths[i] = int32(b.Row(i).Tensors[p.spec.Index(l.Input)].Dims()[l.Axis]) //nolint:gosec // the batch is in memory
		}
		for int64(len(lengths)) < p.fixed {
			lengths = append(lengths, lengths[b.Len()-1])
		}
		feeds = append(feeds, tf.FeedTensor(tensor.Vector(lengths...)))
	}
	return feeds
}

// cutPadding removes the padding at the end of each row's answers.
func (t *exactTwin) cutPadding(b *ResultBatch, tensors []tensor.Tensor) error {
	if !slices.ContainsFunc(t.cuts, func(c []exactCut) bool { return len(c) > 0 }) {
		return nil
	}
	rows := make([]Result, b.Len())
	for i := range rows {
		r, err := b.Result(i)
		if err != nil {
			return err
		}
		for k, cuts := range t.cuts {
			x := &r.Values[k].Tensor
			dims := slices.Clone(x.Dims())
			for _, c := range cuts {
				lengths, _ := tensor.Values[int32](tensors[c.from])
				dims[c.axis] = min(dims[c.axis], int64(lengths[i]))
			}
			if *x, err = corner(*x, dims); err != nil {
				return err
			}
		}
		rows[i] = r
	}
	b.rows, b.values = rows, nil
	return nil
}

// isAlone returns a function that reports whether a row may share a batch with rows of its own
// shape only: a row that does not meet what a proof needs, or one without a step, of which nothing
// is proven.
func (p *Predictor) isAlone(needs []padding.Need) func(dataset.Element) bool {
	isApart := p.isApart(needs)
	return func(row dataset.Element) bool {
		for c, t := range row.Tensors {
			for _, axis := range p.openAxes(c, t) {
				if t.Dims()[axis] == 0 {
					return true
				}
			}
		}
		return isApart != nil && isApart(row)
	}
}

// PadsExactly reports whether [Exact] lets rows of like length share a batch although padding
// changes what the signature gives, because a twin of the signature keeps padding out.
func (p *Predictor) PadsExactly() bool { return p.twin != nil }

// byTwin returns the predictor that feeds batches to the twin.
func (p *Predictor) byTwin() *Predictor {
	p = p.with(func(*PredictOptions) {})
	p.using = p.twin
	return p
}

// corner copies the part of a tensor that begins where it does and has the given sizes.
func corner(t tensor.Tensor, dims []int64) (tensor.Tensor, error) {
	out, err := tensor.New(t.DType(), dims...)
	if err != nil || out.Len() == 0 {
		return out, err
	}
	from, to, size := 0, 0, t.DType().Size()
	var copyAxis func(axis int)
	copyAxis = func(axis int) {
		if axis == len(dims) {
			if t.DType() == tensor.String {
				out.Strings()[to] = t.Strings()[from]
			} else {
				copy(out.Bytes()[to*size:(to+1)*size], t.Bytes()[from*size:])
			}
			from, to = from+1, to+1
			return
		}
		for range dims[axis] {
			copyAxis(axis + 1)
		}
		rest := 1 // entries of the tensor for each that is left out
		for _, d := range t.Dims()[axis+1:] {
			rest *= int(d)
		}
		from += rest * int(t.Dims()[axis]-dims[axis])
	}
	copyAxis(0)
	return out, nil
}
