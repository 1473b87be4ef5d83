package shapes

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
)

// WriteJSON writes the difference for programs.
func (d *Difference) WriteJSON(w io.Writer) error { return writeJSON(w, d) }

// WriteText writes the difference for people: - is only in A, + only in B, ~ in both.
func (d *Difference) WriteText(w io.Writer, look Look) error {
	p := &printer{Writer: bufio.NewWriter(w), Look: look}
	p.line(p.paint(red, "- ") + p.paint(bold, clean(d.A)))
	p.line(p.paint(green, "+ ") + p.paint(bold, clean(d.B)))
	if d.Same {
		p.line("")
		if d.mixed {
			p.line("Alike: layers and numbers of parameters.")
		} else {
			p.line("Alike: signatures, layers and numbers of parameters.")
		}
		return p.Flush()
	}
	titles := []struct {
		title    string
		sections []Section
	}{
		{"Model", []Section{SectionGraph}},
		{"Signatures", []Section{SectionSignature, SectionInput, SectionOutput}},
		{"Layers", []Section{SectionLayer}},
		{"Parameters", []Section{SectionTotals}},
	}
	for _, t := range titles {
		g := &grid{right: make([]bool, 4)}
		for _, c := range d.Changes {
			for _, s := range t.sections {
				if c.Section == s {
					p.change(g, c)
				}
			}
		}
		if len(g.rows) == 0 {
			continue
		}
		p.line("")
		p.line(p.paint(bold, t.title))
		g.write(p, 0, p.Width)
		if t.title == "Layers" && d.alike > 0 {
			p.line(p.paint(dim, fmt.Sprintf("  %d more are alike", d.alike)))
		}
	}
	return p.Flush()
}

// change adds the rows of one change.
func (p *printer) change(g *grid, c Change) {
	name := clean(c.Name)
	if len(c.Tags) > 0 {
		name = strings.TrimSpace("[" + clean(strings.Join(c.Tags, ",")) + "] " + name)
	}
	switch c.Kind {
	case Added:
		g.add(cellOf(green, "+"), cellOf(bold, name), c.Section.kind(c.B), cellOf(plain, c.Section.describe(c.B)))
	case Removed:
		g.add(cellOf(red, "-"), cellOf(bold, name), c.Section.kind(c.A), cellOf(plain, c.Section.describe(c.A)))
	default:
		for i, f := range c.Fields {
			mark, label, field := "~", name, strings.ReplaceAll(f.Field, "_", " ")
			if i > 0 {
				mark, label = "", ""
			}
			if name == "" {
				mark, label, field = "~", field, ""
			}
			g.add(cellOf(yellow, mark), cellOf(bold, label), cellOf(dim, field),
				cell{{f.text(f.A), red}, {"→", dim}, {f.text(f.B), green}, {f.delta(), dim}}.compact())
		}
	}
}

// compact drops empty words.
func (c cell) compact() cell {
	var kept cell
	for _, w := range c {
		if w.text != "" {
			kept = append(kept, w)
		}
	}
	return kept
}

// kind describes the kind of something that only one side has.
func (s Section) kind(v any) cell {
	if l, ok := v.(*Layer); ok {
		_, class := l.title()
		return cellOf(dim, class)
	}
	return cellOf(dim, string(s))
}

// describe describes something that only one side has.
func (s Section) describe(v any) string {
	switch v := v.(type) {
	case *Layer:
		return v.shape() + ", " + words.Thousands(v.Params) + " params"
	case *Tensor:
		return v.typed() + " " + v.shape()
	case *Signature:
		return fmt.Sprintf("%d in, %d out", len(v.Inputs), len(v.Outputs))
	}
	return ""
}

// text returns a field's value.
func (f FieldChange) text(v any) string {
	switch v := v.(type) {
	case int64:
		if strings.HasSuffix(f.Field, "bytes") {
			return size(v)
		}
		return words.Thousands(v)
	case string:
		return clean(v)
	case *string:
		return orUnknown(v)
	case []string:
		return clean(strings.Join(v, ","))
	case savedmodel.Framework:
		return frameworks[v]
	}
	return fmt.Sprint(v)
}

// delta returns by how much a number grew.
func (f FieldChange) delta() string {
	a, isA := f.A.(int64)
	b, isB := f.B.(int64)
	if !isA || !isB {
		return ""
	}
	by := f.text(b - a)
	if b > a {
		by = "+" + by
	}
	return "(" + by + ")"
}
