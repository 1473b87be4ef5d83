// Package padding proves, from a model's graph alone, what the answer for a row depends on beside
// the row. [Of] says for each output of a signature whether other rows of the batch, and the row's
// padding, change the answer; that they do not; or that it is not known.
//
// # How it is proven
//
// Two runs are compared, operation by operation: in the first a row is alone, in the second it is
// among other rows, padded to the longest. For each tensor the walk knows how its axes relate in
// the two runs (for example, the row's steps come first and padding after them), whether the row's
// own entries are the same in both, and what is known of the entries of padding (for example, they
// are false in a mask). A product of matrices along other axes keeps these facts. A maximum over
// the steps is the same in both runs only if padding cannot be the largest entry. A loop over the
// steps is, if steps of padding leave its state as it is.
//
// An operation that the walk does not know makes its results unknown, never independent. Proofs
// hold up to rounding, for values of a usual size: a mask that adds -1e9 is taken to outweigh
// whatever it is added to. A row must have at least one step.
package padding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Of returns what is known of the outputs of a signature, in the order of their names. pad gives
// the padding values of inputs; others are padded with 0, "" or false. An error is one of reading
// the file.
func Of(mg *savedmodel.MetaGraph, sig *savedmodel.Signature, pad map[string]tensor.Tensor) ([]Output, error) {
	names := sig.OutputNames()
	outputs := make([]Output, len(names))
	for i, name := range names {
		outputs[i].Name = name
	}
	state, err := mg.State(sig)
	if err != nil {
		return nil, err
	}
	if len(state.Changes) > 0 {
		why := Result{Answer: Depends, Chain: []string{"a run changes what a later one sees: " + strings.Join(state.Changes, ", ")}}
		for i := range outputs {
			outputs[i].Company, outputs[i].Padding = why, why
		}
		return outputs, nil
	}
	from, err := read(mg.Graph(), sig)
	if err != nil {
		return nil, err
	}
	for _, padded := range []bool{false, true} {
		open := slices.Clone(names)
		for _, assume := range assumptions(sig) {
			w := &walker{source: from, pad: pad, padded: padded, assume: assume}
			main := w.mainFrame()
			for i, name := range names {
				if !slices.Contains(open, name) {
					continue
				}
				_, r := w.output(main, sig.Outputs[name])
				if least, ok := w.leastNeeds(2); r.Answer == Independent && ok {
					r.Needs = append(w.found(assume), least...)
				} else if r.Answer == Independent {
					r = Result{Chain: []string{"it takes more entries than rows have"}}
				}
				to := &outputs[i].Company
				if padded {
					to = &outputs[i].Padding
				}
				if *to = r; r.Answer == Independent {
					open = slices.DeleteFunc(open, func(s string) bool { return s == name })
				}
			}
			if len(open) == 0 || !padded {
				break
			}
		}
	}
	return outputs, nil
}

// assumptions lists the assumptions about rows that are tried, the weakest first: none; that no
// step is a padding value; and also that inputs called masks hold ones.
func assumptions(sig *savedmodel.Signature) []map[string]Need {
	none, padless, ones := map[string]Need{}, map[string]Need{}, map[string]Need{}
	masks := false
	for name := range sig.Inputs {
		padless[name] = Need{Input: name, Padless: true}
		ones[name] = padless[name]
		if strings.Contains(strings.ToLower(name), "mask") {
			ones[name] = Need{Input: name, Ones: true}
			masks = true
		}
	}
	if masks {
		return []map[string]Need{none, padless, ones}
	}
	return []map[string]Need{none, padless}
}

// output returns what is known of an output. If padding can be cut off it, sized says along which
// axes.
func (w *walker) output(main *frame, info savedmodel.TensorInfo) (sized []Sized, r Result) {
	if info.Encoding != savedmodel.Dense {
		return nil, Result{Chain: []string{"it is no dense tensor"}}
	}
	name, _, _ := strings.Cut(info.Tensor, ":")
	ref := main.f.MainRef(info.Tensor)
	if !ref.OK() {
		return nil, Result{Chain: []string{fmt.Sprintf("the graph has no %q", name)}}
	}
	v := w.value(main, ref)
	switch {
	case v.why != nil:
		return nil, v.why.result()
	case !v.ranked || v.list != nil:
		return nil, Result{Chain: []string{"its shape is known only when it runs"}}
	case v.rank() == 0 || !slices.Equal(v.axes[0], axis{rowsAtom}):
		return nil, Result{Chain: []string{"its first axis is not that of the rows"}}
	}
	for i, a := range v.axes[1:] {
		switch {
		case a.has(rows) || a.has(flat):
			return nil, Result{Answer: Depends, Chain: []string{fmt.Sprintf("axis %d of the output has an entry for each row of the batch", i+1)}}
		case a.has(steps):
			s, ok := w.sized(i+1, a)
			if !ok {
				return nil, Result{Answer: Depends, Chain: []string{"the output has an entry for each padded step"}}
			}
			sized = append(sized, s)
		}
	}
	return sized, Result{Answer: Independent}
}

// result returns the chain of causes as a result, beginning with the first cause.
func (c *cause) result() Result {
	r := Result{Answer: c.answer}
	for ; c != nil; c = c.up {
		line := c.text
		if c.node != nil {
			line = opAndLayer(c.node) + " " + c.text
		}
		r.Chain = append(r.Chain, line)
	}
	slices.Reverse(r.Chain)
	return r
}

// opAndLayer names an operation for people, by what it does and its layer.
func opAndLayer(n *graph.Node) string {
	scope := strings.Join(n.Parts[:len(n.Parts)-1], "/")
	if scope == "" {
		return n.Op
	}
	return fmt.Sprintf("%s (%s)", n.Op, scope)
}
