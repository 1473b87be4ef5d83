package rewrite

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// split returns the name of a copy of a function whose loops are compiled separately. It returns ""
// where that gains nothing, or where the loops cannot be taken out. It gains where two loops do not
// wait for each other, and where one program serves many lengths.
func (s *loopSplitter) split(name string, depth int) (string, error) {
	if copied, ok := s.copies[name]; ok {
		return copied, nil
	}
	s.copies[name] = "" // a function that calls itself is not copied
	if depth > graph.MaxUnwrap {
		return "", nil
	}
	f, err := s.g.Resolve(name)
	if f == nil || err != nil {
		return "", err
	}
	b := newLoopBody(f)
	if ok, err := s.findLoops(b); !ok || err != nil {
		return "", err
	}
	copied := twinFunction(name, s.twin)
	def, clusters, ok := b.split(s, copied, nil)
	if !ok {
		inner, err := s.splitInner(b, depth)
		if len(inner) == 0 || err != nil {
			return "", err
		}
		b = newLoopBody(f)
		if ok, err := s.findLoops(b); !ok || err != nil {
			return "", err
		}
		if def, clusters, ok = b.split(s, copied, inner); !ok {
			return "", nil
		}
	}
	s.functions = append(append(s.functions, def), clusters...)
	s.copies[name] = copied
	return copied, nil
}

// splitInner splits the functions that a body calls. It returns the names of their copies by call.
func (s *loopSplitter) splitInner(b *loopBody, depth int) (map[*graph.Node]string, error) {
	inner := map[*graph.Node]string{}
	for _, n := range b.loops {
		if !graph.IsCall(n.Op) {
			continue
		}
		copied, err := s.split(n.Def.GetAttr()["f"].GetFunc().GetName(), depth+1)
		if err != nil {
			return nil, err
		}
		if copied != "" {
			inner[n] = copied
		}
	}
	return inner, nil
}

// split makes the copy of the body, and the functions marked for XLA. inner are copies of called
// functions; these calls stay where they are. It reports false where a loop cannot be taken out,
// and where nothing is gained.
func (b *loopBody) split(s *loopSplitter, copied string, inner map[*graph.Node]string) (def *functionpb.FunctionDef, made []*functionpb.FunctionDef, ok bool) {
	var clusters []*loopCluster
	taken := map[*graph.Node]bool{}
	for _, n := range b.loops {
		if inner[n] != "" {
			continue
		}
		c := &loopCluster{
			b: b, loop: n, nodes: map[*graph.Node]bool{}, after: map[*graph.Node]bool{}, shapes: map[*graph.Node]bool{}, sized: map[graph.Ref]graph.Ref{},
			name: b.unused("tfrun_xla_" + strconv.Itoa(len(clusters))),
		}
		if !c.grow(taken) || !c.bind() {
			return nil, nil, false
		}
		maps.Copy(taken, c.nodes)
		for m := range c.after {
			b.gone[m] = c
		}
		clusters = append(clusters, c)
	}
	b.findOutputs()
	fixed := !b.openAxes(s, clusters)
	if fixed && len(inner) == 0 && !b.parallel() {
		return nil, nil, false
	}
	def = proto.CloneOf(b.f.Def)
	def.Signature.Name = copied
	def.NodeDef = nil
	for _, n := range b.f.Nodes {
		if b.gone[n] != nil || !b.live[n] {
			continue
		}
		node, ok := b.moved(n)
		if !ok {
			return nil, nil, false
		}
		if inner[n] != "" {
			node.Attr["f"].GetFunc().Name = inner[n]
		}
		def.NodeDef = append(def.NodeDef, node)
	}
	var programs []*functionpb.FunctionDef
	var calls []*nodepb.NodeDef
	for i, c := range clusters {
		f, call, ok := c.function(def, copied+"_loop_"+strconv.Itoa(i))
		if !ok {
			return nil, nil, false
		}
		def.NodeDef = append(def.NodeDef, call)
		programs, calls = append(programs, f), append(calls, call)
	}
	for i, out := range def.GetSignature().GetOutputArg() {
		if def.Ret[out.GetName()], ok = b.rewrite(b.f.Rets[i]); !ok {
			return nil, nil, false
		}
	}
	for key, name := range def.GetControlRet() {
		def.ControlRet[key] = strings.TrimPrefix(b.order("^"+name), "^")
	}
	if !sweep(def) {
		return nil, nil, false
	}
	for i, f := range programs {
		if other := s.programs.canonicalName(f); other != "" {
			calls[i].Attr["f"].GetFunc().Name = other
			continue
		}
		made = append(made, f)
	}
	s.fixed = s.fixed || fixed
	s.narrow = s.narrow || slices.ContainsFunc(clusters, func(c *loopCluster) bool { return !c.wide() })
	s.apart += len(clusters)
	for _, f := range made {
		for _, n := range f.GetNodeDef() {
			s.ops = append(s.ops, n.GetOp())
			graph.EachFunction(n.GetAttr(), func(name string) { s.ops = append(s.ops, name) })
		}
	}
	return def, made, true
}

// openAxes finds the sizes that are passed to the programs as values. It reports false where a
// program needs a size that cannot be.
func (b *loopBody) openAxes(s *loopSplitter, clusters []*loopCluster) bool {
	open := make([]map[graph.Ref][]int, len(clusters))
	for i, c := range clusters {
		ok := s.lengths
		if ok {
			open[i], ok = c.openAxes(s)
		}
		if !ok || len(open[i]) == 0 {
			return false
		}
	}
	for i, c := range clusters {
		c.open = open[i]
	}
	return true
}
