package rewrite

import (
	"fmt"
	"slices"
	"strconv"

	functionpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/function_go_proto"
	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"google.golang.org/protobuf/proto"
)

// shapeOnly reports whether a node's value depends only on the shapes of tensors. A copy of such a
// node costs nothing, and is a constant for XLA, which compiles for each shape.
func (b *loopBody) shapeOnly(n *graph.Node) bool {
	if known, ok := b.byShape[n]; ok {
		return known
	}
	b.byShape[n] = false // while it is being found out, in case of a circle
	ok := sizeOps[n.Op] && !isVariant(n.Def.GetAttr()["T"].GetType()) ||
		shapeOps[n.Op] && !slices.ContainsFunc(n.Inputs, func(r graph.Ref) bool { return r.Node == nil || !b.shapeOnly(r.Node) })
	b.byShape[n] = ok
	return ok
}

// grow collects the nodes of the cluster. taken are the nodes of earlier clusters. It reports false
// if something in the cluster cannot be moved out of the body.
func (c *loopCluster) grow(taken map[*graph.Node]bool) bool {
	var todo []*graph.Node
	add := func(n *graph.Node, after bool) {
		c.nodes[n] = true
		if after {
			c.after[n] = true
		}
		todo = append(todo, n)
	}
	add(c.loop, true)
	for ; len(todo) > 0; todo = todo[1:] {
		n := todo[0]
		if n != c.loop && !moveOps[n.Op] && !listOps[n.Op] && !takesStep(n) || taken[n] && (c.after[n] || c.b.gone[n] != nil) {
			return false
		}
		for i, r := range n.Inputs {
			p := r.Node
			if p == nil || c.nodes[p] || c.b.shapeOnly(p) {
				continue
			}
			if inputType(n, i) == typespb.DataType_DT_VARIANT || !taken[p] && moveOps[p.Op] && !turnsNumbers(p) && c.allUsersIn(p) {
				add(p, false)
			}
		}
		if !c.after[n] {
			continue
		}
		for _, u := range c.b.users[n] {
			if !c.nodes[u] && (takesList(u, n) || !taken[u] && movesOn(u, n) && c.allFromHere(u)) {
				add(u, true)
			}
		}
	}
	return true
}

// takesList reports whether u takes a list of tensors that n makes.
func takesList(u, n *graph.Node) bool {
	for i, r := range u.Inputs[:min(len(u.Inputs), 1)] { // the list is the first input
		if r.Node == n && listOps[u.Op] && inputType(u, i) == typespb.DataType_DT_VARIANT {
			return true
		}
	}
	return false
}

// maxUsers bounds the search for neighbours of a loop that are compiled with it.
const maxUsers = 64

// allUsersIn reports whether p's results are only used inside the cluster, or for their shape, or
// for a single step.
func (c *loopCluster) allUsersIn(p *graph.Node) bool {
	users := c.b.users[p]
	return !c.b.results[p] && len(users) <= maxUsers && !slices.ContainsFunc(users, func(u *graph.Node) bool { return !c.nodes[u] && !sizeOps[u.Op] && !takesStep(u) })
}

// allFromHere reports whether the inputs of u are results of the loop, or depend only on shapes.
func (c *loopCluster) allFromHere(u *graph.Node) bool {
	return len(u.Inputs) <= maxUsers && !slices.ContainsFunc(u.Inputs, func(r graph.Ref) bool { return r.Node == nil || !c.after[r.Node] && !c.b.shapeOnly(r.Node) })
}

// bind collects the inputs of the cluster: first those whose values it takes, then those of which
// only the shape is taken.
func (c *loopCluster) bind() bool {
	var sizes []*graph.Node
	for todo := c.sorted(c.nodes); len(todo) > 0 || len(sizes) > 0; {
		var n *graph.Node
		if len(todo) > 0 {
			if n, todo = todo[0], todo[1:]; looksAtShape(n) {
				sizes = append(sizes, n)
				continue
			}
		} else {
			n, sizes = sizes[0], sizes[1:]
		}
		for i, r := range n.Inputs {
			switch at := slices.Index(c.inputs, r); {
			case !r.OK():
				return false
			case r.Node != nil && (c.nodes[r.Node] || c.shapes[r.Node]):
			case r.Node != nil && c.b.shapeOnly(r.Node):
				c.shapes[r.Node] = true
				todo = append(todo, r.Node)
			case at < 0 && looksAtShape(n) && c.likeInput(r):
			case at < 0:
				c.inputs = append(c.inputs, r)
				c.types = append(c.types, inputType(n, i))
			case c.types[at] == typespb.DataType_DT_INVALID:
				c.types[at] = inputType(n, i)
			}
		}
	}
	return true
}

// likeInput reports whether a tensor always has the shape of one of the inputs, and notes which.
func (c *loopCluster) likeInput(r graph.Ref) bool {
	root := sameShape(r)
	for _, in := range c.inputs {
		if sameShape(in) == root {
			c.sized[r] = in
			return true
		}
	}
	return false
}

// function makes the function that is marked for XLA, and the node that calls it.
func (c *loopCluster) function(body *functionpb.FunctionDef, name string) (*functionpb.FunctionDef, *nodepb.NodeDef, bool) {
	def := &functionpb.FunctionDef{
		Signature: &opdefpb.OpDef{Name: name, IsStateful: true}, Ret: map[string]string{}, Attr: attrs{mustCompile: trueAttr},
	}
	call := &nodepb.NodeDef{Name: c.name, Op: "StatefulPartitionedCall"}
	args := map[graph.Ref]string{}
	var in, out []typespb.DataType
	arg := func(t typespb.DataType, input string) string {
		name := c.b.unused("tfrun_in_" + strconv.Itoa(len(in)))
		def.Signature.InputArg = append(def.Signature.InputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: t})
		call.Input = append(call.Input, input)
		in = append(in, t)
		return name
	}
	for i, r := range c.inputs {
		t := c.types[i]
		if t == typespb.DataType_DT_INVALID || t == typespb.DataType_DT_VARIANT || t == typespb.DataType_DT_STRING {
			return nil, nil, false
		}
		if axes := c.open[r]; len(axes) > 0 {
			p, ok := c.b.padded(body, r, t, axes, c.bounds())
			if !ok {
				return nil, nil, false
			}
			args[r] = arg(t, p.tensor)
			var sizes []string
			for _, size := range p.sizes {
				sizes = append(sizes, arg(typespb.DataType_DT_INT32, size))
			}
			args[r] = withSizes(def, args[r], t, axes, sizes)
			continue
		}
		input, ok := c.b.rewrite(r)
		if !ok {
			return nil, nil, false
		}
		args[r] = arg(t, input)
	}
	result := func(from string, t typespb.DataType) {
		name := "tfrun_out_" + strconv.Itoa(len(out))
		def.Signature.OutputArg = append(def.Signature.OutputArg, &opdefpb.OpDef_ArgDef{Name: name, Type: t})
		def.Ret[name] = from
		out = append(out, t)
	}
	for _, r := range c.outs {
		t := outputType(r)
		if t == typespb.DataType_DT_INVALID {
			return nil, nil, false
		}
		result(c.b.written[r], t)
	}
	for _, n := range c.sorted(c.nodes, c.shapes) {
		node := proto.CloneOf(n.Def)
		node.Input = nil
		delete(node.Attr, "_class")
		for _, r := range n.Inputs {
			if in, ok := c.sized[r]; ok && looksAtShape(n) {
				r = in
			}
			if arg, ok := args[r]; ok {
				node.Input = append(node.Input, arg)
			} else {
				node.Input = append(node.Input, c.b.written[r])
			}
		}
		for _, order := range n.Orders() {
			switch before := c.b.f.ByName[order[1:]]; {
			case c.nodes[before]:
				node.Input = append(node.Input, order)
			case c.after[n]:
				if order = c.b.order(order); !slices.Contains(call.Input, order) {
					call.Input = append(call.Input, order)
				}
			}
		}
		def.NodeDef = append(def.NodeDef, node)
	}
	for i, r := range c.outs {
		if c.needsCut(r) {
			whole, sizes := c.withoutSizes(def, i)
			def.Ret[fmt.Sprintf("tfrun_out_%d", i)] = whole
			result(sizes, typespb.DataType_DT_INT32)
			c.cutOff(body, i, len(out)-1)
		}
	}
	call.Attr = attrs{
		"Tin": typesAttr(in), "Tout": typesAttr(out), "config": emptyAttr, "config_proto": emptyAttr, "executor_type": emptyAttr, mustCompile: trueAttr,
		"f": functionAttr(name, attrs{mustCompile: trueAttr}),
	}
	return def, call, len(out) > 0
}
