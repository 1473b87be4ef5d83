package kerasfile

import (
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// lowRank returns the two factors of a low-rank adapter (LoRA), which Keras 3 adds to the kernel
// when it saves and makes anew, from the configuration, when it loads. own are the variables of the
// part, the kernel first; training leaves it alone. minor is the version of Keras, 14 of 3.14.
func (p part) lowRank(own []*savedmodel.Variable, minor int, trainable bool) (factors []*savedmodel.Variable, known bool) {
	rank, ok := p.config["lora_rank"].(float64)
	if !ok || len(own) == 0 || rank < 1 || rank > 1<<31 {
		return nil, true
	}
	kernel := own[0]
	kernel.Trainable = false
	dims := kernel.Shape.Dims()
	if p.packed() {
		dims = p.kernelShape()
	}
	if len(dims) < 2 {
		return nil, !p.packed()
	}
	dtype := tensor.Float32 // of Keras before 3.14, that of the layer's other variables
	if minor < 14 {
		dtype = p.variableDType()
	}
	if p.quantization() != "" {
		for _, v := range own[1:] { // what is saved of scales has the factors' type
			if v.DType.IsFloat() {
				v.DType = p.variableDType()
			}
		}
	}
	last := len(dims) - 1
	for i, shape := range [][]int64{append(dims[:last:last], int64(rank)), {int64(rank), dims[last]}} {
		factors = append(factors, &savedmodel.Variable{
			ID: -1, Name: strings.Replace(kernel.Name, "/"+shortName(kernel.Name), "/lora_"+shortName(kernel.Name), 1) + []string{"_a", "_b"}[i],
			DType: dtype, Shape: tensor.MakeShape(shape...), Trainable: trainable,
		})
	}
	return factors, true
}

// kernelShape returns the shape that the kernel has before it is packed, by the configuration; nil
// where that does not say it.
func (p part) kernelShape() []int64 {
	size := func(key string) int64 { n, _ := p.config[key].(float64); return int64(n) }
	var dims []int64
	switch p.class {
	case "Embedding", "ReversibleEmbedding":
		dims = []int64{size("input_dim"), size("output_dim")}
	case "Dense":
		dims = []int64{lastSize(p.built, 1), size("units")}
	case "EinsumDense":
		dims = p.einsumShape()
	}
	for _, d := range dims {
		if d <= 0 {
			return nil
		}
	}
	return dims
}

// einsumShape returns a size for each letter of an EinsumDense's kernel: one of the output, or one
// of the input. Letters are counted from the end, before which "..." may stand.
func (p part) einsumShape() (dims []int64) {
	equation, _ := p.config["equation"].(string)
	inputs, output, _ := strings.Cut(equation, "->")
	input, kernel, _ := strings.Cut(inputs, ",")
	out, isList := p.config["output_shape"].([]any)
	if !isList {
		out = []any{p.config["output_shape"]}
	}
	if strings.HasSuffix(input, "...") {
		return nil
	}
	for i := range len(kernel) {
		if at := strings.IndexByte(output, kernel[i]); at >= 0 {
			dims = append(dims, lastSize(out, len(output)-at))
		} else {
			dims = append(dims, lastSize(p.built, len(input)-strings.IndexByte(input, kernel[i])))
		}
	}
	return dims
}

// lastSize returns the size that stands at a place from the end of a shape, 0 where it is open.
func lastSize(shape []any, fromEnd int) int64 {
	if fromEnd < 1 || fromEnd > len(shape) {
		return 0
	}
	n, _ := shape[len(shape)-fromEnd].(float64)
	return int64(n)
}

// variableDType returns the type of the part's variables by its policy.
func (p part) variableDType() tensor.DType {
	name, _ := p.config["dtype"].(string)
	if policy, ok := p.config["dtype"].(map[string]any); ok {
		config, _ := policy["config"].(map[string]any)
		if name, _ = config["source_name"].(string); name == "" {
			name, _ = config["name"].(string)
		}
	}
	d, err := tensor.ParseDType(name)
	if err != nil { // mixed_float16 and the like keep variables of float32
		return tensor.Float32
	}
	return d
}
