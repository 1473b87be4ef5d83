package rewrite

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// maxLoops bounds how many loops of one function are compiled by themselves.
const maxLoops = 64

// loopSplitter makes copies of functions in which loops stand in functions of their own, marked for
// XLA. What XLA compiles for a CPU runs one operation after the other: the two loops of a
// bidirectional layer take twice the time of one. TensorFlow's executor runs at the same time what
// does not wait for each other. So where a signature has such loops, each is compiled by itself,
// together with what only moves its values, and the rest stays TensorFlow's.
type loopSplitter struct {
	g         *graph.Graph
	twin      string // the node in whose name the copies are made
	functions []*functionpb.FunctionDef
	copies    map[string]string // function → its copy, "" where there is none
	loops     map[string]bool   // whether a function has a loop, itself or in one that it calls
	decoded   map[string]*graph.Function
	users     map[*graph.Function]map[*graph.Node][]*graph.Node
	asked     int // see maxTaken
	programs  *programs

	lengths bool     // sizes of open axes may be values to what is compiled
	fixed   bool     // in one of the copies they are not
	narrow  bool     // in one of the copies they are padded to sizeBounds
	apart   int      // loops that are compiled by themselves
	ops     []string // types of the operations that are compiled, and the functions that these call
}

func newLoopSplitter(g *graph.Graph, twin string, lengths bool) *loopSplitter {
	return &loopSplitter{
		g: g, twin: twin, lengths: lengths,
		programs: &programs{g: g, by: map[string]string{}, canonical: map[string]string{}},
		copies:   map[string]string{}, loops: map[string]bool{}, decoded: map[string]*graph.Function{}, users: map[*graph.Function]map[*graph.Node][]*graph.Node{},
	}
}

// split returns the name of a copy of a function whose loops are compiled one by one; "" where that
// gains nothing, or where they cannot be taken out. It gains where two loops do not wait for each
// other, and where what is compiled serves many lengths.
func (s *loopSplitter) split(name string, depth int) (string, error) {
	if copied, ok := s.copies[name]; ok {
		return copied, nil
	}
	s.copies[name] = "" // one that calls itself is not copied
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

// splitInner splits the functions that a body calls. It returns the names of the copies, by call.
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

// findLoops finds the nodes of a body that loop. It reports false where there is none, or one of a
// kind that is not known here.
func (s *loopSplitter) findLoops(b *loopBody) (bool, error) {
	for _, n := range b.f.Nodes {
		if !b.live[n] {
			continue
		}
		loops := graph.IsLoop(n)
		if !loops {
			var err error
			if loops, err = s.calls(n.Def, 0); err != nil {
				return false, err
			}
		}
		switch {
		case !loops:
		case !graph.IsLoop(n) && !graph.IsCall(n.Op) || len(b.loops) == maxLoops:
			return false, nil
		default:
			b.loops = append(b.loops, n)
		}
	}
	return len(b.loops) > 0, nil
}

// calls reports whether a node calls a function that loops.
func (s *loopSplitter) calls(n *nodepb.NodeDef, depth int) (loops bool, err error) {
	graph.EachFunction(n.GetAttr(), func(name string) {
		if err == nil && !loops {
			loops, err = s.hasLoop(name, depth)
		}
	})
	return loops, err
}

func (s *loopSplitter) hasLoop(name string, depth int) (bool, error) {
	if known, ok := s.loops[name]; ok || depth > graph.MaxUnwrap {
		return known, nil
	}
	s.loops[name] = false // one that calls itself is asked no more
	def, err := s.g.Function(name)
	if err != nil {
		return false, err
	}
	for _, n := range def.GetNodeDef() {
		loops := n.GetOp() == "While" || n.GetOp() == "StatelessWhile"
		if !loops {
			if loops, err = s.calls(n, depth+1); err != nil {
				return false, err
			}
		}
		if loops {
			s.loops[name] = true
			return true, nil
		}
	}
	return false, nil
}

// loopBody is a function out of which loops are taken.
type loopBody struct {
	f       *graph.Function
	loops   []*graph.Node
	live    map[*graph.Node]bool
	users   map[*graph.Node][]*graph.Node // those that are live, by data
	results map[*graph.Node]bool          // whose outputs the function returns
	byShape map[*graph.Node]bool          // see shapeOnly
	written map[graph.Ref]string          // how the function writes a reference
	gone    map[*graph.Node]*loopCluster
	pads    map[padding]paddedTensor
	rooms   map[padding]paddedTensor // by shape, without the tensor
}

func newLoopBody(f *graph.Function) *loopBody {
	b := &loopBody{f: f, users: map[*graph.Node][]*graph.Node{}, results: map[*graph.Node]bool{}, byShape: map[*graph.Node]bool{}, written: map[graph.Ref]string{}, gone: map[*graph.Node]*loopCluster{}, pads: map[padding]paddedTensor{}, rooms: map[padding]paddedTensor{}}
	var roots []*graph.Node
	for i, r := range f.Rets {
		b.written[r] = f.Def.GetRet()[f.Def.GetSignature().GetOutputArg()[i].GetName()]
		if r.Node != nil {
			b.results[r.Node] = true
			roots = append(roots, r.Node)
		}
	}
	for _, name := range f.Def.GetControlRet() {
		roots = append(roots, f.ByName[name])
	}
	b.live = b.ancestors(roots...)
	for _, n := range f.Nodes {
		if !b.live[n] {
			continue
		}
		data := slices.DeleteFunc(slices.Clone(n.Def.GetInput()), func(in string) bool { return strings.HasPrefix(in, "^") })
		for i, r := range n.Inputs {
			b.written[r] = data[i]
			if r.Node != nil {
				b.users[r.Node] = append(b.users[r.Node], n)
			}
		}
	}
	return b
}

// ancestors are the nodes that some depend on, by data or order, and these themselves.
func (b *loopBody) ancestors(of ...*graph.Node) map[*graph.Node]bool {
	seen := map[*graph.Node]bool{}
	for todo := slices.Clone(of); len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n == nil || seen[n] {
			continue
		}
		seen[n] = true
		for _, r := range n.Inputs {
			todo = append(todo, r.Node)
		}
		for _, in := range n.Orders() {
			todo = append(todo, b.f.ByName[in[1:]])
		}
	}
	return seen
}

// parallel reports whether two of the loops do not wait for each other.
func (b *loopBody) parallel() bool {
	needs := make([]map[*graph.Node]bool, len(b.loops))
	for i, n := range b.loops {
		needs[i] = b.ancestors(n)
	}
	for i, n := range b.loops {
		for j := range i {
			if !needs[i][b.loops[j]] && !needs[j][n] {
				return true
			}
		}
	}
	return false
}

// split makes the copy of the body, and the functions that are marked for XLA. inner are copies of
// functions that are called, whose loops stay where they are. It reports false where a loop cannot
// be taken out, and where nothing is gained.
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
		if other := s.programs.like(f); other != "" {
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

// openAxes finds which sizes are values to what is compiled. It reports false where some are not.
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

// unused returns the name, or one like it that no node and no argument of the body has.
func (b *loopBody) unused(name string) string {
	for b.f.ByName[name] != nil || slices.Contains(b.f.Args, name) {
		name += "_"
	}
	return name
}

// findOutputs finds which results of the clusters others take.
func (b *loopBody) findOutputs() {
	take := func(r graph.Ref, to *loopCluster) {
		if c := b.gone[r.Node]; r.Node != nil && c != nil && c != to && !slices.Contains(c.outs, r) {
			c.outs = append(c.outs, r)
		}
	}
	for _, n := range b.f.Nodes {
		if b.live[n] {
			for _, r := range n.Inputs {
				take(r, b.gone[n])
			}
		}
	}
	for _, r := range b.f.Rets {
		take(r, nil)
	}
}

// rewrite writes a reference as it stands in the copy of the body.
func (b *loopBody) rewrite(r graph.Ref) (string, bool) {
	c := b.gone[r.Node]
	if r.Node == nil || c == nil {
		return b.written[r], r.OK()
	}
	at := slices.Index(c.outs, r)
	if c.cut(r) {
		return c.cutName(at) + ":output:0", at >= 0
	}
	return fmt.Sprintf("%s:output:%d", c.name, at), at >= 0
}

// order does the same for an input that is there for the order alone, "^node".
func (b *loopBody) order(in string) string {
	if c := b.gone[b.f.ByName[in[1:]]]; c != nil {
		return "^" + c.name
	}
	return in
}

// moved is a node as it stands in the copy of the body. It no longer wishes to stand on the device
// of another one, which may be gone.
func (b *loopBody) moved(n *graph.Node) (*nodepb.NodeDef, bool) {
	def := proto.CloneOf(n.Def)
	def.Input = nil
	delete(def.Attr, "_class")
	for _, r := range n.Inputs {
		in, ok := b.rewrite(r)
		if !ok {
			return nil, false
		}
		def.Input = append(def.Input, in)
	}
	for _, in := range n.Orders() {
		if in = b.order(in); !slices.Contains(def.Input, in) {
			def.Input = append(def.Input, in)
		}
	}
	return def, true
}

// sweep leaves out the nodes of a function that nothing depends on any more. It reports false where
// nodes depend on each other in a circle.
func sweep(def *functionpb.FunctionDef) bool {
	nodes := map[string]*nodepb.NodeDef{}
	for _, n := range def.GetNodeDef() {
		nodes[n.GetName()] = n
	}
	todo := slices.Concat(slices.Collect(maps.Values(def.GetRet())), slices.Collect(maps.Values(def.GetControlRet())))
	const entered, left = 1, 2
	state := map[*nodepb.NodeDef]int{}
	for len(todo) > 0 {
		name, _, _ := strings.Cut(strings.TrimPrefix(todo[len(todo)-1], "^"), ":")
		switch n := nodes[name]; {
		case n == nil || state[n] == left:
			todo = todo[:len(todo)-1]
		case state[n] == entered:
			state[n] = left
			todo = todo[:len(todo)-1]
		default:
			state[n] = entered
			for _, in := range n.GetInput() {
				before, _, _ := strings.Cut(strings.TrimPrefix(in, "^"), ":")
				if state[nodes[before]] == entered && nodes[before] != nil {
					return false
				}
				todo = append(todo, in)
			}
		}
	}
	def.NodeDef = slices.DeleteFunc(def.GetNodeDef(), func(n *nodepb.NodeDef) bool { return state[n] == 0 })
	return true
}
