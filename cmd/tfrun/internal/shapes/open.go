package shapes

import (
	"maps"
	"slices"
	"strings"
)

// openPrefix begins the reason of a dimension that is open.
const openPrefix = "None: "

// sayOpen says once what None means, and of which axes, where reasons are asked for. The rows below
// do not say it again.
func (p *printer) sayOpen(g *Graph) {
	if p.said = nil; !p.Explain {
		return
	}
	for _, reasons := range g.reasons() {
		for _, r := range reasons {
			if strings.HasPrefix(r, openPrefix) && !slices.Contains(p.said, r) {
				p.said = append(p.said, r)
			}
		}
	}
	if len(p.said) == 0 {
		return
	}
	p.line("")
	p.line("None is any number: a size that is open until the model runs.")
	for _, r := range p.said {
		p.line(p.paint(dim, "  "+bullet+" "+clean(strings.TrimPrefix(r, openPrefix))+openMeans(r)))
	}
	if g.At == nil {
		p.line(p.paint(dim, "  --at batch=64,time=120 puts sizes in."))
	}
}

// openMeans says what an open axis is the number of.
func openMeans(reason string) string {
	switch {
	case strings.Contains(reason, "the batch axis"):
		return ": how many rows run at a time"
	case strings.Contains(reason, "the time axis"):
		return ": how many steps the longest of these rows has"
	}
	return ""
}

// reasons lists the reasons of all dimensions.
func (g *Graph) reasons() [][]string {
	var all [][]string
	for _, s := range g.calls() {
		for _, tensors := range []map[string]*Tensor{s.Inputs, s.Outputs} {
			for _, name := range slices.Sorted(maps.Keys(tensors)) {
				all = append(all, tensors[name].Why)
			}
		}
	}
	var walk func(list []*Layer)
	walk = func(list []*Layer) {
		for _, l := range list {
			all = append(all, l.Why)
			walk(l.Layers)
		}
	}
	walk(g.Layers)
	return all
}
