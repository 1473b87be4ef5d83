package rewrite

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
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

// usersOf returns the users of each node of a function.
func (s *loopSplitter) usersOf(f *graph.Function) map[*graph.Node][]*graph.Node {
	users := s.users[f]
	if users == nil {
		users = f.Users()
		s.users[f] = users
	}
	return users
}

// function returns a function, decoded once; nil where there is none.
func (s *loopSplitter) function(name string) *graph.Function {
	f, ok := s.decoded[name]
	if !ok {
		f, _ = s.g.Resolve(name) // what is damaged is not there
		s.decoded[name] = f
	}
	return f
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
	pads    map[padKey]paddedTensor
	rooms   map[padKey]paddedTensor // by shape, without the tensor
}

func newLoopBody(f *graph.Function) *loopBody {
	b := &loopBody{f: f, users: map[*graph.Node][]*graph.Node{}, results: map[*graph.Node]bool{}, byShape: map[*graph.Node]bool{}, written: map[graph.Ref]string{}, gone: map[*graph.Node]*loopCluster{}, pads: map[padKey]paddedTensor{}, rooms: map[padKey]paddedTensor{}}
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

// unused returns the name, or one like it that no node and no argument of the body has.
func (b *loopBody) unused(name string) string {
	for b.f.ByName[name] != nil || slices.Contains(b.f.Args, name) {
		name += "_"
	}
	return name
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

// loopCluster is what is compiled with one loop.
type loopCluster struct {
	b    *loopBody
	loop *graph.Node
	// of the body; copies of those that the loop is made from, where others take them too
	nodes map[*graph.Node]bool
	// those of nodes that take the loop's results, and the loop: they are gone from the body
	after  map[*graph.Node]bool
	shapes map[*graph.Node]bool // copies of what depends on shapes alone
	inputs []graph.Ref          // what comes from outside
	// what is looked at for its shape alone → one of inputs that has the same
	sized map[graph.Ref]graph.Ref
	open  map[graph.Ref][]int // axes of these whose sizes are values
	types []typespb.DataType  // of inputs
	outs  []graph.Ref         // what others take
	name  string              // of the node that calls it
}

// cut reports whether an output of the cluster may have a size that is a value. XLA is not to give
// it away as that: for some operations it leaves the sizes unwritten (seen with TensorFlow 2.21: a
// transposition whose result lies in memory as its operand does).
func (c *loopCluster) cut(r graph.Ref) bool {
	if from := unmoved(r).Node; len(c.open) == 0 || from == nil || graph.IsLoop(from) || takesStep(from) {
		return false
	}
	shape, _ := c.b.f.Shape(r)
	return len(openDims(shape)) > 0
}

func (c *loopCluster) cutName(i int) string { return fmt.Sprintf("%s_cut_%d", c.name, i) }

// openDims lists the axes whose size is not known.
func openDims(s tensor.Shape) []int {
	var open []int
	for i, d := range s.Dims() {
		if d == tensor.Unknown {
			open = append(open, i)
		}
	}
	return open
}

// padKey says what is padded, or what has the shape of what is, and how.
type padKey struct {
	r   graph.Ref
	how string
}

// paddedTensor is a tensor whose open axes are padded, by how much, and their sizes before.
type paddedTensor struct {
	tensor, paddings string
	sizes            []string
}

// sorted lists nodes in the order of the function.
func (c *loopCluster) sorted(sets ...map[*graph.Node]bool) []*graph.Node {
	var list []*graph.Node
	for _, nodes := range sets {
		list = slices.AppendSeq(list, maps.Keys(nodes))
	}
	slices.SortFunc(list, func(x, y *graph.Node) int { return x.Index - y.Index })
	return list
}

// twinFunction names the copy of a function for one call of it.
func twinFunction(function, node string) string {
	return function + "_tfrun_xla_" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, node)
}

// mustCompile is the attribute by which TensorFlow's XLA devices know a call, and the function that
// it calls (tf2xla/tf2xla_defs.h).
const mustCompile = "_XlaMustCompile"

// compiledScope is where the twins stand in the graph.
const compiledScope = "tfrun_xla/"
