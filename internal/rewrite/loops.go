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

// maxLoops bounds how many loops of one function are compiled separately.
const maxLoops = 64

// loopSplitter writes copies of functions in which each loop is a function of its own, marked for
// XLA. A program that XLA compiles for a CPU runs one operation after the other, so the two loops
// of a bidirectional layer would take twice the time of one. TensorFlow's executor runs operations
// at the same time if they do not wait for each other. So where a signature has such loops, each is
// compiled separately, with the nodes that only move its values, and TensorFlow runs the rest.
type loopSplitter struct {
	g         *graph.Graph
	twin      string // name of the node that the copies are made for
	functions []*functionpb.FunctionDef
	copies    map[string]string // function → its copy; "": it has none
	loops     map[string]bool   // whether a function contains a loop, or calls one that does
	decoded   map[string]*graph.Function
	users     map[*graph.Function]map[*graph.Node][]*graph.Node
	asked     int // see maxUses
	programs  *programs

	lengths bool     // sizes of open axes may be passed to programs as values
	fixed   bool     // in one of the copies they cannot
	narrow  bool     // in one of the copies sequences are padded to sizeBounds
	apart   int      // number of loops compiled separately
	ops     []string // types of the compiled operations, and the functions that these call
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
	s.loops[name] = false // a function that calls itself is not followed again
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

// findLoops finds the nodes of a body that are loops, or call functions with loops. It reports
// false if there is none, or one of an unknown kind.
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

// function returns a function, which is decoded once; nil if there is none.
func (s *loopSplitter) function(name string) *graph.Function {
	f, ok := s.decoded[name]
	if !ok {
		f, _ = s.g.Resolve(name) // a damaged function counts as missing
		s.decoded[name] = f
	}
	return f
}

// loopBody is a function whose loops are taken out.
type loopBody struct {
	f       *graph.Function
	loops   []*graph.Node
	live    map[*graph.Node]bool
	users   map[*graph.Node][]*graph.Node // among the live nodes, by data inputs
	results map[*graph.Node]bool          // nodes whose outputs the function returns
	byShape map[*graph.Node]bool          // see shapeOnly
	written map[graph.Ref]string          // references as the function writes them
	gone    map[*graph.Node]*loopCluster
	pads    map[padKey]paddedTensor
	rooms   map[padKey]paddedTensor // by shape; without the tensor
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

// ancestors returns the given nodes and all nodes that they depend on, by data or control inputs.
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

// unused returns the name, or a similar one that no node and no argument of the body has.
func (b *loopBody) unused(name string) string {
	for b.f.ByName[name] != nil || slices.Contains(b.f.Args, name) {
		name += "_"
	}
	return name
}

// rewrite returns a reference as the copy of the body writes it.
func (b *loopBody) rewrite(r graph.Ref) (string, bool) {
	c := b.gone[r.Node]
	if r.Node == nil || c == nil {
		return b.written[r], r.OK()
	}
	at := slices.Index(c.outs, r)
	if c.needsCut(r) {
		return c.cutName(at) + ":output:0", at >= 0
	}
	return fmt.Sprintf("%s:output:%d", c.name, at), at >= 0
}

// order returns a control input, "^node", as the copy of the body writes it.
func (b *loopBody) order(in string) string {
	if c := b.gone[b.f.ByName[in[1:]]]; c != nil {
		return "^" + c.name
	}
	return in
}

// moved returns a node as it is in the copy of the body. It need not run on the device of another
// node any more, since that node may be gone.
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

// findOutputs finds the results of the clusters that other nodes use.
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

// loopCluster is a loop with the nodes that are compiled with it.
type loopCluster struct {
	b    *loopBody
	loop *graph.Node
	// nodes are nodes of the body. Those that the loop is made from are copied if others use them
	// too.
	nodes map[*graph.Node]bool
	// after are the loop, and those of nodes that use its results. The body does not have them any
	// more.
	after  map[*graph.Node]bool
	shapes map[*graph.Node]bool // copies of nodes that depend on shapes only
	inputs []graph.Ref          // tensors from outside
	// sized maps a tensor of which only the shape is used to one of inputs with that shape.
	sized map[graph.Ref]graph.Ref
	open  map[graph.Ref][]int // axes of inputs whose sizes are passed as values
	types []typespb.DataType  // of inputs
	outs  []graph.Ref         // results that others use
	name  string              // of the node that calls the cluster
}

// needsCut reports whether an output of the cluster may have a size that XLA only has as a value.
// It is then returned padded, and cut to its size outside: for some operations XLA does not write
// the sizes of such results (seen with TensorFlow 2.21: a transposition whose result has its
// operand's layout).
func (c *loopCluster) needsCut(r graph.Ref) bool {
	if from := unmoved(r).Node; len(c.open) == 0 || from == nil || graph.IsLoop(from) || takesStep(from) {
		return false
	}
	shape, _ := c.b.f.Shape(r)
	return len(openDims(shape)) > 0
}

func (c *loopCluster) cutName(i int) string { return fmt.Sprintf("%s_cut_%d", c.name, i) }

// openDims lists the axes whose sizes are not known.
func openDims(s tensor.Shape) []int {
	var open []int
	for i, d := range s.Dims() {
		if d == tensor.Unknown {
			open = append(open, i)
		}
	}
	return open
}

// padKey is a tensor that is padded, or a tensor with the shape of such, and how it is padded.
type padKey struct {
	r   graph.Ref
	how string
}

// paddedTensor is a padded tensor: how much its axes are padded, and the sizes of its open axes
// before.
type paddedTensor struct {
	tensor, paddings string
	sizes            []string
}

// sorted returns the nodes of several sets in the order of the function.
func (c *loopCluster) sorted(sets ...map[*graph.Node]bool) []*graph.Node {
	var list []*graph.Node
	for _, nodes := range sets {
		list = slices.AppendSeq(list, maps.Keys(nodes))
	}
	slices.SortFunc(list, func(x, y *graph.Node) int { return x.Index - y.Index })
	return list
}

// twinFunction returns the name of a function's copy for one node that calls it.
func twinFunction(function, node string) string {
	return function + "_tfrun_xla_" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, node)
}

// mustCompile is the attribute that tells TensorFlow to compile a call and its function with XLA
// (tf2xla/tf2xla_defs.h).
const mustCompile = "_XlaMustCompile"

// compiledScope is the name scope of the compiled twins.
const compiledScope = "tfrun_xla/"
