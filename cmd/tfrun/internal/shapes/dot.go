package shapes

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteDOT writes the layers for Graphviz: tfrun shapes model --format dot | dot -Tpng.
func (d *Document) WriteDOT(w io.Writer, _ Look) error {
	b := bufio.NewWriter(w)
	x := d.diagramOf()
	fmt.Fprintf(b, "digraph %s {\n", dotText(x.title))
	b.WriteString("  rankdir=TB;\n  compound=true;\n  node [shape=box, style=rounded, fontname=\"Helvetica\", fontsize=11];\n  edge [color=gray50];\n")
	dot(b, x, "  ")
	b.WriteString("}\n")
	return b.Flush()
}

func dot(b *bufio.Writer, x *diagram, indent string) {
	for _, v := range x.vertices {
		fmt.Fprintf(b, "%sn%d [label=%s, tooltip=%s];\n", indent, v.id, dotText(v.name+"\n"+v.subtitle()+"\n"+v.shape), dotText(strings.Join(v.tips, "\n")))
	}
	for _, v := range x.vertices {
		for _, to := range v.out {
			fmt.Fprintf(b, "%sn%d -> n%d;\n", indent, v.id, to.id)
		}
	}
	for i, p := range x.parts {
		fmt.Fprintf(b, "%ssubgraph cluster_%d {\n%s  label=%s;\n", indent, p.vertices[0].id, indent, dotText(p.title))
		dot(b, p, indent+"  ")
		fmt.Fprintf(b, "%s}\n", indent)
		if x.owners != nil {
			fmt.Fprintf(b, "%sn%d -> n%d [style=dashed, arrowhead=none, lhead=cluster_%d];\n", indent, x.owners[i].id, p.vertices[0].id, p.vertices[0].id)
		}
	}
}

// dotText quotes a string of one line or several.
func dotText(s string) string {
	s = strings.ReplaceAll(cleanLines(s), `\`, `\\`)
	s = strings.ReplaceAll(s, `"`, `\"`)
	return `"` + strings.ReplaceAll(s, "\n", `\n`) + `"`
}
