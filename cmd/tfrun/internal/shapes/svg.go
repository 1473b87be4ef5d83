package shapes

import (
	"bufio"
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"io"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
)

//go:embed graph.css
var graphCSS string

const (
	svgMargin   = 24.0
	svgTitle    = 40.0
	boxHeight   = 62.0
	boxPadding  = 14.0
	leastBox    = 120.0
	longestName = 30
	nameWidth   = 8.6 // of a character at 13 px, bold
	smallWidth  = 6.3 // of a character at 11 px
	codeWidth   = 6.8 // of a character at 11 px, fixed width
)

// WriteSVG draws the layers as a picture that needs nothing else, and follows the reader's light or
// dark scheme.
func (d *Document) WriteSVG(w io.Writer, _ Look) error {
	x := d.diagramOf()
	if n := count(x); n > mostDrawn {
		return fmt.Errorf("%d layers are too many to draw; at most %d are", n, mostDrawn)
	}
	b := bufio.NewWriter(w)
	body, width, height := drawAll(x, nil)
	svgStart(b, width, height)
	fmt.Fprintf(b, "<title>%s</title>\n<style>\n%s</style>\n", html.EscapeString(x.title), graphCSS)
	fmt.Fprintf(b, `<rect class="ground" width="%.0f" height="%.0f"/>`+"\n", width, height)
	b.WriteString(body)
	b.WriteString("</svg>\n")
	return b.Flush()
}

func svgStart(w io.Writer, width, height float64) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" class="tfrun-graph" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img">`+"\n",
		width, height, width, height)
}

// svgElement returns a drawing as an element of a page, which has its styles.
func svgElement(body string, width, height float64) template.HTML {
	var b strings.Builder
	svgStart(&b, width, height)
	b.WriteString(body + "</svg>")
	return template.HTML(b.String()) //nolint:gosec // drawAll escapes all text
}

// drawAll draws a diagram, and below it those of its nested models. link returns the target of a
// box's link in a page, or ""; it may be nil.
func drawAll(x *diagram, link func(*vertex) string) (body string, width, height float64) {
	var b strings.Builder
	width, height = 320, svgMargin
	var draw func(x *diagram)
	draw = func(x *diagram) {
		l := arrange(x.vertices, measure)
		fmt.Fprintf(&b, `<text class="title" x="%.0f" y="%.0f">%s</text>`+"\n", svgMargin, height+14, html.EscapeString(words.Shorten(x.title, 60)))
		width = max(width, l.width+2*svgMargin, svgMargin*2+9*float64(columns(words.Shorten(x.title, 60))))
		fmt.Fprintf(&b, `<g transform="translate(%.1f %.1f)">`+"\n", svgMargin, height+svgTitle)
		l.draw(&b, link)
		b.WriteString("</g>\n")
		height += svgTitle + l.height
		if len(x.vertices) > 0 {
			height += svgMargin
		}
		for _, p := range x.parts {
			draw(p)
		}
	}
	draw(x)
	return b.String(), width, height
}

// measure returns the size of a vertex's box.
func measure(v *vertex) (w, h float64) {
	w = max(leastBox, float64(columns(words.Shorten(v.name, longestName)))*nameWidth, float64(columns(v.subtitle()))*smallWidth,
		float64(columns(words.Shorten(v.shape, 40)))*codeWidth) + 2*boxPadding
	return w, boxHeight
}

// subtitle returns the second line of a box.
func (v *vertex) subtitle() string {
	if p := v.paramText(); p != "" {
		return words.Shorten(v.class, longestName) + " · " + p
	}
	return words.Shorten(v.class, longestName)
}

// draw draws the edges, then the boxes.
func (l *layout) draw(b *strings.Builder, link func(*vertex) string) {
	for _, r := range l.routes {
		class := "edge"
		if r.turned {
			class = "edge turned"
		}
		fmt.Fprintf(b, `<path class="%s" d="%s"/>`+"\n", class, r.path())
	}
	for _, x := range l.boxes {
		to := ""
		if link != nil {
			to = link(x.v)
		}
		if to != "" {
			fmt.Fprintf(b, `<a href="#%s">`, html.EscapeString(to))
		}
		x.draw(b)
		if to != "" {
			b.WriteString("</a>\n")
		}
	}
}

// path returns the edge as a curve that leaves and enters boxes straight down.
func (r route) path() string {
	var b strings.Builder
	first := r.boxes[0]
	fmt.Fprintf(&b, "M%.1f %.1f", first.x, first.y+first.h)
	x, y := first.x, first.y+first.h
	for i, to := range r.boxes[1:] {
		mid := (y + to.y) / 2
		end := to.y
		if i == len(r.boxes)-2 {
			end -= 5 // the tip of the arrow
		}
		fmt.Fprintf(&b, "C%.1f %.1f %.1f %.1f %.1f %.1f", x, mid, to.x, mid, to.x, end)
		x, y = to.x, to.y
		if to.v == nil {
			y += to.h
			fmt.Fprintf(&b, "V%.1f", y)
		}
	}
	last := r.boxes[len(r.boxes)-1]
	fmt.Fprintf(&b, "m-4 -1l4 6l4 -6M%.1f %.1f", last.x, last.y)
	return b.String()
}

func (x *box) draw(b *strings.Builder) {
	v := x.v
	fmt.Fprintf(b, `<g class="layer %s" transform="translate(%.1f %.1f)">`, v.family(), x.x-x.w/2, x.y)
	tip := strings.Join(append([]string{v.name + " (" + v.class + ")", v.shape}, v.tips...), "\n")
	fmt.Fprintf(b, "<title>%s</title>", html.EscapeString(cleanLines(tip)))
	fmt.Fprintf(b, `<rect class="card" width="%.1f" height="%.1f" rx="8"/><rect class="mark" y="10" width="4" height="%.1f" rx="2"/>`, x.w, x.h, x.h-20)
	fmt.Fprintf(b, `<text class="name" x="%.0f" y="21">%s</text>`, boxPadding, html.EscapeString(words.Shorten(v.name, longestName)))
	fmt.Fprintf(b, `<text class="class" x="%.0f" y="36">%s</text>`, boxPadding, html.EscapeString(v.subtitle()))
	fmt.Fprintf(b, `<text class="shape" x="%.0f" y="52">%s</text>`, boxPadding, html.EscapeString(words.Shorten(v.shape, 40)))
	b.WriteString("</g>\n")
}

// cleanLines is [clean] for a text of several lines.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
