package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Side is an end of a sequence.
type Side string

const (
	Post Side = "post" // the end, as tf.data pads
	Pre  Side = "pre"  // the beginning, as Keras' pad_sequences pads and truncates by default
)

// Sequences says how rows that are sequences are brought to a length, and what else is made of
// their lengths.
type Sequences struct {
	// PadSide is where padding goes; "" is [Post].
	PadSide Side
	// Truncate is where what is too long is cut; "" cuts nothing: such a row is an error.
	Truncate Side
	// MaxLen is the length that an input's rows get, along their first axis: shorter ones are
	// padded, longer ones cut. "" stands for all inputs whose length the signature leaves open.
	// Where PadSide or Truncate is set, a length that the signature fixes counts as given.
	MaxLen map[string]int64
	// Lengths are inputs that get the length of another, named one, before it is padded; Masks
	// those that get ones for its entries, and zeros for padding. "" is the only input left.
	Lengths, Masks map[string]string
	// Set holds values that inputs get for all rows: of the shape of the signature, or, where its
	// first axis is the batch, of a row.
	Set map[string]tensor.Tensor
}

// IsZero reports whether rows are fed as they are.
func (s Sequences) IsZero() bool {
	return s.PadSide == "" && s.Truncate == "" && len(s.MaxLen)+len(s.Lengths)+len(s.Masks)+len(s.Set) == 0
}

// withSet makes defaults of values that are set for inputs without a batch axis.
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
	known := func(names ...string) error {
		for _, name := range names {
			if _, ok := p.f.signature.Inputs[name]; !ok && name != "" {
				return &NameError{Kind: "input", Name: name, Have: p.f.signature.InputNames()}
			}
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
			if err := known(name, of); err != nil {
				return err
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
		if err := known(name); err != nil {
			return err
		}
		if n < 1 {
			return &OptionError{Option: "MaxLen", Msg: fmt.Sprintf("%d: want at least 1", n)}
		}
	}
	p.lengths = p.findLengths()
	return nil
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

// findLengths returns the lengths that inputs' rows get.
func (p *Predictor) findLengths() map[string]int64 {
	s := p.o.Sequences
	lengths := map[string]int64{}
	var open, fixed []string
	for i, path := range p.spec.Paths() {
		c := p.components[i]
		_, made := p.made[path]
		if _, set := s.Set[path]; made || set || c.Ragged || c.Shape.Rank() < 1 || strings.Contains(path, "/") {
			continue
		}
		if n, given := s.MaxLen[path]; given {
			lengths[path] = n
		}
		if c.Shape.Dim(0) == tensor.Unknown {
			open = append(open, path)
		} else {
			fixed = append(fixed, path)
		}
	}
	if n, given := s.MaxLen[""]; given {
		for _, path := range open {
			if lengths[path] == 0 {
				lengths[path] = n
			}
		}
	}
	if len(open) == 0 && (s.PadSide != "" || s.Truncate != "") {
		for _, path := range fixed {
			lengths[path] = p.components[p.spec.Index(path)].Shape.Dim(0)
		}
	}
	return lengths
}

// GivenSpec is what rows must hold for [Predictor.Complete] to bring them into the form of
// [Predictor.RowSpec]: the same without the inputs that [PredictOptions.Sequences] set or make of
// lengths, and with rows of any length for those that it gives a length.
func (p *Predictor) GivenSpec() dataset.Spec {
	if p.o.Sequences.IsZero() {
		return p.spec
	}
	items := map[string]dataset.Spec{}
	for i, key := range p.spec.Keys() {
		_, made := p.made[key]
		if _, set := p.o.Sequences.Set[key]; made || set {
			continue
		}
		items[key] = p.spec.Items()[i]
		if p.lengths[key] > 0 {
			c := p.components[p.spec.Index(key)]
			dims := c.Shape.Dims()
			dims[0] = tensor.Unknown
			c.Shape = tensor.MakeShape(dims...)
			items[key] = dataset.Leaf(c)
		}
	}
	return dataset.Dict(items)
}

// Complete brings rows of [Predictor.GivenSpec] into the form that [Predictor.Predict] takes, as
// the options say: sequences get their length, inputs that are set or made of lengths are filled
// in, and what is shorter than PadTo is padded. A row beyond the Limits, or too long, is an error
// of its own.
func (p *Predictor) Complete(rows *dataset.Dataset) *dataset.Dataset {
	return p.padTo(p.limited(p.sequenced(rows)))
}

// sequenced gives rows their lengths, and the inputs that they do not hold.
func (p *Predictor) sequenced(rows *dataset.Dataset) *dataset.Dataset {
	if p.o.Sequences.IsZero() {
		return rows
	}
	given := p.GivenSpec()
	s := p.o.Sequences
	names := slices.Sorted(maps.Keys(p.lengths))
	rows = rows.Check(func(e dataset.Element) (string, error) {
		for _, name := range names {
			if n := e.Tensors[given.Index(name)].Dims()[0]; n > p.lengths[name] && s.Truncate == "" {
				return name, fmt.Errorf("%d entries are more than %d; --truncate pre or post cuts them", n, p.lengths[name])
			}
		}
		return "", nil
	})
	return rows.Map(p.spec, func(e dataset.Element) (dataset.Element, error) {
		row := e
		row.Tensors, row.Splits = make([]tensor.Tensor, len(p.components)), nil
		before := map[string]int64{} // lengths, cut but not padded
		for i, path := range p.spec.Paths() {
			k := given.Index(path)
			if k < 0 {
				continue
			}
			t := e.Tensors[k]
			if e.Splits != nil {
				row.Splits = append(row.Splits, make([][]tensor.Tensor, i+1-len(row.Splits))...)
				row.Splits[i] = e.Splits[k]
			}
			var err error
			if row.Tensors[i], before[path], err = p.fitted(path, t); err != nil {
				return row, err
			}
		}
		return row, p.complete(row, before)
	})
}

// fitted gives an input's value its length. n is the length before padding.
func (p *Predictor) fitted(name string, t tensor.Tensor) (_ tensor.Tensor, n int64, err error) {
	s, want := p.o.Sequences, p.lengths[name]
	if t.Rank() > 0 {
		n = t.Dims()[0]
	}
	if want == 0 {
		return t, n, nil
	}
	switch {
	case n > want && s.Truncate == Pre:
		t, n = t.Slice(int(n-want), int(n)), want
	case n > want:
		t, n = t.Slice(0, int(want)), want
	}
	if n == want {
		return t, n, nil
	}
	long, err := extend(t, want, p.o.Pad[name])
	if err == nil && s.PadSide == Pre {
		toEnd(long, int(n))
	}
	return long, n, err
}

// complete fills in the inputs that are set or made of lengths.
func (p *Predictor) complete(row dataset.Element, lengths map[string]int64) error {
	for name, v := range p.o.Sequences.Set {
		row.Tensors[p.spec.Index(name)] = v
	}
	for name, of := range p.made {
		c := p.components[p.spec.Index(name)]
		n := lengths[of]
		if _, isLength := p.o.Sequences.Lengths[name]; isLength {
			dims, ok := oneElement(c.Shape)
			t, err := filled(c.DType, 1, float64(n))
			if !ok || err != nil {
				return fmt.Errorf("input %q: a length is one number, want %s %s", name, c.DType, c.Shape)
			}
			if row.Tensors[p.spec.Index(name)], err = t.Reshape(dims...); err != nil {
				return err
			}
			continue
		}
		t, err := filled(c.DType, n, 1)
		if err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
		if total := p.lengths[of]; total > n {
			if t, err = extend(t, total, tensor.Tensor{}); err != nil {
				return err
			}
			if p.o.Sequences.PadSide == Pre {
				toEnd(t, int(n))
			}
		}
		row.Tensors[p.spec.Index(name)] = t
	}
	return nil
}

// filled returns a vector of n times a number, of any dtype that has it.
func filled(d tensor.DType, n int64, v float64) (tensor.Tensor, error) {
	list := make([]float64, n)
	for i := range list {
		list[i] = v
	}
	switch d {
	case tensor.Int32:
		return vectorOf(list, func(v float64) int32 { return int32(v) }), nil
	case tensor.Int64:
		return vectorOf(list, func(v float64) int64 { return int64(v) }), nil
	case tensor.Float32:
		return vectorOf(list, func(v float64) float32 { return float32(v) }), nil
	case tensor.Float64:
		return tensor.Vector(list...), nil
	case tensor.Bool:
		return vectorOf(list, func(v float64) bool { return v != 0 }), nil
	}
	return tensor.Tensor{}, fmt.Errorf("lengths and masks are int32, int64, float32, float64 or bool, not %s", d)
}

func vectorOf[T tensor.Value](list []float64, of func(float64) T) tensor.Tensor {
	out := make([]T, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return tensor.Vector(out...)
}

// toEnd moves the first n entries of a padded value behind its padding, in place.
func toEnd(t tensor.Tensor, n int) {
	steps := int(t.Dims()[0])
	if t.DType() == tensor.String {
		moveToEnd(t.Strings(), n, steps)
		return
	}
	moveToEnd(t.Bytes(), n, steps)
}

// moveToEnd moves the first n of the steps that a row consists of behind the others, which are
// padding and all alike.
func moveToEnd[T any](row []T, n, steps int) {
	if n >= steps || steps == 0 {
		return
	}
	size := len(row) / steps
	pad := slices.Clone(row[(steps-1)*size:])
	copy(row[(steps-n)*size:], row[:n*size])
	for i := range steps - n {
		copy(row[i*size:], pad)
	}
}

// padFirst moves the rows of a padded batch behind their padding.
func padFirst[T any](dst []T, b *dataset.Batch, c int) {
	dims := b.Dims(c)
	if len(dims) < 2 || b.Len() == 0 {
		return
	}
	size := len(dst) / b.Len()
	for i := range b.Len() {
		moveToEnd(dst[i*size:(i+1)*size], int(b.Row(i).Tensors[c].Dims()[0]), int(dims[1]))
	}
}

// padTo extends rows to the least sizes that PadTo asks for.
func (p *Predictor) padTo(rows *dataset.Dataset) *dataset.Dataset {
	if len(p.o.PadTo) == 0 {
		return rows
	}
	least := map[int]int64{} // by component
	for name, n := range p.o.PadTo {
		if c := p.spec.Index(name); c >= 0 {
			least[c] = n
		}
	}
	return rows.Map(p.spec, func(e dataset.Element) (dataset.Element, error) {
		e.Tensors = slices.Clone(e.Tensors)
		for c, n := range least {
			t, err := extend(e.Tensors[c], n, p.o.Pad[p.spec.Paths()[c]])
			if err != nil {
				return e, fmt.Errorf("input %q: %w", p.spec.Paths()[c], err)
			}
			e.Tensors[c] = t
		}
		return e, nil
	})
}

// extend returns t with its first axis padded to n entries, or t itself where it has as many:
// pad_to_size.
func extend(t tensor.Tensor, n int64, pad tensor.Tensor) (tensor.Tensor, error) {
	if t.Rank() == 0 || t.Dims()[0] >= n {
		return t, nil
	}
	dims := slices.Clone(t.Dims())
	dims[0] = n
	out, err := tensor.New(t.DType(), dims...)
	if err != nil {
		return out, err
	}
	copy(out.Strings(), t.Strings())
	have := copy(out.Bytes(), t.Bytes())
	for i := t.Len(); i < out.Len() && pad.Len() == 1; i++ {
		if t.DType() == tensor.String {
			out.Strings()[i] = pad.Strings()[0]
		} else {
			have += copy(out.Bytes()[have:], pad.Bytes())
		}
	}
	return out, nil
}

// oneElement returns sizes that hold one value and fit the shape.
func oneElement(s tensor.Shape) ([]int64, bool) {
	dims := slices.Repeat([]int64{1}, len(s.Dims()))
	return dims, s.Admits(dims)
}
