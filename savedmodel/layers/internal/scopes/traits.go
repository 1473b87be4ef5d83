package scopes

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// traits is what the graph shows of a layer's call.
type traits struct {
	ops map[string]bool // op types
	// text lists the nodes that do work, each as " name:op". The name is the part below the layer's
	// scope, without numbers at the ends of its parts.
	text    string
	direct  int             // nodes that do work and stand in no scope within the layer's
	scopes  map[string]bool // the scopes directly within the layer's, without numbers
	weights map[string]int  // ranks of the variables, by the last component of their paths
	parts   map[string]bool // the other components of these paths
	own     bool            // the variables hang on the layer itself, not on a layer within
	name    string
	inRank  int // of the first input, -1 when not known
	outRank int // of the last output
	ins     int // tensors taken, each counted once
	textIn  bool
	// multiple says that each size of the output is a multiple of the input's.
	multiple bool
}

// newTraits collects what a call shows of its layer: operations, scopes, weights and ranks.
func newTraits(s *Scope, c *Call, name string, vars []*savedmodel.Variable) *traits {
	t := &traits{ops: map[string]bool{}, scopes: map[string]bool{}, weights: map[string]int{}, parts: map[string]bool{}, name: name, inRank: -1, outRank: -1, ins: len(c.Ins)}
	var text strings.Builder
	for _, n := range c.Nodes {
		rel := n.Parts[min(s.Below(c), len(n.Parts)):]
		if c.Op {
			rel = n.Parts[s.Depth:]
		}
		t.ops[n.Op] = true
		if len(rel) > 1 {
			t.scopes[kerasnames.WithoutNumber(rel[0])] = true
		}
		if QuietOps[n.Op] || n.Op == "Cast" || n.Op == "DisableCopyOnRead" {
			continue
		}
		if len(rel) == 1 {
			t.direct++
		}
		for i, part := range rel {
			if i == 0 {
				text.WriteByte(' ')
			} else {
				text.WriteByte('/')
			}
			text.WriteString(kerasnames.WithoutNumber(part))
		}
		text.WriteString(":" + n.Op)
	}
	t.text = text.String()
	for _, v := range vars {
		path := strings.Split(v.Name, "/")
		last := path[len(path)-1]
		if IsSeed(v) {
			continue
		}
		t.weights[last] = v.Shape.Rank()
		for _, p := range path[:len(path)-1] {
			t.parts[kerasnames.WithoutNumber(p)] = true
		}
		t.own = t.own || strings.HasSuffix("/"+v.Name, "/"+name+"/"+last)
	}
	if len(c.Ins) > 0 {
		in, _ := s.b.Shape(c.Ins[0].Ref)
		t.inRank = in.Rank()
	}
	if len(c.Shapes) > 0 {
		t.outRank = c.Shapes[len(c.Shapes)-1].Rank()
	}
	t.multiple = s.grows(c)
	for _, n := range c.Nodes {
		t.textIn = t.textIn || n.Op == "LookupTableFindV2" && n.Def.GetAttr()["Tin"].GetType() == 7
	}
	return t
}

// grows reports whether each size of a call's output is a multiple of the input's, as far as they
// are known.
func (s *Scope) grows(c *Call) bool {
	if len(c.Ins) == 0 || len(c.Shapes) == 0 {
		return false
	}
	in, _ := s.b.Shape(c.Ins[0].Ref)
	out := c.Shapes[0]
	if in.Rank() != out.Rank() {
		return false
	}
	for i := range in.Dims() {
		if a, b := in.Dim(i), out.Dim(i); a > 0 && b > 0 && (b < a || b%a != 0) {
			return false
		}
	}
	return true
}

// only reports whether the layer's variables are among the given ones, and there is at least one.
func (t *traits) only(names ...string) bool {
	for w := range t.weights {
		if !slices.Contains(names, w) {
			return false
		}
	}
	return len(t.weights) > 0
}

// has reports whether the layer has all the given variables.
func (t *traits) has(names ...string) bool {
	for _, n := range names {
		if _, ok := t.weights[n]; !ok {
			return false
		}
	}
	return true
}

// scoped reports whether scopes of all the given names lie within the layer's.
func (t *traits) scoped(names ...string) bool {
	for _, n := range names {
		if !t.scopes[n] {
			return false
		}
	}
	return true
}

func anyPrefix(set map[string]bool, prefix string) bool {
	for s := range set {
		if strings.HasPrefix(s, prefix) {
			return true
		}
	}
	return false
}

// loops reports whether the layer's work is a loop over time, with the cell in the loop's body.
func (t *traits) loops() bool { return t.ops["While"] || t.ops["StatelessWhile"] }

// isTimeDistributed recognizes the wrapper: it maps the layer over the time axis by a vectorized
// loop body, or step by step.
func (t *traits) isTimeDistributed() bool {
	if t.scopes["loop_body"] {
		return true
	}
	return strings.HasPrefix(strings.TrimPrefix(t.text, " Shape:Shape strided_slice:StridedSlice"), " transpose:Transpose strided_slice:StridedSlice") &&
		strings.HasSuffix(t.text, " stack:Pack transpose:Transpose")
}

// nestedModel reports whether the work is done in scopes that are layers of their own.
func (t *traits) nestedModel() bool {
	for s := range t.scopes {
		if !Helpers[s] {
			return true
		}
	}
	return false
}

// onlyLayers reports whether all scopes within the layer's bear default names of layers.
func (t *traits) onlyLayers() bool {
	for s := range t.scopes {
		if kerasnames.ByDefault[s] == "" {
			return false
		}
	}
	return len(t.scopes) > 0
}

// work reports whether any of the ops is there.
func (t *traits) work(ops ...string) bool {
	return slices.ContainsFunc(ops, func(op string) bool { return t.ops[op] })
}
