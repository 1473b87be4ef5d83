package runner

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/sequence"
	"github.com/tfrun/tfrun/tensor"
)

// Side is an end of a sequence.
type Side string

const (
	Post Side = "post" // the end, as tf.data pads
	Pre  Side = "pre"  // the beginning, as Keras' pad_sequences pads and truncates by default
)

// Sequences says how rows that are sequences are padded and cut to a length, and which inputs are
// made of their lengths.
type Sequences struct {
	// PadSide is where padding goes; "" is [Post].
	PadSide Side
	// Truncate is the end at which a row that is too long is cut; "": such a row is an error.
	Truncate Side
	// MaxLen is the length that an input's rows get along their first axis, by the input's name:
	// shorter rows are padded, longer ones cut. "" stands for all inputs whose length the signature
	// leaves open; where there are none, for those that have this length. Where PadSide or Truncate
	// is set and no length is open, those that the signature fixes count as given.
	MaxLen map[string]int64
	// Lengths names inputs that get the length of another input before padding, by that input's
	// name; Masks names inputs that get a one for each of its entries and zeros for padding. As the
	// other input, "" is the only one left.
	Lengths, Masks map[string]string
	// Set holds values that inputs get for all rows. A value has the shape that the signature gives
	// the input, without the first axis where that is the batch.
	Set map[string]tensor.Tensor
}

// IsZero reports whether rows are fed as they are.
func (s Sequences) IsZero() bool {
	return s.PadSide == "" && s.Truncate == "" && len(s.MaxLen)+len(s.Lengths)+len(s.Masks)+len(s.Set) == 0
}

// withSet turns the values that are set for inputs without a batch axis into defaults of the
// signature.
func (f *Function) withSet(set map[string]tensor.Tensor, noBatch bool) error {
	if len(set) == 0 {
		return nil
	}
	sig := *f.signature
	if sig.Defaults = maps.Clone(sig.Defaults); sig.Defaults == nil {
		sig.Defaults = map[string]tensor.Tensor{}
	}
	for name, v := range set {
		in, ok := sig.Inputs[name]
		if !ok {
			return &NameError{Kind: "input", Name: name, Have: sig.InputNames()}
		}
		shape := in.Shape
		if !noBatch && perRow(shape) {
			shape = shape.Drop(1)
			delete(sig.Defaults, name)
		} else {
			sig.Defaults[name] = v
		}
		if v.DType() != in.DType || !shape.Admits(v.Dims()) {
			return &OptionError{Option: "Set", Msg: fmt.Sprintf("input %q: want %s %s, got %v", name, in.DType, shape, v)}
		}
	}
	f.signature = &sig
	return nil
}

// perRow reports whether the first axis of an input is the batch.
func perRow(s tensor.Shape) bool { return !s.Ranked() || s.Rank() > 0 && s.Dim(0) == tensor.Unknown }

// checkSequences checks the options, and finds the lengths of sequences.
func (p *Predictor) checkSequences() error {
	s := p.o.Sequences
	for _, side := range []Side{s.PadSide, s.Truncate} {
		if side != "" && side != Pre && side != Post {
			return &OptionError{Option: "PadSide, Truncate", Msg: fmt.Sprintf("%q: want pre or post", side)}
		}
	}
	known := func(name string) error {
		if _, ok := p.f.signature.Inputs[name]; !ok {
			return &NameError{Kind: "input", Name: name, Have: p.f.signature.InputNames()}
		}
		return nil
	}
	rest := s
	rest.Set = nil
	if p.o.NoBatch && !rest.IsZero() {
		return &OptionError{Option: "NoBatch, Sequences", Msg: "whole tensors are fed as they are: neither padded nor cut"}
	}
	p.made = map[string]string{}
	for _, list := range []map[string]string{s.Lengths, s.Masks} {
		for name, of := range list {
			err := known(name)
			if err == nil && of != "" {
				err = known(of)
			}
			if err != nil {
				return err
			}
			if _, twice := p.made[name]; twice {
				return &OptionError{Option: "Lengths, Masks", Msg: fmt.Sprintf("input %q is to get a length and a mask", name)}
			}
			p.made[name] = of
		}
	}
	for name, of := range p.made {
		if of == "" {
			of = p.onlySequence()
		}
		if c := p.spec.Index(of); c < 0 || p.components[c].Shape.Rank() < 1 || p.made[of] != "" {
			return &OptionError{Option: "Lengths, Masks", Msg: fmt.Sprintf("say whose length input %q is to get: %s=INPUT", name, name)}
		}
		p.made[name] = of
	}
	for name, n := range s.MaxLen {
		if err := known(name); err != nil && name != "" { // "": all inputs
			return err
		}
		if n < 1 {
			return &OptionError{Option: "MaxLen", Msg: fmt.Sprintf("%d: want at least 1", n)}
		}
	}
	return p.findLengths()
}

// onlySequence is the only input whose rows have a first axis and that rows give, or "".
func (p *Predictor) onlySequence() string {
	found := ""
	for i, path := range p.spec.Paths() {
		_, made := p.made[path]
		if _, set := p.o.Sequences.Set[path]; made || set || p.components[i].Shape.Rank() < 1 {
			continue
		}
		if found != "" {
			return ""
		}
		found = path
	}
	return found
}

// findLengths finds the lengths that inputs' rows get.
func (p *Predictor) findLengths() error {
	s := p.o.Sequences
	all, given := s.MaxLen[""]
	p.lengths = map[string]int64{}
	var fixed []string
	open := false
	for i, path := range p.spec.Paths() {
		c := p.components[i]
		_, made := p.made[path]
		if _, set := s.Set[path]; made || set || c.Ragged || c.Shape.Rank() < 1 || strings.Contains(path, "/") {
			continue
		}
		size := c.Shape.Dim(0)
		n, named := s.MaxLen[path]
		switch {
		case named && size != tensor.Unknown && n != size:
			return &OptionError{Option: "MaxLen", Msg: fmt.Sprintf("input %q: the signature fixes its length at %d, not %d", path, size, n)}
		case named:
			p.lengths[path] = n
		case size == tensor.Unknown && given:
			p.lengths[path] = all
		case size == tensor.Unknown || p.padsTo(path) <= 0:
		case p.padsTo(path) == size:
			p.lengths[path] = size
		case p.padsTo(path) > size || p.o.PadTo[path] == 0:
			return &OptionError{Option: "PadTo, PaddedShapes", Msg: fmt.Sprintf("input %q: the signature fixes its length at %d, not %d", path, size, p.padsTo(path))}
		}
		if size == tensor.Unknown {
			open = true
		} else {
			fixed = append(fixed, path)
		}
	}
	if open || !given && s.PadSide == "" && s.Truncate == "" {
		return nil
	}
	sizes, matches := []string{}, false
	for _, path := range fixed {
		size := p.components[p.spec.Index(path)].Shape.Dim(0)
		sizes = append(sizes, fmt.Sprintf("that of %s at %d", path, size))
		if !given || size == all {
			p.lengths[path], matches = size, true
		}
	}
	if given && !matches {
		return &OptionError{Option: "MaxLen", Msg: fmt.Sprintf("length %d: the signature fixes %s", all, cmp.Or(strings.Join(sizes, ", "), "rows at one value"))}
	}
	return nil
}

// padsTo is the length that PadTo or PaddedShapes give an input's rows at least; 0: they give none.
func (p *Predictor) padsTo(path string) int64 {
	if p.o.NoBatch {
		return 0
	}
	n := p.o.PadTo[path]
	if shape := p.o.PaddedShapes[path]; len(shape) > 0 {
		n = max(n, shape[0])
	}
	return n
}

// completes reports whether rows hold another form than [Predictor.RowSpec].
func (p *Predictor) completes() bool { return !p.o.Sequences.IsZero() || len(p.lengths) > 0 }

// GivenSpec is what rows must hold for [Predictor.Complete] to bring them into the form of
// [Predictor.RowSpec]. It is RowSpec without the inputs that [PredictOptions.Sequences] set or make
// of lengths, and an input that Sequences give a length may have any.
func (p *Predictor) GivenSpec() dataset.Spec {
	if !p.completes() {
		return p.spec
	}
	return p.sequencePlan().Given()
}

// Complete brings rows of [Predictor.GivenSpec] into the form that [Predictor.Predict] takes, as
// the options say: sequences get their length, inputs that are set or made of lengths are filled
// in, and what is shorter than PadTo is padded. A row beyond the Limits, or too long, is an error
// of its own.
func (p *Predictor) Complete(rows *dataset.Dataset) *dataset.Dataset {
	if p.completes() {
		rows = p.sequencePlan().Complete(rows)
	}
	return sequence.PadTo(p.limited(rows), p.spec, p.o.PadTo, p.o.Pad)
}

// sequencePlan says what [PredictOptions.Sequences] make of rows.
func (p *Predictor) sequencePlan() *sequence.Plan {
	s := p.o.Sequences
	return &sequence.Plan{
		Spec: p.spec, Lengths: p.lengths, Made: p.made, Counts: s.Lengths, Set: s.Set, Pad: p.o.Pad,
		PadFirst: s.PadSide == Pre, Cut: s.Truncate != "", CutFirst: s.Truncate == Pre,
	}
}
