package layers

import (
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// OutputLayer is the layer whose result is an output of a signature, see [Table.Outputs].
type OutputLayer struct {
	layer *Layer
	place int // which of the layer's results
	key   tensorKey
}

// Outputs finds, for each output of the signature whose body is b, the layer that gives it. Outputs
// that the signature computes from a layer's result are left out.
func (t *Table) Outputs(mg *savedmodel.MetaGraph, b *body.Body) map[string]OutputLayer {
	if t == nil || b == nil {
		return nil
	}
	given := map[string]OutputLayer{} // by the tensor's name in the function
	named := map[string]OutputLayer{} // by the layer, for its first result
	for _, st := range t.steps {
		for i, key := range st.out {
			if st.layer == nil || i >= len(st.shapes) {
				continue
			}
			o := OutputLayer{st.layer, i, key}
			if i == 0 {
				named[st.layer.Name] = o
			}
			if i < len(st.tensors) {
				given[st.tensors[i]] = o
			}
		}
	}
	found := map[string]OutputLayer{}
	for name, info := range b.Signature.Outputs {
		r, ok := b.Result(info)
		if !ok {
			continue
		}
		for range len(b.Nodes) {
			if r.Node == nil || !scopes.PassesOn(r.Node) || len(r.Node.Inputs) == 0 || given[r.String()].layer != nil {
				break
			}
			r = r.Node.Inputs[0]
		}
		o, ok := given[r.String()]
		if !ok && mg.Framework == savedmodel.Keras2 {
			o, ok = named[name] // the outputs of Keras 2 bear the names of their layers
		}
		if ok && o.shape().Rank() == info.Shape.Rank() {
			found[name] = o
		}
	}
	return found
}

// shape returns the result's shape, with its open dimensions.
func (o *OutputLayer) shape() tensor.Shape {
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

// Why returns the layer's reason for size d of dimension i of the result. It returns "" where the
// layer has another size there.
func (o *OutputLayer) Why(i int, d int64) string {
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

// OutputsAt returns the shapes of layers' outputs with sizes put in for the open dimensions of the
// inputs.
func (t *Table) OutputsAt(given map[string]OutputLayer, inputs map[string]tensor.Shape) map[string]tensor.Shape {
	_, env := t.run(inputs)
	shapes := make(map[string]tensor.Shape, len(given))
	for name, o := range given {
		shapes[name] = env[o.key]
	}
	return shapes
}
