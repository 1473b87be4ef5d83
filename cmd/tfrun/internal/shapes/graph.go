package shapes

import (
	"maps"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
)

// diagram is a graph to draw: a model's layers, or, without layers, its signatures.
type diagram struct {
	title    string
	vertices []*vertex
	parts    []*diagram // nested models, if expanded
	owners   []*vertex  // for each part that is a nested model: its vertex
}

// vertex is a box of a diagram.
type vertex struct {
	id     int
	name   string
	class  string
	shape  string
	params int64
	tips   []string // further facts, shown as a tooltip
	in     []*vertex
	out    []*vertex
}

// diagramOf returns the diagram of the first graph with layers, or of the first graph's signatures.
func (d *Document) diagramOf() *diagram {
	b := &diagramBuilder{}
	for _, g := range d.MetaGraphs {
		if g.Layers != nil {
			title := lastParts(clean(d.Model))
			if g.ModelName != nil {
				title = clean(*g.ModelName)
			}
			return b.layers(title, g.Layers, b.entry(g))
		}
	}
	x := &diagram{title: lastParts(clean(d.Model))}
	if len(d.MetaGraphs) > 0 {
		b.signatures(x, d.MetaGraphs[0])
	}
	return x
}

// diagramBuilder numbers the vertices of a diagram and of its parts.
type diagramBuilder struct{ next int }

func (b *diagramBuilder) vertex(v vertex) *vertex {
	v.id = b.next
	b.next++
	return &v
}

// connect adds an edge, unless it exists.
func connect(from, to *vertex) {
	if from != to && !slices.Contains(from.out, to) {
		from.out, to.in = append(from.out, to), append(to.in, from)
	}
}

// entry returns vertices for the inputs of the default signature, for models whose table has no
// rows for them.
func (b *diagramBuilder) entry(g *Graph) []*vertex {
	if slices.ContainsFunc(g.Layers, func(l *Layer) bool { return l.Class != nil && *l.Class == "InputLayer" }) {
		return nil
	}
	calls := g.calls()
	if len(calls) == 0 {
		return nil
	}
	return b.tensors(calls[0].Inputs)
}

func (b *diagramBuilder) tensors(all map[string]*Tensor) []*vertex {
	var list []*vertex
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		list = append(list, b.vertex(vertex{name: clean(name), class: t.typed(), shape: t.shape(), params: -1, tips: t.Why}))
	}
	return list
}

// layers makes the diagram of a layer table.
func (b *diagramBuilder) layers(title string, rows []*Layer, entry []*vertex) *diagram {
	x := &diagram{title: title, vertices: entry}
	byName := map[string]*vertex{}
	var drawn []*vertex
	for _, l := range rows {
		name, class := l.title()
		v := b.vertex(vertex{name: name, class: strings.Trim(class, "()"), shape: l.shape(), params: l.Params, tips: l.Why})
		drawn = append(drawn, v)
		if l.Name != nil {
			byName[*l.Name] = v
		}
	}
	x.vertices = append(x.vertices, drawn...)
	wired := wire(rows, drawn, byName)
	for i, v := range drawn {
		if !wired && i > 0 {
			connect(drawn[i-1], v)
		}
	}
	for _, e := range entry {
		if len(drawn) > 0 {
			connect(e, drawn[0])
		}
	}
	for i, l := range rows {
		if len(l.Layers) > 0 {
			x.owners = append(x.owners, drawn[i])
			x.parts = append(x.parts, b.layers(drawn[i].name+" ("+drawn[i].class+")", l.Layers, nil))
		}
	}
	return x
}

// wire adds the edges that the rows name. It returns false if they name none, as in a simple chain.
func wire(rows []*Layer, drawn []*vertex, byName map[string]*vertex) bool {
	wired := false
	for i, l := range rows {
		for _, from := range l.wiring {
			if v := byName[layerOf(from)]; v != nil {
				connect(v, drawn[i])
				wired = true
			}
		}
	}
	return wired
}

// layerOf returns the layer's name in Keras' name of a tensor: "dense" for "dense[0][0]".
func layerOf(tensor string) string {
	for range 2 {
		if i := strings.LastIndexByte(tensor, '['); i > 0 && strings.HasSuffix(tensor, "]") {
			tensor = tensor[:i]
		}
	}
	return tensor
}

// signatures adds a part to the diagram for each signature.
func (b *diagramBuilder) signatures(x *diagram, g *Graph) {
	for _, name := range g.signatureNames() {
		s := g.Signatures[name]
		call := b.vertex(vertex{name: clean(name), class: "signature", params: -1})
		in, out := b.tensors(s.Inputs), b.tensors(s.Outputs)
		for _, v := range in {
			connect(v, call)
		}
		for _, v := range out {
			connect(call, v)
		}
		x.parts = append(x.parts, &diagram{title: clean(name), vertices: slices.Concat(in, []*vertex{call}, out)})
	}
}

// family is a group of layer classes that are drawn in one colour.
type family string

// families lists words in class names. The first one that fits decides.
var families = []struct {
	family family
	words  []string
}{
	{"input", []string{"inputlayer"}},
	{"embedding", []string{"embedding"}},
	{"recurrent", []string{"lstm", "gru", "rnn", "bidirectional"}},
	{"attention", []string{"attention"}},
	{"merge", []string{"concatenate", "add", "subtract", "multiply", "average", "maximum", "minimum", "dot"}},
	{"pool", []string{"pooling", "flatten", "reshape", "padding", "cropping", "upsampling", "permute", "repeatvector"}},
	{"conv", []string{"conv"}},
	{"norm", []string{"normalization"}},
	{"dense", []string{"dense"}},
	{"light", []string{"dropout", "activation", "relu", "softmax", "elu", "noise", "masking", "gelu"}},
	{"text", []string{"lookup", "textvectorization", "hashing", "discretization", "encoding"}},
	{"model", []string{"sequential", "functional", "model"}},
}

// family returns the family of a vertex.
func (v *vertex) family() family {
	if v.params < 0 {
		if v.class == "signature" {
			return "model"
		}
		return "input"
	}
	class := strings.ToLower(v.class)
	for _, f := range families {
		for _, w := range f.words {
			if strings.Contains(class, w) && (f.family != "merge" || strings.TrimPrefix(class, "~") == w) && (w != "average" || class == w) {
				return f.family
			}
		}
	}
	return "other"
}

// paramText returns the vertex's number of parameters in words, or "".
func (v *vertex) paramText() string {
	if v.params <= 0 {
		return ""
	}
	return words.Thousands(v.params) + " params"
}
