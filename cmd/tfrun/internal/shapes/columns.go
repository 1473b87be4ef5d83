package shapes

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// style is how a word looks on a terminal: an SGR sequence's numbers, or "" for plain.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	yellow style = "33"
	green  style = "32"
	red    style = "31"
	cyan   style = "36"
)

// paint wraps text in the style's escape sequences.
func (s style) paint(text string) string {
	if s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// word is a part of a cell. Lines are broken between words, and inside a word only if it is wider
// than its column.
type word struct {
	text  string
	style style
}

// cell is the words of a table's cell.
type cell []word

// cellOf makes a cell of words in one style.
func cellOf(s style, texts ...string) cell {
	c := make(cell, 0, len(texts))
	for _, t := range texts {
		c = append(c, word{t, s})
	}
	return c
}

// natural returns the width of the cell on one line.
func (c cell) natural() int {
	n := 0
	for i, w := range c {
		if i > 0 {
			n++
		}
		n += columns(w.text)
	}
	return n
}

// columns returns the number of terminal columns that s takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// wrap breaks the cell into lines of at most max columns.
func (c cell) wrap(limit int) []cell {
	var lines []cell
	var line cell
	used := 0
	for _, w := range c {
		for n := columns(w.text); ; {
			gap := min(len(line), 1)
			if used+gap+n <= limit {
				line, used = append(line, w), used+gap+n
				break
			}
			if n <= limit && len(line) > 0 || used+gap+8 > limit && len(line) > 0 {
				lines, line, used = append(lines, line), nil, 0
				continue
			}
			head, tail := breakWord(w.text, limit-used-gap)
			lines, line, used = append(lines, append(line, word{head, w.style})), nil, 0
			n -= columns(w.text[:len(w.text)-len(tail)])
			w.text = tail
		}
	}
	return append(lines, line)
}

// breakWord splits a word wider than limit columns, after a character where a reader would split
// it.
func breakWord(s string, limit int) (head, tail string) {
	end, best, used := 0, 0, 0
	for i, r := range s {
		if used += runeColumns(r); used > limit && i > 0 {
			break
		}
		end = i + utf8.RuneLen(r)
		if strings.ContainsRune(" _/.,:-", r) && used*2 > limit {
			best = end
		}
	}
	if best > 0 {
		end = best
	}
	return s[:end], strings.TrimLeft(s[end:], " ")
}

// grid is a table whose columns line up.
type grid struct {
	right []bool // columns aligned to the right: numbers. They are never broken.
	rows  []gridRow
}

type gridRow struct {
	cells []cell
	rule  bool // a line across the table, in place of cells
	note  bool // a text below the row before, in place of cells, as wide as the table
}

const (
	columnGap    = 2
	leastColumn  = 12
	noteIndent   = 2
	bullet       = "·"
	defaultNotes = 110 // width of notes if the terminal's is not known
)

func (g *grid) add(cells ...cell) { g.rows = append(g.rows, gridRow{cells: cells}) }

func (g *grid) rule() { g.rows = append(g.rows, gridRow{rule: true}) }

func (g *grid) note(s style, text string) {
	g.rows = append(g.rows, gridRow{note: true, cells: []cell{cellOf(s, strings.Fields(text)...)}})
}

// widths returns the widths of the columns: natural, or, if these do not fit, with the widest of
// the breakable columns reduced.
func (g *grid) widths(space int) []int {
	w := make([]int, len(g.right))
	for _, r := range g.rows {
		if r.note {
			continue
		}
		for i, c := range r.cells {
			w[i] = max(w[i], c.natural())
		}
	}
	if space <= 0 {
		return w
	}
	for excess := g.total(w) - space; excess > 0; excess-- {
		widest := -1
		for i := range w {
			if !g.right[i] && w[i] > leastColumn && (widest < 0 || w[i] > w[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		w[widest]--
	}
	return w
}

func (g *grid) total(widths []int) int {
	n := max(0, len(widths)-1) * columnGap
	for _, w := range widths {
		n += w
	}
	return n
}

// write writes the grid, indented, in at most space columns; 0: without a limit.
func (g *grid) write(p *printer, indent, space int) {
	if space > 0 {
		space = max(space-indent, 1)
	}
	widths := g.widths(space)
	pad := strings.Repeat(" ", indent)
	for _, r := range g.rows {
		switch {
		case r.rule:
			p.line(pad + p.paint(dim, strings.Repeat("─", g.total(widths))))
		case r.note:
			limit := defaultNotes
			if space > 0 {
				limit = space
			}
			r.writeNote(p, pad+strings.Repeat(" ", noteIndent), max(limit-noteIndent, leastColumn))
		default:
			g.writeRow(p, pad, r.cells, widths)
		}
	}
}

// writeNote writes a note. If it begins with a bullet its later lines are indented.
func (r gridRow) writeNote(p *printer, pad string, limit int) {
	c := r.cells[0]
	hang := ""
	if len(c) > 1 && c[0].text == bullet {
		hang = "  "
	}
	for i, line := range c.wrap(limit - len(hang)) {
		if i > 0 {
			p.line(pad + hang + p.cell(line))
			continue
		}
		p.line(pad + p.cell(line))
	}
}

// writeRow writes a row of cells, on as many lines as the highest cell takes.
func (g *grid) writeRow(p *printer, pad string, cells []cell, widths []int) {
	wrapped := make([][]cell, len(cells))
	height := 1
	for i, c := range cells {
		wrapped[i] = c.wrap(max(widths[i], 1))
		height = max(height, len(wrapped[i]))
	}
	for n := range height {
		var b strings.Builder
		b.WriteString(pad)
		blank := 0
		for i, lines := range wrapped {
			var c cell
			if n < len(lines) {
				c = lines[n]
			}
			free := widths[i] - c.natural()
			if g.right[i] {
				blank, free = blank+free, 0
			}
			if c.natural() > 0 {
				b.WriteString(strings.Repeat(" ", max(blank, 0)) + p.cell(c))
				blank = 0
			}
			blank += free + columnGap
		}
		p.line(b.String())
	}
}
