package scopes

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// Config reads the configuration of a layer from the operations of a call, with the keys that Keras
// 2's configurations have. Exports of Keras 3 hold no configurations. What the operations do not
// show is left out.
func Config(s *Scope, class string, c *Call, vars []*savedmodel.Variable) rules.Config {
	g := &configReader{s: s, c: c, vars: vars, conf: rules.Config{}}
	switch class {
	case "Dense":
		g.setLast("units", "kernel")
	case "Embedding":
		g.setLast("output_dim", "embeddings")
	case "LSTM", "GRU", "SimpleRNN":
		g.recurrent()
	case "Bidirectional":
		g.bidirectional()
	case "Concatenate":
		if n := g.find("ConcatV2"); n != nil && len(n.Inputs) > 0 {
			if axis := graph.Ints(n.In(len(n.Inputs) - 1)); len(axis) == 1 {
				g.conf["axis"] = float64(axis[0])
			}
		}
	case "Permute":
		if n := g.find("Transpose"); n != nil {
			if perm := graph.Ints(n.In(1)); len(perm) > 1 {
				g.set("dims", perm[1:])
			}
		}
	case "RepeatVector":
		if len(c.Shapes) > 0 && c.Shapes[0].Rank() == 3 {
			g.conf["n"] = float64(c.Shapes[0].Dim(1))
		}
	case "Reshape":
		g.reshape()
	case "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D":
		if n := g.findAny("Mean", "Max"); n != nil {
			g.conf["keepdims"] = n.Def.GetAttr()["keep_dims"].GetB()
		}
	case "Resizing", "CenterCrop", "RandomCrop":
		if len(c.Shapes) > 0 && c.Shapes[0].Rank() >= 3 {
			r := c.Shapes[0].Rank()
			g.conf["height"], g.conf["width"] = float64(c.Shapes[0].Dim(r-3)), float64(c.Shapes[0].Dim(r-2))
		}
	case "Dot":
		g.dot()
	default:
		g.spatial(class)
	}
	return g.conf
}

type configReader struct {
	s    *Scope
	c    *Call
	vars []*savedmodel.Variable
	conf rules.Config
}

func (g *configReader) find(op string) *graph.Node { return g.findAny(op) }

func (g *configReader) findAny(ops ...string) *graph.Node {
	for _, n := range g.c.Nodes {
		if slices.Contains(ops, n.Op) {
			return n
		}
	}
	return nil
}

// set puts a list of numbers into the config, as JSON would have it.
func (g *configReader) set(key string, values []int64) {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = float64(v)
	}
	g.conf[key] = list
}

// weight returns the variable whose path ends with the name.
func (g *configReader) weight(name string) *savedmodel.Variable {
	for _, v := range g.vars {
		if v.Name[strings.LastIndexByte(v.Name, '/')+1:] == name {
			return v
		}
	}
	return nil
}

// setLast sets a key to the last size of a variable.
func (g *configReader) setLast(key, weight string) {
	if v := g.weight(weight); v != nil && v.Shape.Rank() > 0 {
		g.conf[key] = float64(v.Shape.Dim(-1))
	}
}

func (g *configReader) recurrent() {
	if v := g.weight("recurrent_kernel"); v != nil && v.Shape.Rank() == 2 {
		g.conf["units"] = float64(v.Shape.Dim(0))
	}
	g.conf["return_sequences"] = len(g.c.Shapes) > 0 && g.c.Shapes[0].Rank() == 3
	g.conf["return_state"] = len(g.c.Shapes) > 1
}

// bidirectional reads how the outputs of the two directions are merged: the operations that stand
// in the layer's own scope, and in none below it, show that.
func (g *configReader) bidirectional() {
	inner := map[string]any{"return_sequences": len(g.c.Shapes) > 0 && g.c.Shapes[0].Rank() == 3, "return_state": len(g.c.Shapes) > 2}
	class := ""
	for _, v := range g.vars {
		for _, cell := range [][2]string{{"lstm_cell", "LSTM"}, {"gru_cell", "GRU"}, {"simple_rnn_cell", "SimpleRNN"}} {
			if strings.Contains(v.Name, cell[0]) && class == "" {
				class = cell[1]
			}
		}
		if strings.HasSuffix(v.Name, "/recurrent_kernel") && inner["units"] == nil && v.Shape.Rank() == 2 {
			inner["units"] = float64(v.Shape.Dim(0))
		}
	}
	g.conf["layer"] = map[string]any{"class_name": class, "config": inner}
	ops := map[string]bool{}
	for _, n := range g.c.Nodes {
		if len(n.Parts) == g.s.Below(g.c)+1 {
			ops[n.Op] = true
		}
	}
	switch {
	case ops["ConcatV2"]:
		g.conf["merge_mode"] = "concat"
	case ops["AddV2"] && (ops["RealDiv"] || ops["Mul"]):
		g.conf["merge_mode"] = "ave"
	case ops["AddV2"]:
		g.conf["merge_mode"] = "sum"
	case ops["Mul"]:
		g.conf["merge_mode"] = "mul"
	}
}

// reshape reads the target shape off the output's shape. One unknown size may be in it: the size
// that follows from the others.
func (g *configReader) reshape() {
	if len(g.c.Shapes) == 0 || !g.c.Shapes[0].Ranked() || g.c.Shapes[0].Rank() == 0 {
		return
	}
	target := g.c.Shapes[0].Dims()[1:]
	unknown := 0
	for _, d := range target {
		if d == tensor.Unknown {
			unknown++
		}
	}
	if unknown <= 1 {
		g.set("target_shape", target)
	}
}

func (g *configReader) dot() {
	n := g.findAny("BatchMatMulV2", "MatMul")
	if n == nil || len(g.c.Ins) != 2 {
		return
	}
	a, _ := g.s.b.Shape(g.c.Ins[0].Ref)
	if a.Rank() == 2 {
		g.set("axes", []int64{1, 1})
	}
}

// spatial reads kernels, pools, strides and paddings.
func (g *configReader) spatial(class string) {
	rank := int64(0)
	for i := range 3 {
		if strings.Contains(class, strconv.Itoa(i+1)+"D") {
			rank = int64(i + 1)
		}
	}
	switch {
	case rank == 0:
	case strings.HasPrefix(class, "ZeroPadding"):
		if n := g.findAny("Pad", "PadV2", "MirrorPad"); n != nil {
			g.setPairs("padding", graph.Ints(n.In(1)), rank)
		}
	case strings.HasPrefix(class, "Cropping"):
		g.cropping(rank)
	case strings.HasPrefix(class, "UpSampling"):
		g.upSampling(rank)
	case strings.Contains(class, "Pooling"):
		g.channelsFirst()
		if n := g.findAny("MaxPool", "MaxPool3D", "AvgPool", "AvgPool3D"); n != nil {
			of := window
			if size, stride := window(n, "ksize", 2), window(n, "strides", 2); rank == 1 && len(size) == 2 && len(stride) == 2 && (size[0] > 1 || stride[0] > 1) {
				// Keras 2 adds an axis behind that of time, TensorFlow itself one before it.
				of = func(n *graph.Node, attr string, _ int64) []int64 { return window(n, attr, 2)[:1] }
			}
			g.set("pool_size", of(n, "ksize", rank))
			g.set("strides", of(n, "strides", rank))
			g.conf["padding"] = strings.ToLower(n.AttrString("padding"))
		}
	case strings.Contains(class, "Conv"):
		g.channelsFirst()
		g.convolution(class, rank)
	}
}

// channelsFirst finds that the layer takes and gives the channels before the axes of space: an
// operation says so, or the layer moves them behind for one that takes them there, and back.
func (g *configReader) channelsFirst() {
	behind, before := false, false
	for _, n := range g.c.Nodes {
		if strings.HasPrefix(n.AttrString("data_format"), "NC") {
			g.conf["data_format"] = "channels_first"
		}
		if n.Op != "Transpose" || len(n.Inputs) < 2 {
			continue
		}
		if perm := graph.Ints(n.In(1)); len(perm) > 2 {
			last := int64(len(perm)) - 1
			behind = behind || perm[1] == 2 && perm[last] == 1
			before = before || perm[1] == last && perm[last] == last-1
		}
	}
	if behind && before {
		g.conf["data_format"] = "channels_first"
	}
}

// setPairs sets pairs of numbers for the spatial axes from a flat list with a pair for each axis of
// the tensor.
func (g *configReader) setPairs(key string, flat []int64, rank int64) {
	if int64(len(flat)) != 2*(rank+2) {
		return
	}
	pairs := make([]any, rank)
	for i := range rank {
		pairs[i] = []any{float64(flat[2*i+2]), float64(flat[2*i+3])}
	}
	if rank == 1 {
		g.conf[key] = pairs[0]
		return
	}
	g.conf[key] = pairs
}

// cropping reads the bounds of the slice: a positive start, a negative end.
func (g *configReader) cropping(rank int64) {
	n := g.find("StridedSlice")
	if n == nil {
		return
	}
	begin, end := graph.Ints(n.In(1)), graph.Ints(n.In(2))
	if int64(len(begin)) < rank+1 || len(begin) != len(end) {
		return
	}
	flat := make([]int64, 2*(rank+2))
	for i := 1; i < len(begin) && int64(i) <= rank; i++ {
		flat[2*i] = begin[i]
		flat[2*i+1] = -min(end[i], 0)
		if in, _ := g.s.b.Shape(n.Inputs[0]); end[i] > 0 && in.Rank() > i && in.Dim(i) != tensor.Unknown {
			flat[2*i+1] = max(0, in.Dim(i)-end[i])
		}
	}
	g.setPairs("cropping", flat, rank)
}

// upSampling takes the factors from the sizes where they are known; unknown axes get Keras' default
// of 2.
func (g *configReader) upSampling(rank int64) {
	if len(g.c.Ins) == 0 || len(g.c.Shapes) == 0 {
		return
	}
	in, _ := g.s.b.Shape(g.c.Ins[0].Ref)
	out := g.c.Shapes[0]
	if in.Rank() != out.Rank() || int64(in.Rank()) != rank+2 {
		return
	}
	size := slices.Repeat([]int64{2}, int(rank))
	for i := range size {
		if a, b := in.Dim(i+1), out.Dim(i+1); a > 0 && b > 0 {
			size[i] = b / a
		}
	}
	g.set("size", size)
}

// convolution reads the kernel's size from the variable and the rest from the operation.
func (g *configReader) convolution(class string, rank int64) {
	kernel := g.weight("kernel")
	if kernel == nil {
		kernel = g.weight("depthwise_kernel")
	}
	n := g.findAny("Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3DBackpropInputV2")
	if kernel == nil || n == nil || int64(kernel.Shape.Rank()) != rank+2 {
		return
	}
	if class == "SeparableConv1D" || class == "SeparableConv2D" {
		if d := g.find("DepthwiseConv2dNative"); d != nil {
			n = d
		}
	}
	k := kernel.Shape.Dims()
	g.set("kernel_size", k[:rank])
	g.set("strides", window(n, "strides", rank))
	g.conf["padding"] = strings.ToLower(n.AttrString("padding"))
	g.set("dilation_rate", g.dilation(n, rank))
	switch {
	case strings.HasPrefix(class, "Depthwise"):
		g.conf["depth_multiplier"] = float64(k[rank+1])
	case strings.HasPrefix(class, "Separable"):
		g.setLast("filters", "pointwise_kernel")
	case strings.HasSuffix(class, "Transpose"):
		g.conf["filters"] = float64(k[rank])
	default:
		g.conf["filters"] = float64(k[rank+1])
	}
	if pad := g.findAny("Pad", "PadV2"); pad != nil && rank == 1 {
		g.conf["padding"] = "causal"
	}
}

// dilation returns the rate: an attribute, or the block of the SpaceToBatchND that TensorFlow puts
// around a dilated convolution.
func (g *configReader) dilation(n *graph.Node, rank int64) []int64 {
	rate := window(n, "dilations", rank)
	if len(rate) == 0 {
		rate = slices.Repeat([]int64{1}, int(rank))
	}
	if b := g.find("SpaceToBatchND"); b != nil {
		if block := graph.Ints(b.In(1)); int64(len(block)) == rank {
			// Between blocks the convolution is always valid: its padding is that of the blocks,
			// beside what is cut off again behind them.
			rate = block
			pads, crops := graph.Ints(b.In(2)), []int64(nil)
			if back := g.find("BatchToSpaceND"); back != nil {
				crops = graph.Ints(back.In(2))
			}
			switch {
			case len(pads) == 0 || len(pads) != len(crops):
				delete(g.conf, "padding")
			case !slices.Equal(pads, crops):
				g.conf["padding"] = "same"
			}
		}
	}
	return rate
}

// window returns the spatial part of an attribute that has a number for each axis of the tensor.
// For a 1-D layer it is the last number.
func window(n *graph.Node, attr string, rank int64) []int64 {
	list := n.AttrInts(attr)
	if len(list) < 4 {
		return nil
	}
	space := list[1 : len(list)-1]
	if strings.HasPrefix(n.AttrString("data_format"), "NC") {
		space = list[2:]
	}
	if int64(len(space)) < rank {
		return nil
	}
	// Conv1D and its like add an axis before or after that of time, with the same strides.
	return space[int64(len(space))-rank:]
}
