package layers

import (
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

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
func computeDType(c rules.Config) tensor.DType {
	name := c.Str("dtype")
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
