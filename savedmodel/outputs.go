package savedmodel

import (
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// OutputsAt returns the shapes of a signature's outputs when its inputs have the given ones, as
// [MetaGraph.Put] returns them. A size that is open in the signature is that of the layer which
// gives the output or else follows from the operations in the graph; where neither tells, it stays
// open. A value of several tensors is left out.
func (mg *MetaGraph) OutputsAt(s *Signature, inputs map[string]tensor.Shape) (map[string]tensor.Shape, error) {
	b, err := mg.bodyOrMain(s)
	if err != nil {
		return nil, err
	}
	layers, err := mg.outputLayers(s, b)
	if err != nil {
		return nil, err
	}
	var env map[tensorKey]tensor.Shape
	if table, err := mg.Layers(); err == nil && len(layers) > 0 {
		_, env = table.run(inputs)
	}
	z := &sizer{g: mg.graph, inputs: inputs, budget: maxSizerSteps, known: map[dimKey]int64{}}
	all := map[string]tensor.Shape{}
	for name, info := range s.Outputs {
		if info.Encoding != "" || !info.Shape.Ranked() {
			continue
		}
		dims := info.Shape.Dims()
		var now tensor.Shape
		if o, ok := layers[name]; ok {
			now = env[o.key]
		}
		for i, d := range dims {
			if d == tensor.Unknown && now.Rank() == len(dims) {
				dims[i] = now.Dim(i)
			}
			if r, ok := b.result(info); ok && dims[i] == tensor.Unknown {
				dims[i] = z.dim(b.frame(), r, i)
			}
		}
		all[name] = tensor.MakeShape(dims...)
	}
	return all, nil
}

// layerOutput is the result of a layer that a signature gives as an output.
type layerOutput struct {
	layer *Layer
	place int // which of the layer's results
	key   tensorKey
}

// outputLayers finds the layers that give a signature's outputs: an output that is further computed
// on is not among them.
func (mg *MetaGraph) outputLayers(s *Signature, b *body) (map[string]layerOutput, error) {
	table, err := mg.Layers()
	if table == nil || b == nil || err != nil {
		return nil, err
	}
	given := map[string]layerOutput{} // by the tensor's name in the function
	named := map[string]layerOutput{} // by the layer, for its first result
	for _, st := range table.steps {
		for i, key := range st.out {
			if st.layer == nil || i >= len(st.shapes) {
				continue
			}
			o := layerOutput{st.layer, i, key}
			if i == 0 {
				named[st.layer.Name] = o
			}
			if i < len(st.tensors) {
				given[st.tensors[i]] = o
			}
		}
	}
	found := map[string]layerOutput{}
	for name, info := range s.Outputs {
		r, ok := b.result(info)
		if !ok {
			continue
		}
		for range len(b.Nodes) {
			if r.Node == nil || !passesOn(r.Node) || len(r.Node.Inputs) == 0 || given[r.String()].layer != nil {
				break
			}
			r = r.Node.Inputs[0]
		}
		o, ok := given[r.String()]
		if !ok && mg.Framework == Keras2 {
			o, ok = named[name] // the outputs of Keras 2 bear the names of their layers
		}
		if ok && o.shape().Rank() == info.Shape.Rank() {
			found[name] = o
		}
	}
	return found, nil
}

// shape returns the result's shape, with what is open.
func (o *layerOutput) shape() tensor.Shape {
	if shapes := o.layer.shapes(); o.place < len(shapes) {
		return shapes[o.place]
	}
	return tensor.UnknownShape()
}

// shapes returns the shapes of the layer's results, also where Keras prints a word in their place.
func (l *Layer) shapes() []tensor.Shape {
	if l.Output.Word != "" {
		return l.info.shape.Shapes
	}
	return l.Output.Shapes
}

// why returns the layer's reason for size d of dimension i of the result, "" when the layer says
// otherwise.
func (o *layerOutput) why(i int, d int64) string {
	shapes := o.layer.shapes()
	if s := o.shape(); i >= s.Rank() || s.Dim(i) != d {
		return ""
	}
	at := i
	for _, s := range shapes[:o.place] {
		at += max(s.Rank(), 0)
	}
	if at >= len(o.layer.Why) {
		return ""
	}
	text := o.layer.Why[at]
	if len(shapes) > 1 {
		text = strings.TrimPrefix(text, "output "+strconv.Itoa(o.place)+": ")
	}
	if d == tensor.Unknown {
		return text
	}
	return text + " (layer " + strconv.Quote(o.layer.Name) + ")"
}
