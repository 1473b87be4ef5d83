// Package padding proves, from a model's graph alone, what the answers for a row depend on beside
// the row: [Of] says for each output of a signature whether other rows of its batch, and how far
// the row is padded, change a row's answer; that they do not; or that it is not known.
//
// # How it is proven
//
// Two runs are compared, operation by operation: one of a row alone, and one of the same row among
// others, padded to the longest. Of each tensor it is known how its axes relate, such as that one
// has the row's steps first and padding behind, whether the row's own entries are the same in both
// runs, and what stands where there is padding, such as false in a mask. A product of matrices
// along other axes keeps that; a maximum over the steps does only where padding cannot be the
// largest; a loop over the steps where the steps of padding leave its state as it is.
//
// An operation that is not known makes what it gives unknown, never independent. What is proven
// holds up to rounding, for values of a usual size: a mask that adds -1e9 is taken to outweigh what
// it is added to. A row has to have a step at least.
package padding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Of walks through the graph of a signature. pad gives the padding values of inputs; 0, "" and
// false are those of the others. The outputs are in the order of their names. An error is one of
// reading the file.
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
				if least, ok := w.least(2); r.Answer == Independent && ok {
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

// assumptions lists what is tried of the rows, the least first: nothing; that no step is a padding
// value; and that what is called a mask holds ones, too.
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

// output follows an output back to what it is made of. Where padding may be cut off it, sized says
// where.
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
		return nil, Result{Chain: []string{"its shape does not follow"}}
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

// result writes the chain of causes, from the first on.
func (c *cause) result() Result {
	r := Result{Answer: c.answer}
	for ; c != nil; c = c.up {
		line := c.text
		if c.node != nil {
			line = place(c.node) + " " + c.text
		}
		r.Chain = append(r.Chain, line)
	}
	slices.Reverse(r.Chain)
	return r
}

// place names an operation for people: what it does, and the layer that it stands in.
func place(n *graph.Node) string {
	scope := strings.Join(n.Parts[:len(n.Parts)-1], "/")
	if scope == "" {
		return n.Op
	}
	return fmt.Sprintf("%s (%s)", n.Op, scope)
}
