package scan

import (
	"slices"
	"strconv"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"

	"github.com/tfrun/tfrun/internal/admit"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/ops"
)

// maxOrigins bounds how many origins a path may be traced back to. maxTraced bounds how many calls
// all paths together are traced through.
const (
	maxOrigins = 64
	maxTraced  = 1 << 20
)

// read decodes the main graph and each function once.
func (s *scanner) read() error {
	for _, a := range s.mg.Assets {
		s.assets[graph.OutputOf(a.Tensor)] = a.Filename
	}
	var err error
	if s.gradients, err = s.mg.Graph().Gradients(); err != nil {
		return err
	}
	names, err := s.mg.Graph().FunctionNames()
	if err != nil {
		return err
	}
	s.order = append(s.order, "")
	for _, name := range names {
		f, err := s.mg.Graph().Load(name)
		if err != nil {
			return err
		}
		if f != nil {
			s.readFunction(f)
		}
	}
	if err := s.readMain(); err != nil {
		return err
	}
	// TensorFlow's optimizer may put one in place of another.
	for _, group := range s.implement {
		for _, name := range group[1:] {
			first, other := s.functions[group[0]], s.functions[name]
			first.calls = append(first.calls, &scanCall{callee: name})
			other.calls = append(other.calls, &scanCall{callee: group[0]})
		}
	}
	for _, name := range s.order {
		for _, c := range s.functions[name].calls {
			s.callers[c.callee] = append(s.callers[c.callee], scanCaller{name, c})
		}
	}
	return nil
}

// readMain reads the nodes of the main graph.
func (s *scanner) readMain() error {
	saver, err := s.mg.Saver()
	if err != nil {
		return err
	}
	if name := saver.GetFilenameTensorName(); name != "" {
		s.saver = graph.OutputOf(name)
	}
	s.main = map[string]*scanNode{}
	body := &scanBody{}
	s.functions[""] = body
	var late []func()
	for def, err := range s.mg.Graph().Nodes() {
		if err != nil {
			return err
		}
		n := &scanNode{op: def.GetOp(), inputs: def.GetInput(), beside: graph.Beside(def)}
		n.origin, n.sizes = s.mainOrigin(def), hugeShape(def)
		if n.op == "VarHandleOp" {
			n.variable = variableName(def)
		}
		broken := hugeAlone(def)
		body.huge = append(append(body.huge, broken...), s.crowded(def)...)
		if len(broken) > 0 && len(n.inputs) > mostInputs {
			n.inputs = nil // nothing runs the node, and millions of inputs take much memory
		}
		s.main[def.GetName()] = n
		callees, hit := s.look(def)
		_, sized := sizedBy[n.op]
		// The nodes of the inputs may come later in the file.
		late = append(late, func() {
			args := make([]scanOrigin, 0, len(n.inputs))
			for _, in := range n.inputs {
				if in != "" && in[0] != '^' {
					args = append(args, s.followMain(in))
				}
			}
			for _, callee := range callees {
				n.calls = append(n.calls, &scanCall{def.GetName(), callee, passed(def.GetOp(), callee, args)})
			}
			body.calls = append(body.calls, n.calls...)
			if hit != nil {
				hit.follow(args)
				body.hits = append(body.hits, *hit)
			}
			body.huge = append(body.huge, s.hugeMain(def)...)
		})
		if hit == nil && !sized && !isMerge(n.op) && len(callees) == 0 {
			late = late[:len(late)-1]
		}
	}
	s.readVariables()
	for _, f := range late {
		f()
	}
	return nil
}

// readVariables finds the variables of the main graph to which a single node assigns. TensorFlow 2
// passes the paths of assets through such variables, and reading one gives what was assigned. A
// variable may have several handles.
func (s *scanner) readVariables() {
	// By variable. Several entries mean that several nodes may assign to it.
	assigned := map[string][]string{}
	for _, n := range s.main {
		for i, in := range n.inputs {
			v := s.main[graph.NodeOf(in)]
			if v == nil || v.variable == "" || in[0] == '^' {
				continue
			}
			switch {
			case n.op == "ReadVariableOp" || n.op == "VarIsInitializedOp":
			case n.op == "AssignVariableOp" && i == 0 && len(n.inputs) > 1:
				assigned[v.variable] = append(assigned[v.variable], n.inputs[1])
			default:
				assigned[v.variable] = append(assigned[v.variable], "", "")
			}
		}
	}
	for _, n := range s.main {
		if n.op != "ReadVariableOp" || len(n.inputs) == 0 {
			continue
		}
		if v := s.main[graph.NodeOf(n.inputs[0])]; v != nil && v.variable != "" && !s.variables[v.variable] {
			if from := assigned[v.variable]; len(from) == 1 {
				n.inputs = append([]string{from[0]}, n.inputs...)
				n.assigned = true
			}
		}
	}
}

// variableName returns the name that identifies a variable in the session: all handles with one
// name are handles of one variable. It returns "" for a variable that each run makes anew.
func variableName(def *nodepb.NodeDef) string {
	const anonymous = "cd2c89b7-88b7-44c8-ad83-06c2a9158347" // ResourceHandle::ANONYMOUS_NAME
	name := string(def.GetAttr()["shared_name"].GetS())
	switch name {
	case anonymous:
		return ""
	case "":
		name = def.GetName()
	}
	return string(def.GetAttr()["container"].GetS()) + "\x00" + name
}

// mainOrigin returns what a node of the main graph is as the source of a path, if loaders do not
// feed it.
func (s *scanner) mainOrigin(def *nodepb.NodeDef) scanOrigin {
	switch op := def.GetOp(); {
	case op == "Const":
		return constOrigin(def)
	case strings.HasPrefix(op, "Placeholder"):
		return scanOrigin{kind: fromInput, value: s.inputName(def.GetName())}
	}
	return scanOrigin{}
}

// inputName returns the signature's name for a placeholder, or the placeholder's own.
func (s *scanner) inputName(node string) string {
	if s.inputNames == nil {
		s.inputNames = map[string]string{}
		// Backwards, so that the first signature's name is kept.
		for _, signature := range slices.Backward(s.mg.SignatureNames()) {
			for name, in := range s.mg.Signatures[signature].Inputs {
				s.inputNames[graph.NodeOf(in.Tensor)] = name
			}
		}
	}
	if name, ok := s.inputNames[node]; ok {
		return name
	}
	return node
}

func constOrigin(def *nodepb.NodeDef) scanOrigin {
	values, ok := admit.Strings(def)
	if !ok || len(values) != 1 {
		return scanOrigin{}
	}
	return scanOrigin{kind: fromConst, value: values[0]}
}

// followMain follows a tensor of the main graph back through identities. The result is kept for
// every tensor on the way.
func (s *scanner) followMain(input string) scanOrigin {
	var way []string
	origin := scanOrigin{}
	for tensor := graph.OutputOf(input); ; {
		known, ok := s.followed[tensor]
		if ok { // also in a circle, whose tensors have no origin yet
			origin = known
			break
		}
		s.followed[tensor] = scanOrigin{}
		way = append(way, tensor)
		next, found := s.before(tensor)
		if next == "" {
			origin = found
			break
		}
		tensor = next
	}
	for _, tensor := range way {
		s.followed[tensor] = origin
	}
	return origin
}

// before goes one step back from a tensor of the main graph. It returns the tensor that is passed
// on, or "" and where the tensor comes from.
func (s *scanner) before(tensor string) (next string, origin scanOrigin) {
	if file, ok := s.assets[tensor]; ok {
		return "", scanOrigin{kind: fromAsset, value: file}
	}
	if tensor == s.saver {
		return "", scanOrigin{kind: fromSaver}
	}
	name, output, _ := strings.Cut(tensor, ":")
	n := s.main[name]
	i, err := strconv.Atoi(output)
	switch {
	case n == nil || err != nil || i < 0:
		return "", scanOrigin{}
	case n.op == "IdentityN" && i < len(n.inputs):
	case i > 0:
		return "", scanOrigin{}
	case n.op != "Identity" && !n.assigned || len(n.inputs) == 0:
		return "", n.origin
	}
	return graph.OutputOf(n.inputs[i]), scanOrigin{}
}

// readFunction reads the nodes of a function.
func (s *scanner) readFunction(f *graph.Function) {
	body := &scanBody{template: len(f.Def.GetSignature().GetAttr()) > 0}
	s.order = append(s.order, f.Name)
	s.functions[f.Name] = body
	graph.EachFunction(f.Def.GetAttr(), func(callee string) {
		if callee != "" {
			body.calls = append(body.calls, &scanCall{callee: callee})
		}
	})
	if gradient := s.gradients[f.Name]; gradient != "" {
		body.calls = append(body.calls, &scanCall{callee: gradient})
	}
	if api := string(f.Def.GetAttr()["api_implements"].GetS()); api != "" {
		s.implement[api] = append(s.implement[api], f.Name)
	}
	known := map[*graph.Node]scanOrigin{}
	for _, n := range f.Nodes {
		body.huge = append(append(body.huge, hugeInside(n)...), s.crowded(n.Def)...)
		if n.Op == "VarHandleOp" {
			s.variables[variableName(n.Def)] = true
		}
		callees, hit := s.look(n.Def)
		if len(callees) == 0 && hit == nil {
			continue
		}
		args := make([]scanOrigin, len(n.Inputs))
		for i, in := range n.Inputs {
			args[i] = followFunction(f, in, known)
		}
		for _, callee := range callees {
			body.calls = append(body.calls, &scanCall{n.Name, callee, passed(n.Op, callee, args)})
		}
		if hit != nil {
			hit.follow(args)
			body.hits = append(body.hits, *hit)
		}
	}
}

// followFunction follows a tensor back through the identities of a function's body. known holds
// results of earlier calls.
func followFunction(f *graph.Function, r graph.Ref, known map[*graph.Node]scanOrigin) scanOrigin {
	var way []*graph.Node
	origin := scanOrigin{}
	for {
		if arg, ok := r.IsArg(); ok {
			origin = scanOrigin{kind: fromArg, arg: arg}
			break
		}
		if r.Node == nil || r.Out != 0 {
			break
		}
		if r.Node.Op == "Const" {
			origin = constOrigin(r.Node.Def)
			break
		}
		if r.Node.Op != "Identity" || len(r.Node.Inputs) == 0 {
			break
		}
		if from, ok := known[r.Node]; ok { // also in a circle
			origin = from
			break
		}
		known[r.Node] = scanOrigin{}
		way = append(way, r.Node)
		r = r.Node.Inputs[0]
	}
	for _, n := range way {
		known[n] = origin
	}
	return origin
}

// look returns the functions that a node names in its attributes, and the hit if the node does more
// than compute, or nil.
func (s *scanner) look(def *nodepb.NodeDef) (callees []string, hit *scanHit) {
	add := func(name string) {
		if name != "" {
			callees = append(callees, name)
		}
	}
	graph.EachFunction(def.GetAttr(), add)
	op := def.GetOp()
	known, isFunction := ops.Of(op), s.mg.Graph().HasFunction(op)
	if isFunction { // called by its name, as in TensorFlow 1
		add(op)
	}
	slices.Sort(callees)
	callees = slices.Compact(callees)
	fault := admit.Fault(def)
	if fault == "" && (isFunction || known != nil && (known.Pure() || known.Attr != "" && admit.HarmlessAttr(known, def))) {
		return callees, nil
	}
	hit = &scanHit{op: op, node: def.GetName(), known: known, fault: fault}
	if known != nil && known.Attr != "" {
		hit.attr = string(def.GetAttr()[known.Attr].GetS())
	}
	return callees, hit
}

// passed returns the origins of a called function's arguments, for ops that pass on their own
// inputs.
func passed(op, callee string, args []scanOrigin) []scanOrigin {
	switch op {
	case "PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", callee:
		return args
	case "If", "StatelessIf", "Case", "StatelessCase": // the first input chooses the branch
		return args[min(1, len(args)):]
	}
	return nil
}

// follow notes the origin of the operation's path.
func (h *scanHit) follow(args []scanOrigin) {
	if h.known != nil && h.known.Path >= 0 && h.known.Path < len(args) {
		h.path = args[h.known.Path]
	}
}

// trace follows the origin of a path through the callers of the function. Where it stops at a
// bound, one of the origins is that the graph computes the path.
func (s *scanner) trace(function string, from scanOrigin) []scanOrigin {
	start := functionTensor{function, from}
	if found, ok := s.traces[start]; ok {
		return found
	}
	var found []scanOrigin
	seen := map[functionTensor]bool{start: true}
	add := func(o scanOrigin) {
		if !slices.Contains(found, o) {
			found = append(found, o)
		}
	}
	for todo := []functionTensor{start}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.origin.kind != fromArg {
			add(p.origin)
			continue
		}
		for _, c := range s.callers[p.function] {
			if s.traced++; s.traced > maxTraced || len(found) >= maxOrigins || len(seen) > 64*maxOrigins {
				add(scanOrigin{})
				todo = nil
				break
			}
			next := functionTensor{c.function, scanOrigin{}}
			if p.origin.arg < len(c.call.args) {
				next.origin = c.call.args[p.origin.arg]
			}
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	s.traces[start] = found
	return found
}

// hugeMain finds what is huge or broken in the main graph by what a node's inputs are.
func (s *scanner) hugeMain(def *nodepb.NodeDef) (huge []scanHuge) {
	if isMerge(def.GetOp()) {
		var from []string
		for _, in := range s.main[def.GetName()].inputs {
			if in == "" || in[0] == '^' {
				continue
			}
			op := ""
			if n := s.main[graph.NodeOf(in)]; n != nil {
				op = n.op
			}
			from = append(from, op)
		}
		if detail := brokenMerge(from); detail != "" {
			return []scanHuge{{kind: BrokenNode, node: def.GetName(), detail: detail}}
		}
	}
	at, ok := sizedBy[def.GetOp()]
	if !ok || at >= len(def.GetInput()) {
		return nil
	}
	name := graph.NodeOf(def.GetInput()[at])
	for range graph.MaxUnwrap {
		n := s.main[name]
		switch {
		case n == nil:
			return nil
		case n.sizes != "":
			return []scanHuge{{kind: HugeTensor, node: def.GetName(), detail: n.sizes}}
		case n.op != "Identity" || len(n.inputs) == 0:
			return nil
		}
		name = graph.NodeOf(n.inputs[0])
	}
	return nil
}
