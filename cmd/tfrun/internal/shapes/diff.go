package shapes

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// Difference lists the differences between two models. Users write scripts against its JSON form.
type Difference struct {
	A       string   `json:"a"`
	B       string   `json:"b"`
	Same    bool     `json:"same"`
	Changes []Change `json:"changes"`

	alike int  // number of layers without differences
	mixed bool // one model is a SavedModel, the other in Keras' own file
	files bool // both are in Keras' own files
}

// Change is a difference: something that was added, removed or changed.
type Change struct {
	Tags    []string `json:"tags,omitempty"` // of the graph, if a model has several
	Section Section  `json:"section"`
	// Name is the name of the signature or the layer; for a tensor "signature:input"; "" for facts
	// about the graph itself.
	Name   string        `json:"name,omitempty"`
	Kind   ChangeKind    `json:"change"`
	Fields []FieldChange `json:"fields,omitempty"` // of something that both have
	A      any           `json:"a,omitempty"`      // of something that only A has
	B      any           `json:"b,omitempty"`      // of something that only B has
}

// Section is the part of a model that a change belongs to.
type Section string

// The sections.
const (
	SectionGraph     Section = "graph"
	SectionSignature Section = "signature"
	SectionInput     Section = "input"
	SectionOutput    Section = "output"
	SectionLayer     Section = "layer"
	SectionTotals    Section = "totals"
)

// ChangeKind says which model has something.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "added"   // only in B
	Removed ChangeKind = "removed" // only in A
	Changed ChangeKind = "changed"
)

// FieldChange is a field whose values differ.
type FieldChange struct {
	Field string `json:"field"`
	A     any    `json:"a"`
	B     any    `json:"b"`
}

// Compare returns the differences between two documents. It compares graphs with equal tags, or, if
// each document has one graph, these. Names of the graphs' own tensors, and explanations, are not
// compared.
func Compare(a, b *Document) *Difference {
	d := &Difference{A: a.Model, B: b.Model, Changes: []Change{}}
	if len(a.MetaGraphs) == 1 && len(b.MetaGraphs) == 1 {
		d.graphs(a.MetaGraphs[0], b.MetaGraphs[0], nil)
	} else {
		d.byTags(a, b)
	}
	d.Same = len(d.Changes) == 0
	return d
}

// byTags compares the graphs of models with several graphs.
func (d *Difference) byTags(a, b *Document) {
	find := func(in *Document, tags []string) *Graph {
		for _, g := range in.MetaGraphs {
			if slices.Equal(g.Tags, tags) {
				return g
			}
		}
		return nil
	}
	for _, g := range a.MetaGraphs {
		if other := find(b, g.Tags); other != nil {
			d.graphs(g, other, g.Tags)
		} else {
			d.add(Change{Tags: g.Tags, Section: SectionGraph, Kind: Removed, A: g.Tags})
		}
	}
	for _, g := range b.MetaGraphs {
		if find(a, g.Tags) == nil {
			d.add(Change{Tags: g.Tags, Section: SectionGraph, Kind: Added, B: g.Tags})
		}
	}
}

func (d *Difference) add(c Change) { d.Changes = append(d.Changes, c) }

// changed adds a change if any of the fields differ.
func (d *Difference) changed(c Change, fields ...FieldChange) {
	for _, f := range fields {
		if !reflect.DeepEqual(f.A, f.B) {
			c.Fields = append(c.Fields, f)
		}
	}
	if c.Fields != nil {
		c.Kind = Changed
		d.add(c)
	}
}

// graphs compares two graphs. If one is of a SavedModel and one of Keras' own files, only what both
// have is compared: the model's name and class, its layers and its parameters.
func (d *Difference) graphs(a, b *Graph, tags []string) {
	fields := []FieldChange{{"framework", a.Framework, b.Framework}}
	alike := (a.File == "") == (b.File == "")
	d.mixed, d.files = !alike, a.File != "" && b.File != ""
	if alike {
		fields = []FieldChange{
			{"tags", a.Tags, b.Tags},
			{"framework", a.Framework, b.Framework},
			{"tensorflow_version", a.TensorFlowVersion, b.TensorFlowVersion},
			{"keras_version", a.KerasVersion, b.KerasVersion},
		}
	}
	if alike || a.ModelName != nil && b.ModelName != nil {
		fields = append(fields, FieldChange{"model_name", a.ModelName, b.ModelName})
	}
	if alike || a.ModelClass != nil && b.ModelClass != nil && !hidesClass(a, b) && !hidesClass(b, a) {
		fields = append(fields, FieldChange{"model_class", a.ModelClass, b.ModelClass})
	}
	d.changed(Change{Tags: tags, Section: SectionGraph}, fields...)
	if alike {
		d.calls(a, b, tags)
	}
	d.layers(tags, a.Layers, b.Layers, a.connected() && b.connected())
	if a.Totals != nil && b.Totals != nil {
		fields := []FieldChange{
			{"total", a.Totals.Total, b.Totals.Total},
			{"trainable", a.Totals.Trainable, b.Totals.Trainable},
			{"non_trainable", a.Totals.NonTrainable, b.Totals.NonTrainable},
			{"total_bytes", a.Totals.TotalBytes, b.Totals.TotalBytes},
		}
		if d.mixed || d.files {
			fields = slices.DeleteFunc(fields, func(f FieldChange) bool {
				return slices.Contains(a.Totals.Guessed, f.Field) || slices.Contains(b.Totals.Guessed, f.Field)
			})
		}
		d.changed(Change{Tags: tags, Section: SectionTotals}, fields...)
	}
}

// hidesClass reports whether a SavedModel may be of the class of a model in Keras' own file and not
// say so: exports of Keras 3 call a class of one's own Functional.
func hidesClass(saved, file *Graph) bool {
	return saved.File == "" && file.File != "" && saved.Framework == savedmodel.Keras3 && *file.ModelClass != "Sequential"
}

// open reports whether the files of a row leave a field open, so that it may be alike.
func (d *Difference) open(p pair, field string, connected bool) bool {
	unknown := func(l *Layer) bool {
		return field == "class" && l.Class == nil || field == "output_shape" && strings.Contains(l.OutputShape.String(), "<unknown>")
	}
	a, b := p.a.guessed(field), p.b.guessed(field)
	switch {
	case d.mixed: // an export lacks much of what the file has
		return a || b || unknown(p.a) || unknown(p.b) || field == "connected_to" && !connected
	case d.files:
		return a != b || unknown(p.a) || unknown(p.b)
	}
	return false
}

// calls compares the signatures, or the inputs and outputs of models in Keras' own files.
func (d *Difference) calls(a, b *Graph, tags []string) {
	names := slices.Sorted(maps.Keys(union(a.Signatures, b.Signatures)))
	for _, name := range names {
		x, y := a.Signatures[name], b.Signatures[name]
		switch {
		case x == nil:
			d.add(Change{Tags: tags, Section: SectionSignature, Name: name, Kind: Added, B: y})
		case y == nil:
			d.add(Change{Tags: tags, Section: SectionSignature, Name: name, Kind: Removed, A: x})
		default:
			d.changed(Change{Tags: tags, Section: SectionSignature, Name: name}, FieldChange{"method_name", x.MethodName, y.MethodName})
			d.tensors(Change{Tags: tags, Section: SectionInput, Name: name}, x.Inputs, y.Inputs)
			d.tensors(Change{Tags: tags, Section: SectionOutput, Name: name}, x.Outputs, y.Outputs)
		}
	}
	d.tensors(Change{Tags: tags, Section: SectionInput}, a.Inputs, b.Inputs)
	d.tensors(Change{Tags: tags, Section: SectionOutput}, a.Outputs, b.Outputs)
}

// union returns a map with the keys of both.
func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return all
}

// tensors compares the inputs or the outputs of a signature; c has its name.
func (d *Difference) tensors(c Change, a, b map[string]*Tensor) {
	signature := c.Name
	for _, name := range slices.Sorted(maps.Keys(union(a, b))) {
		c := c
		if c.Name = name; signature != "" {
			c.Name = signature + ":" + name
		}
		x, y := a[name], b[name]
		switch {
		case x == nil:
			c.Kind, c.B = Added, y
			d.add(c)
		case y == nil:
			c.Kind, c.A = Removed, x
			d.add(c)
		default:
			d.changed(c, FieldChange{"type", x.typed(), y.typed()}, FieldChange{"shape", x.shape(), y.shape()})
		}
	}
}

// layers compares the rows of two layer tables.
func (d *Difference) layers(tags []string, a, b []*Layer, connected bool) {
	for _, p := range pairs(a, b) {
		c := Change{Tags: tags, Section: SectionLayer}
		switch {
		case p.a == nil:
			c.Kind, c.Name, c.B = Added, orUnknown(p.b.Name), p.b
			d.add(c)
		case p.b == nil:
			c.Kind, c.Name, c.A = Removed, orUnknown(p.a.Name), p.a
			d.add(c)
		default:
			c.Name = orUnknown(p.a.Name)
			before := len(d.Changes)
			fields := []FieldChange{
				{"name", orUnknown(p.a.Name), orUnknown(p.b.Name)},
				{"class", orUnknown(p.a.Class), orUnknown(p.b.Class)},
				{"output_shape", p.a.OutputShape.String(), p.b.OutputShape.String()},
				{"params", p.a.Params, p.b.Params},
				{"connected_to", strings.Join(p.a.ConnectedTo, ", "), strings.Join(p.b.ConnectedTo, ", ")},
			}
			fields = slices.DeleteFunc(fields, func(f FieldChange) bool { return d.open(p, f.Field, connected) })
			d.changed(c, fields...)
			if len(d.Changes) == before {
				d.alike++
			}
			d.layers(tags, p.a.Layers, p.b.Layers, connected)
		}
	}
}

// pair is a row of A and the matching row of B; nil if there is none.
type pair struct{ a, b *Layer }

// mostCompared bounds the cells of the table for the longest common subsequence.
const mostCompared = 16 << 20

// pairs matches the rows of two tables, in order: rows with equal names by the longest common
// subsequence, and between these rows of one class, which were renamed.
func pairs(a, b []*Layer) []pair {
	if unordered(a) || unordered(b) {
		b = inOrderOf(a, b)
	}
	var all []pair
	i, j := 0, 0
	for _, m := range matches(a, b) {
		all = append(all, gapPairs(a[i:m[0]], b[j:m[1]])...)
		all = append(all, pair{a[m[0]], b[m[1]]})
		i, j = m[0]+1, m[1]+1
	}
	return append(all, gapPairs(a[i:], b[j:])...)
}

// unordered reports whether the places of rows are guesses.
func unordered(rows []*Layer) bool {
	return slices.ContainsFunc(rows, func(l *Layer) bool { return l.guessed("order") })
}

// inOrderOf returns b with the rows that bear names of a first, in a's order.
func inOrderOf(a, b []*Layer) []*Layer {
	byName := map[string][]*Layer{}
	for _, y := range b {
		byName[orUnknown(y.Name)] = append(byName[orUnknown(y.Name)], y)
	}
	ordered := make([]*Layer, 0, len(b))
	for _, x := range a {
		if same := byName[orUnknown(x.Name)]; len(same) > 0 {
			ordered, byName[orUnknown(x.Name)] = append(ordered, same[0]), same[1:]
		}
	}
	for _, y := range b {
		if same := byName[orUnknown(y.Name)]; len(same) > 0 && same[0] == y {
			ordered, byName[orUnknown(y.Name)] = append(ordered, y), same[1:]
		}
	}
	return ordered
}

// gapPairs matches rows without an equal name on the other side by their class.
func gapPairs(a, b []*Layer) []pair {
	places := map[string][]int{} // in b, of each class
	for i, y := range b {
		places[orUnknown(y.Class)] = append(places[orUnknown(y.Class)], i)
	}
	var all []pair
	next := 0 // in b
	for _, x := range a {
		class := orUnknown(x.Class)
		at := places[class]
		for len(at) > 0 && at[0] < next {
			at = at[1:]
		}
		places[class] = at
		if len(at) == 0 {
			all = append(all, pair{a: x})
			continue
		}
		for ; next < at[0]; next++ {
			all = append(all, pair{b: b[next]})
		}
		all = append(all, pair{x, b[next]})
		next++
	}
	for _, y := range b[next:] {
		all = append(all, pair{b: y})
	}
	return all
}

// matches returns the indices of a longest common subsequence of names.
func matches(a, b []*Layer) [][2]int {
	numbers := map[string]int32{} // of names: a name is looked at once, and compared often
	numbered := func(rows []*Layer) []int32 {
		out := make([]int32, len(rows))
		for i, l := range rows {
			name := orUnknown(l.Name)
			if _, ok := numbers[name]; !ok {
				numbers[name] = int32(len(numbers)) //nolint:gosec // a model has fewer
			}
			out[i] = numbers[name]
		}
		return out
	}
	x, y := numbered(a), numbered(b)
	same := func(i, j int) bool { return x[i] == y[j] }
	var found [][2]int
	if len(a)*len(b) > mostCompared {
		for i := range min(len(a), len(b)) {
			if same(i, i) {
				found = append(found, [2]int{i, i})
			}
		}
		return found
	}
	longest := make([][]int32, len(a)+1)
	for i := range longest {
		longest[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if same(i, j) {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case same(i, j):
			found = append(found, [2]int{i, j})
			i, j = i+1, j+1
		case longest[i+1][j] >= longest[i][j+1]:
			i++
		default:
			j++
		}
	}
	return found
}
