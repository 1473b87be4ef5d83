package shapes

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMermaid writes the layers as a flowchart, for Markdown readers that draw them.
func (d *Document) WriteMermaid(w io.Writer, _ Look) error {
	b := bufio.NewWriter(w)
	b.WriteString("flowchart TD\n")
	mermaid(b, d.diagramOf(), "  ")
	return b.Flush()
}

func mermaid(b *bufio.Writer, x *diagram, indent string) {
	for _, v := range x.vertices {
		label := []string{"<b>" + mermaidText(v.name) + "</b>", mermaidText(v.class), mermaidText(v.shape)}
		if p := v.paramText(); p != "" {
			label[1] += " · " + p
		}
		open, end := "[", "]"
		if v.family() == "input" {
			open, end = "([", "])"
		}
		fmt.Fprintf(b, "%sn%d%s\"%s\"%s\n", indent, v.id, open, strings.Join(label, "<br/>"), end)
	}
	for _, v := range x.vertices {
		for _, to := range v.out {
			fmt.Fprintf(b, "%sn%d --> n%d\n", indent, v.id, to.id)
		}
	}
	for i, p := range x.parts {
		fmt.Fprintf(b, "%ssubgraph g%d[\"%s\"]\n", indent, p.vertices[0].id, mermaidText(p.title))
		mermaid(b, p, indent+"  ")
		fmt.Fprintf(b, "%send\n", indent)
		if x.owners != nil {
			fmt.Fprintf(b, "%sn%d -.- g%d\n", indent, x.owners[i].id, p.vertices[0].id)
		}
	}
}

// mermaidText writes characters that would end a label, or begin markup in it, as Mermaid's
// numbered entities.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		if strings.ContainsRune("\"#<>&`\\;", r) {
			fmt.Fprintf(&b, "#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
