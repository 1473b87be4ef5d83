package shapes

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
)

// Look says how text is laid out.
type Look struct {
	Width   int  // the terminal's columns; 0: no limit
	Color   bool // with ANSI escape sequences
	Explain bool // with reasons of dimensions, and formulas of parameters
}

// printer writes lines of text. The first error of writing is kept by the bufio.Writer.
type printer struct {
	*bufio.Writer
	Look
	reading *reading
}

func (p *printer) line(s string) {
	_, _ = p.WriteString(s + "\n") // Flush returns an error
}

func (p *printer) paint(s style, text string) string {
	if !p.Color {
		return text
	}
	return s.paint(text)
}

// cell writes the words of one line.
func (p *printer) cell(c cell) string {
	texts := make([]string, len(c))
	for i, w := range c {
		texts[i] = p.paint(w.style, w.text)
	}
	return strings.Join(texts, " ")
}

// WriteText writes the document for people.
func (d *Document) WriteText(w io.Writer, look Look) error {
	p := &printer{Writer: bufio.NewWriter(w), Look: look}
	p.line(p.paint(bold, clean(d.Model)))
	for _, g := range d.MetaGraphs {
		p.line(p.paint(dim, strings.Join(g.facts(), " · ")))
		if line := g.atLine(); line != "" {
			p.line(p.paint(cyan, line))
		}
		p.sayOpen(g)
		p.signatures(g)
		p.layers(g)
		if g != d.MetaGraphs[len(d.MetaGraphs)-1] {
			p.line("")
		}
	}
	return p.Flush()
}

// signatures writes a block for each signature.
func (p *printer) signatures(g *Graph) {
	calls := g.calls()
	if len(calls) == 0 && g.File == "" {
		p.line("")
		p.line("No signatures: there is nothing to run.")
		if len(g.Functions) > 0 {
			p.line("")
			p.line("Functions that Python can call, and tf.saved_model.save can make signatures of")
		}
		for _, f := range g.Functions {
			p.line("  " + clean(f))
		}
	}
	for i, s := range calls {
		p.line("")
		head := "Inputs and outputs"
		if g.File == "" {
			head = "Signature " + p.paint(bold, clean(s.name))
		}
		if s.MethodName != "" && s.MethodName != "tensorflow/serving/predict" {
			head += p.paint(dim, " ("+clean(s.MethodName)+")")
		}
		p.line(head)
		t := &grid{right: make([]bool, 5)}
		explained := p.Look
		if same := alikeSignature(calls, i); same != "" && p.Explain {
			p.line(p.paint(dim, "  "+bullet+" as "+clean(same)))
			p.Explain = false
		}
		p.tensors(t, "in", s.Inputs)
		for _, name := range slices.Sorted(maps.Keys(s.Features)) {
			f := s.Features[name]
			note := string(f.Kind) + " feature"
			if f.Required {
				note += ", required"
			}
			t.add(nil, cellOf(dim, "· "+clean(name)), cellOf(dim, f.DType.String()), cellOf(dim, f.Shape.String()), cellOf(dim, note))
		}
		if len(s.Rows) > 0 {
			p.tensors(t, "row", s.Rows)
		}
		p.tensors(t, "out", s.Outputs)
		t.write(p, 2, p.Width)
		p.Look = explained
	}
}

// namedCall is a signature that can be run, or, without a name, the inputs and outputs of a model
// in one of Keras' own files.
type namedCall struct {
	name string
	*Signature
}

// calls returns the ways to call a model, the default one first.
func (g *Graph) calls() []namedCall {
	var all []namedCall
	for _, name := range g.signatureNames() {
		all = append(all, namedCall{name, g.Signatures[name]})
	}
	if len(g.Inputs)+len(g.Outputs) > 0 {
		all = append(all, namedCall{"", &Signature{Inputs: g.Inputs, Outputs: g.Outputs}})
	}
	return all
}

// signatureNames returns the names of the signatures that can be run, the default one first.
func (g *Graph) signatureNames() []string {
	var names []string
	for name, s := range g.Signatures {
		if !s.initOp {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if (a == "serving_default") != (b == "serving_default") {
			if a == "serving_default" {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return names
}

// tensors adds a row for each tensor of a signature.
func (p *printer) tensors(t *grid, side string, all map[string]*Tensor) {
	if len(all) == 0 {
		t.add(cellOf(dim, side), cellOf(dim, "none"), nil, nil, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		t.add(cellOf(dim, side), cellOf(cyan, clean(name)), cellOf(plain, x.typed()), cellOf(plain, x.shape()), cellOf(dim, clean(x.source())))
		for _, c := range x.parts {
			role := c.Role
			if role == "" {
				role = "part"
			}
			t.add(nil, cellOf(dim, "· "+role), cellOf(dim, c.DType.String()), cellOf(dim, c.Shape.String()), cellOf(dim, clean(c.Tensor)))
		}
		p.why(t, x.Why, nil)
	}
}

// why adds the reasons below a row, if they are to be shown. Reasons of guesses are shown below the
// table.
func (p *printer) why(t *grid, reasons, guesses []string) {
	if !p.Explain {
		return
	}
	for _, r := range p.reading.below(reasons, guesses) {
		t.note(dim, bullet+" "+clean(r))
	}
}

// layers writes the layer table, or why there is none.
func (p *printer) layers(g *Graph) {
	p.line("")
	if g.Layers == nil {
		p.line(p.paint(dim, noLayers(g)))
		return
	}
	p.line(p.modelLine(g))
	t := &grid{right: []bool{false, false, true}}
	head := []cell{cellOf(bold, "Layer", "(type)"), cellOf(bold, "Output shape"), cellOf(bold, "Params")}
	if g.At != nil {
		t.right = append(t.right, true)
		head = append(head, cellOf(bold, "Output size"))
	}
	if g.connected() {
		t.right = append(t.right, false)
		head = append(head, cellOf(bold, "Connected to"))
	}
	t.add(head...)
	t.rule()
	p.rows(t, g, g.Layers, 0)
	t.rule()
	t.write(p, 2, p.Width)
	p.totals(g)
	p.footnotes(g)
}

// noLayers says why a graph has no layer table.
func noLayers(g *Graph) string {
	switch g.Framework {
	case "tf1", "tf.Module":
		if len(g.calls()) == 0 {
			return "No layers: this is no Keras model."
		}
		return "No layers: this is no Keras model. Its signatures say all there is to call."
	}
	return "No layers: the files hold neither traces nor metadata of them."
}

func (p *printer) modelLine(g *Graph) string {
	line := "Model"
	if g.ModelName != nil {
		line += " " + p.paint(bold, clean(*g.ModelName))
	}
	if g.ModelClass != nil {
		line += " (" + clean(*g.ModelClass) + ")"
	}
	return line
}

// rows adds the rows of the layer table. Rows of nested models follow their model's.
func (p *printer) rows(t *grid, g *Graph, layers []*Layer, depth int) {
	for _, l := range layers {
		name, class := l.title()
		nameStyle := plain
		if l.Params > 0 {
			nameStyle = bold
		}
		first := cell{{nested(depth) + name, nameStyle}, {class, dim}}
		params := cellOf(plain, l.marked("params", words.Thousands(l.Params)))
		if l.Params == 0 {
			params[0].style = dim
		}
		cells := []cell{first, l.shapeCell(), params}
		if g.At != nil {
			cells = append(cells, cellOf(cyan, l.outputSize()))
		}
		if g.connected() {
			cells = append(cells, l.connections())
		}
		t.add(cells...)
		p.why(t, l.Why, l.reasons)
		p.rows(t, g, l.Layers, depth+1)
	}
}

// nested returns the prefix for the name of a nested model's layer.
func nested(depth int) string {
	if depth == 0 {
		return ""
	}
	return strings.Repeat("│ ", depth-1) + "└ "
}

// shapeCell returns the shape as words, one for each tensor.
func (l *Layer) shapeCell() cell {
	s := plain
	if l.guessed("output_shape") {
		s = yellow
	}
	if len(l.OutputShape.Shapes) < 2 {
		return cellOf(s, l.shape())
	}
	return cellOf(s, strings.SplitAfter(strings.ReplaceAll(l.shape(), "), ", "),\x00"), "\x00")...).trimmed()
}

// trimmed removes shapeCell's marks from the words.
func (c cell) trimmed() cell {
	for i := range c {
		c[i].text = strings.TrimSuffix(c[i].text, "\x00")
	}
	return c
}

// connections returns the column of connections, one word for each tensor.
func (l *Layer) connections() cell {
	c := make(cell, len(l.ConnectedTo))
	for i, from := range l.ConnectedTo {
		from = clean(from)
		if i == 0 {
			from = l.marked("connected_to", from)
		}
		if i < len(c)-1 {
			from += ","
		}
		c[i] = word{from, dim}
	}
	if len(c) == 0 {
		return cellOf(dim, "-")
	}
	return c
}

// totals writes the sums below the layer table.
func (p *printer) totals(g *Graph) {
	t := g.Totals
	if t == nil {
		return
	}
	sums := &grid{right: []bool{false, true, true}}
	sums.add(cellOf(plain, "Total params"), cellOf(bold, t.Marked("total", t.Total)), cellOf(dim, size(t.TotalBytes)))
	sums.add(cellOf(plain, "Trainable"), cellOf(plain, t.Marked("trainable", t.Trainable)), cellOf(dim, size(t.TrainableBytes)))
	sums.add(cellOf(plain, "Non-trainable"), cellOf(plain, t.Marked("non_trainable", t.NonTrainable)), cellOf(dim, size(t.NonTrainableBytes)))
	if t.Optimizer > 0 {
		sums.add(cellOf(plain, "Optimizer"), cellOf(plain, words.Thousands(t.Optimizer)), cellOf(dim, size(t.OptimizerBytes)))
	}
	if g.At != nil {
		sums.add(cellOf(plain, "All outputs"), nil, cellOf(cyan, g.At.atLeast(g.At.OutputBytes)))
		sums.add(cellOf(plain, "Largest output"), nil, cellOf(cyan, g.At.atLeast(g.At.LargestOutput)))
	}
	sums.write(p, 2, 0)
}

// footnotes explains the marks in the table.
func (p *printer) footnotes(g *Graph) {
	t := &grid{right: []bool{false}}
	for _, n := range g.Notes {
		t.note(yellow, "! "+clean(n))
	}
	if notes := g.notes(); len(notes) > 0 {
		t.note(yellow, "~ likely, but not in the files:")
		for _, n := range notes {
			t.note(dim, bullet+" "+n)
		}
	}
	if p.Explain && len(g.Lost) > 0 {
		t.note(dim, lostHead)
		for _, l := range g.Lost {
			t.note(dim, bullet+" "+clean(l))
		}
	}
	if len(t.rows) > 0 {
		p.line("")
		t.write(p, 0, p.Width)
	}
}

// mostNamed is the number of rows that a footnote names.
const mostNamed = 6

// notes returns a line for each reason of guesses: what is guessed, in which rows, and why.
func (g *Graph) notes() []string {
	type guess struct{ fields, rows, reason string }
	var all []*guess
	type key struct{ field, reason string }
	rows := map[key][]string{}
	var order []key
	walk(g.Layers, 0, func(l *Layer, _ int) {
		name, _ := l.title()
		for i, field := range l.Guessed {
			x := key{field: plainField(field)}
			if i < len(l.reasons) && l.reasons[i] != "" {
				x.reason = ": " + l.reasons[i]
			}
			if rows[x] == nil {
				order = append(order, x)
			}
			rows[x] = append(rows[x], name)
		}
	})
	for _, x := range order {
		names := strings.Join(firstOf(rows[x], mostNamed), ", ")
		i := slices.IndexFunc(all, func(o *guess) bool { return o.reason == x.reason && o.rows == names })
		if i >= 0 {
			all[i].fields += ", " + x.field
		} else {
			all = append(all, &guess{x.field, names, x.reason})
		}
	}
	notes := make([]string, len(all))
	for i, x := range all {
		notes[i] = clean(x.fields + " of " + x.rows + x.reason)
	}
	return notes
}

// firstOf returns the first names, and how many follow.
func firstOf(names []string, most int) []string {
	if more := len(names) - most; more > 0 {
		return append(names[:most:most], fmt.Sprintf("%d more", more))
	}
	return names
}

// walk visits the rows, and those of nested models after their model's.
func walk(layers []*Layer, depth int, visit func(l *Layer, depth int)) {
	for _, l := range layers {
		visit(l, depth)
		walk(l.Layers, depth+1, visit)
	}
}
