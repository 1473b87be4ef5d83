package shapes

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// mostDrawn bounds the vertices of a drawn graph. For more, the table is clearer and the layout is
// slow.
const mostDrawn = 3000

// page is the data of the HTML page's template.
type page struct {
	CSS    template.CSS
	Model  string
	Base   string // the end of the model's path
	Graphs []pageGraph
	// LostHead is the heading above what files of a kind lack.
	LostHead string
}

type pageGraph struct {
	Facts      []string
	File       bool // one of Keras' own files, which has no signatures
	Signatures []pageSignature
	Title      string
	Warnings   []string // what could not be read
	Empty      string   // why there are no layers
	Rows       []pageRow
	RailWidth  int
	At         string
	Outputs    string // size of all layers' outputs
	Totals     *Totals
	Notes      []string
	Lost       []string
	Open       []string // what None means, and for which axes
	Hint       string   // how to put sizes in
	Legend     []pageFamily
	Drawing    template.HTML
	DrawOpen   bool
}

// pageFamily is a colour in the legend.
type pageFamily struct {
	Family family
	Text   string
}

type pageSignature struct {
	Name, Method    string
	Inputs, Outputs []pageTensor
}

type pageTensor struct {
	Name, Type, Shape, Tensor string
	Why                       []string
	Parts                     []savedmodel.Component
}

type pageRow struct {
	ID          int
	Name, Class string
	Guessed     bool
	Shape       string
	Params      string
	Share       int // of the largest layer's parameters, in percent
	From        string
	Family      family
	Depth       int
	Why         []string
	Weight      string
	Output      string // size of the output
	Rail        *railRow
	Passing     []int // for a nested model's row: the lines of the rail that pass it
	RailWidth   int
}

// WriteHTML writes a page that needs nothing else: no network, no scripts.
func (d *Document) WriteHTML(w io.Writer, _ Look) error {
	t, err := template.New("page").Funcs(template.FuncMap{"number": words.Thousands, "size": size, "clean": clean}).Parse(pageHTML)
	if err != nil {
		return err
	}
	model := clean(d.Model)
	p := page{CSS: template.CSS(pageCSS + graphCSS), Model: model, Base: lastParts(model), LostHead: lostHead} //nolint:gosec // our own
	for i, g := range d.MetaGraphs {
		p.Graphs = append(p.Graphs, newPageGraph(d, g, i))
	}
	return t.Execute(w, p)
}

// lastParts returns the last two names of a path, as the last one is often "model" or "1".
func lastParts(path string) string {
	parts := strings.Split(filepath.ToSlash(path), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// newPageGraph returns the page's data of a graph; number tells the page's graphs apart.
func newPageGraph(d *Document, g *Graph, number int) pageGraph {
	p := pageGraph{Facts: g.facts(), File: g.File != "", Totals: g.Totals, Notes: g.notes(), Warnings: cleanAll(g.Notes), At: g.atLine()}
	r := g.read()
	p.Open, p.Hint, p.Lost = cleanAll(r.lines()), g.putHint(), cleanAll(g.Lost)
	for _, s := range g.calls() {
		p.Signatures = append(p.Signatures, pageSignature{clean(s.name), clean(s.MethodName), pageTensors(s.Inputs, r), pageTensors(s.Outputs, r)})
	}
	one := &Document{Model: d.Model, MetaGraphs: []*Graph{g}}
	x := one.diagramOf()
	if total := count(x); total <= mostDrawn {
		body, width, height := drawAll(x, func(v *vertex) string {
			if v.params < 0 { // a tensor or a signature, without a row
				return ""
			}
			return fmt.Sprintf("l%d", rowID(number, v))
		})
		p.Drawing = svgElement(body, width, height)
		p.DrawOpen = total <= 60
	}
	if g.Layers == nil {
		p.Empty = noLayers(g)
		return p
	}
	p.Title = "Layers"
	if g.ModelName != nil {
		p.Title += " of " + clean(*g.ModelName)
	}
	p.Rows, p.RailWidth = pageRows(g, x, number), 20
	p.Legend = legendOf(p.Rows)
	if len(p.Rows) > 0 && p.Rows[0].Rail != nil {
		p.RailWidth = p.Rows[0].RailWidth
	}
	if g.At != nil {
		p.Outputs = g.At.atLeast(g.At.OutputBytes)
	}
	return p
}

// rowID returns the id of a vertex's row, unique among the page's graphs.
func rowID(graph int, v *vertex) int { return graph*1_000_000 + v.id }

// count returns the number of vertices of a diagram and its parts.
func count(x *diagram) int {
	n := len(x.vertices)
	for _, p := range x.parts {
		n += count(p)
	}
	return n
}

func pageTensors(all map[string]*Tensor, r *reading) []pageTensor {
	var list []pageTensor
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		list = append(list, pageTensor{clean(name), t.typed(), t.shape(), clean(t.source()), cleanAll(r.below(t.Why, nil)), t.parts})
	}
	return list
}

func cleanAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, s := range texts {
		all[i] = clean(s)
	}
	return all
}

// pageRows returns the rows of the layer table. Rows of nested models follow their model's.
func pageRows(g *Graph, x *diagram, number int) []pageRow {
	var rows []pageRow
	var largest int64
	read := g.read()
	for _, l := range g.Layers {
		largest = max(largest, l.Params)
	}
	var add func(layers []*Layer, x *diagram, outer *railRow, depth int)
	add = func(layers []*Layer, x *diagram, outer *railRow, depth int) {
		drawn := x.vertices[len(x.vertices)-len(layers):]
		rail := rails(drawn)
		part := 0
		for i, l := range layers {
			r := newPageRow(l, drawn[i], largest, depth, read)
			r.ID = rowID(number, drawn[i])
			switch {
			case outer != nil:
				r.Passing, r.RailWidth = outer.Below, outer.Width
			case rail != nil && depth == 0:
				r.Rail, r.RailWidth = &rail[i], rail[i].Width
			}
			if g.At != nil && depth == 0 {
				r.Output = l.outputSize()
			}
			rows = append(rows, r)
			if len(l.Layers) > 0 {
				inside := outer
				if r.Rail != nil {
					inside = r.Rail
				}
				add(l.Layers, x.parts[part], inside, depth+1)
				part++
			}
		}
	}
	add(g.Layers, x, nil, 0)
	return rows
}

func newPageRow(l *Layer, v *vertex, largest int64, depth int, read *reading) pageRow {
	name, class := l.title()
	why := read.below(l.Why, l.reasons)
	for i, field := range l.Guessed {
		if i < len(l.reasons) && l.reasons[i] != "" {
			why = append(why, "~ "+plainField(field)+": "+l.reasons[i])
		}
	}
	r := pageRow{
		Name: name, Class: strings.Trim(class, "()"), Guessed: len(l.Guessed) > 0, Shape: l.shape(), Params: l.marked("params", numberOrDash(l.Params)),
		Family: v.family(), Depth: depth, Why: cleanAll(why), From: clean(strings.Join(l.ConnectedTo, ", ")),
	}
	if largest > 0 {
		r.Share = int(100 * float64(l.Params) / float64(largest))
	}
	if l.Params > 0 {
		r.Weight = size(l.Bytes)
	}
	return r
}

// familyTexts explain the colours of the rows.
var familyTexts = map[family]string{
	"input": "input", "embedding": "embedding", "recurrent": "recurrent", "attention": "attention", "merge": "several into one", "pool": "shapes and pooling",
	"conv": "convolution", "norm": "normalization", "dense": "dense", "light": "activation, dropout", "text": "preprocessing", "model": "a model within", "other": "other",
}

// legendOf lists the colours of the rows, each once, in the order of the rows.
func legendOf(rows []pageRow) []pageFamily {
	var legend []pageFamily
	for _, r := range rows {
		if f := (pageFamily{r.Family, familyTexts[r.Family]}); !slices.Contains(legend, f) {
			legend = append(legend, f)
		}
	}
	return legend
}

func numberOrDash(n int64) string {
	if n == 0 {
		return "–"
	}
	return words.Thousands(n)
}
