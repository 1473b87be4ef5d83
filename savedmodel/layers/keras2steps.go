package layers

import (
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// addSteps notes the layer's calls for [LayerTable.At].
func (n *network) addSteps(l *Layer, prev OutputShape, depth int) {
	if depth > 0 {
		return
	}
	dtype := computeDType(l.info.config)
	for i, out := range n.outs[l.Name] {
		st := &step{layer: l, class: n.ruleClass(l), config: n.callConfig(l, i), shapes: out.Shapes}
		for j := range out.Shapes {
			st.out = append(st.out, inbound{l.Name, i, j})
			st.dtypes = append(st.dtypes, dtype)
		}
		if calls := n.called[l.Name]; i < len(calls) && len(calls[i].outs) == len(out.Shapes) {
			for j, r := range calls[i].outs {
				st.dtypes[j] = graph.OutputDType(r)
				st.tensors = append(st.tensors, r.String())
			}
		}
		switch calls := n.inbound[l.Name]; {
		case l.Class == "InputLayer":
			st.input = n.signatureInput(l.Name)
		case i < len(calls):
			for _, t := range calls[i] {
				st.in = append(st.in, inbound{t.layer, n.callOf(t), t.tensor})
			}
		default:
			st.in = n.previousKeys(prev)
		}
		if cfg := n.configs[l.Name]; cfg != nil {
			if m := cfg.Model(); m != nil {
				st.eval = func(in []tensor.Shape) ([]tensor.Shape, bool) {
					return n.fresh().modelOutput(l.Name, m, in, 0)
				}
			}
		}
		n.steps = append(n.steps, st)
	}
}

// fresh returns a copy with a count of its own, so that shapes may be computed by several
// goroutines once the table is built.
func (n *network) fresh() *network {
	k, c := *n.k, *n
	k.built, c.k = 0, &k
	return &c
}

// previousKeys returns the outputs of the layer before, in a stack; of the input, for the first.
func (n *network) previousKeys(prev OutputShape) []tensorKey {
	if len(n.steps) == 0 {
		key := inbound{"", 0, 0}
		st := &step{input: n.signatureInput(""), out: []tensorKey{key}, shapes: []tensor.Shape{prev.First()}, class: "InputLayer"}
		if n.file != nil && n.inputName != "" {
			st.input, st.dtypes = n.inputName, []tensor.DType{n.inputDType}
		}
		n.steps = append(n.steps, st)
		return []tensorKey{key}
	}
	return n.steps[len(n.steps)-1].out
}

// signatureInput returns the signature's name for an input layer; for "" its only input's. A name
// that the signature does not have stands for itself.
func (n *network) signatureInput(layer string) string {
	if b := n.k.body; b != nil {
		for i := range b.Args {
			if name, fed := b.Inputs[i]; fed && (layer == "" || name == layer || b.ArgName(i) == layer) {
				return name
			}
		}
	}
	if layer == "" {
		return "input"
	}
	return layer
}

// computeDType returns the type that a layer computes in by its dtype or its policy.
func computeDType(c config) tensor.DType {
	name := c.str("dtype")
	if policy, ok := c["dtype"].(map[string]any); ok {
		inner, _ := policy["config"].(map[string]any)
		name, _ = inner["name"].(string)
	}
	switch name {
	case "mixed_float16":
		return tensor.Float16
	case "mixed_bfloat16":
		return tensor.Bfloat16
	}
	d, err := tensor.ParseDType(name)
	if err != nil {
		return tensor.Float32
	}
	return d
}
