package shapes

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
)

// WriteMarkdown writes the signatures and the layer table as tables of Markdown.
func (d *Document) WriteMarkdown(w io.Writer, look Look) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n", markdownText(d.Model))
	for _, g := range d.MetaGraphs {
		fmt.Fprintf(b, "\n%s\n", markdownText(strings.Join(g.facts(), " · ")))
		markdownSignatures(b, g, look)
		if g.Layers != nil {
			markdownLayers(b, g, look)
		}
	}
	return b.Flush()
}

func markdownSignatures(b *bufio.Writer, g *Graph, look Look) {
	r := g.read()
	if look.Explain {
		markdownList(b, r.lines())
	}
	calls := g.calls()
	for i, s := range calls {
		title := "Signature " + markdownText(s.name)
		if g.File != "" {
			title = "Inputs and outputs"
		}
		fmt.Fprintf(b, "\n## %s\n\n|  | name | type | shape | tensor |\n|---|---|---|---|---|\n", title)
		var why []string
		for _, side := range []struct {
			word string
			all  map[string]*Tensor
		}{{"in", s.Inputs}, {"row", s.Rows}, {"out", s.Outputs}} {
			for _, name := range slices.Sorted(maps.Keys(side.all)) {
				t := side.all[name]
				fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", side.word, markdownText(name), markdownText(t.typed()), t.shape(), markdownCode(t.source()))
				for _, reason := range r.below(t.Why, nil) {
					why = append(why, name+": "+reason)
				}
			}
		}
		if same := alikeSignature(calls, i); same != "" {
			why = []string{"as " + same}
		}
		if look.Explain {
			markdownList(b, why)
		}
	}
}

// markdownLayers writes the layers as a Markdown table.
func markdownLayers(b *bufio.Writer, g *Graph, look Look) {
	r := g.read()
	title := "Layers"
	if g.ModelName != nil {
		title += " of " + markdownText(*g.ModelName)
	}
	fmt.Fprintf(b, "\n## %s\n\n", title)
	head, rule := "| layer | type | output shape | params |", "|---|---|---|---:|"
	if g.At != nil {
		fmt.Fprintf(b, "%s\n\n", markdownText(g.atLine()))
		head, rule = head+" output size |", rule+"---:|"
	}
	if g.connected() {
		head, rule = head+" connected to |", rule+"---|"
	}
	fmt.Fprintln(b, head+"\n"+rule)
	var why []string
	walk(g.Layers, 0, func(l *Layer, depth int) {
		name, class := l.title()
		fmt.Fprintf(b, "| %s%s | %s | %s | %s |", nested(depth), markdownText(name), markdownText(strings.Trim(class, "()")), markdownText(l.shape()), markdownText(l.marked("params", words.Thousands(l.Params))))
		if g.At != nil {
			fmt.Fprintf(b, " %s |", l.outputSize())
		}
		if g.connected() {
			fmt.Fprintf(b, " %s |", markdownText(strings.Join(l.ConnectedTo, ", ")))
		}
		b.WriteByte('\n')
		for _, reason := range r.below(l.Why, l.reasons) {
			why = append(why, name+": "+reason)
		}
	})
	if t := g.Totals; t != nil {
		fmt.Fprintf(b, "\nTotal params %s (%s), trainable %s (%s), non-trainable %s (%s).\n", t.Marked("total", t.Total), size(t.TotalBytes),
			t.Marked("trainable", t.Trainable), size(t.TrainableBytes), t.Marked("non_trainable", t.NonTrainable), size(t.NonTrainableBytes))
		if t.Optimizer > 0 {
			fmt.Fprintf(b, "The optimizer keeps %s (%s) more.\n", words.Thousands(t.Optimizer), size(t.OptimizerBytes))
		}
	}
	markdownList(b, g.Notes)
	if notes := g.notes(); len(notes) > 0 {
		b.WriteString("\n~ marks what is likely but not in the files:\n")
		markdownList(b, notes)
	}
	if look.Explain {
		markdownList(b, why)
		if len(g.Lost) > 0 {
			fmt.Fprintf(b, "\n%s\n", lostHead)
			markdownList(b, g.Lost)
		}
	}
}

func markdownList(b *bufio.Writer, items []string) {
	if len(items) > 0 {
		b.WriteByte('\n')
	}
	for _, s := range items {
		fmt.Fprintf(b, "- %s\n", markdownText(strings.TrimPrefix(s, bullet+" ")))
	}
}

// markdownText escapes characters that have a meaning in Markdown, or in HTML inside it.
func markdownText(s string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("|\\`*_[]~#", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// markdownCode writes a name in fixed width.
func markdownCode(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.NewReplacer("`", "'", "|", "\\|").Replace(clean(s)) + "`"
}

// WriteCSV writes the layer table, a row for each layer, or, without layers, the tensors of the
// signatures.
func (d *Document) WriteCSV(w io.Writer, _ Look) error {
	c := csv.NewWriter(w)
	var rows [][]string
	for _, g := range d.MetaGraphs {
		walk(g.Layers, 0, func(l *Layer, depth int) { rows = append(rows, l.record(g, depth)) })
	}
	head := []string{"tags", "depth", "name", "class", "output_shape", "params", "bytes", "output_bytes", "connected_to", "guessed"}
	if rows == nil {
		head = []string{"tags", "signature", "direction", "name", "dtype", "shape", "tensor"}
		for _, g := range d.MetaGraphs {
			rows = append(rows, g.tensorRecords()...)
		}
	}
	if err := c.WriteAll(append([][]string{head}, rows...)); err != nil {
		return err
	}
	return c.Error()
}

// csvCell returns a name from a model for a cell of CSV. One that a spreadsheet would take for a
// formula has an apostrophe before it, as spreadsheets themselves mark texts.
func csvCell(s string) string {
	if s = clean(s); s != "" && strings.ContainsAny(s[:1], "=+-@") {
		return "'" + s
	}
	return s
}

func (l *Layer) record(g *Graph, depth int) []string {
	name, class := "", ""
	if l.Name != nil {
		name = csvCell(*l.Name)
	}
	if l.Class != nil {
		class = csvCell(*l.Class)
	}
	outputBytes := ""
	if l.OutputBytes != nil {
		outputBytes = strconv.FormatInt(*l.OutputBytes, 10)
	}
	return []string{
		csvCell(strings.Join(g.Tags, " ")), strconv.Itoa(depth), name, class, l.OutputShape.String(), strconv.FormatInt(l.Params, 10),
		strconv.FormatInt(l.Bytes, 10), outputBytes, csvCell(strings.Join(l.ConnectedTo, " ")), strings.Join(l.Guessed, " "),
	}
}

// tensorRecords lists the tensors of the signatures.
func (g *Graph) tensorRecords() [][]string {
	var rows [][]string
	for _, s := range g.calls() {
		for _, side := range []struct {
			word string
			all  map[string]*Tensor
		}{{"input", s.Inputs}, {"output", s.Outputs}} {
			for _, key := range slices.Sorted(maps.Keys(side.all)) {
				t := side.all[key]
				rows = append(rows, []string{csvCell(strings.Join(g.Tags, " ")), csvCell(s.name), side.word, csvCell(key), t.typed(), t.shape(), csvCell(t.Tensor)})
			}
		}
	}
	return rows
}
