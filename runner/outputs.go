package runner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// pick is an output that was asked for: an output of the signature, or what a head makes of one,
// and the name that it gets.
type pick struct{ name, of string }

// parsePicks reads OUTPUT and NAME=OUTPUT. An output whose own name holds a "=" is taken first.
func parsePicks(sig *savedmodel.Signature, outputs []string) []pick {
	if len(outputs) == 0 {
		outputs = sig.OutputNames()
	}
	picks := make([]pick, len(outputs))
	for i, s := range outputs {
		picks[i] = pick{name: s, of: s}
		if _, whole := sig.Outputs[s]; whole {
			continue
		}
		if name, of, renamed := strings.Cut(s, "="); renamed && name != "" {
			picks[i] = pick{name: name, of: of}
		}
	}
	return picks
}

// headSuffixes are what heads append to the name of an output.
var headSuffixes = []string{"_scores", "_indices", "_labels"}

// base returns the output of the signature that a pick is made of, or "".
func (p pick) base(sig *savedmodel.Signature) string {
	if _, ok := sig.Outputs[p.of]; ok {
		return p.of
	}
	for _, suffix := range headSuffixes {
		name, ok := strings.CutSuffix(p.of, suffix)
		if _, known := sig.Outputs[name]; ok && known {
			return name
		}
	}
	return ""
}

// pickOutputs makes the outputs of the signature that the picks need the function's, each once.
func (f *Function) pickOutputs(picks []pick) error {
	var bases []string
	for _, p := range picks {
		name := p.base(f.signature)
		if name == "" {
			return &NameError{Kind: "output", Name: p.of, Have: f.signature.OutputNames()}
		}
		if !slices.Contains(bases, name) {
			bases = append(bases, name)
			f.outputs = append(f.outputs, endpoints(name, f.signature.Outputs[name])...)
		}
	}
	return nil
}

// arrange puts the outputs, heads among them, into the order of the picks, under their names. What
// a head makes of a renamed output begins with the new name: score_labels.
func (f *Function) arrange(picks []pick) error {
	var list []Endpoint
	taken := map[string]int{} // which pick has the name
	for i, p := range picks {
		found := false
		for _, e := range f.outputs {
			if e.Value != p.of && e.head != p.of {
				continue
			}
			found = true
			renamed := p.name + strings.TrimPrefix(e.Value, p.of)
			if other, ok := taken[renamed]; ok && other != i {
				return &OptionError{Option: "Outputs", Msg: fmt.Sprintf("two outputs would be called %q: name one of them otherwise, NAME=OUTPUT", renamed)}
			}
			taken[renamed] = i
			e.of = e.from()
			e.Name = renamed + strings.TrimPrefix(e.Name, e.Value)
			e.Value = renamed
			list = append(list, e)
		}
		if !found {
			return &NameError{Kind: "output", Name: p.of, Have: endpointNames(f.outputs)}
		}
	}
	f.outputs = list
	return nil
}
