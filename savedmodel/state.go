package savedmodel

import (
	"maps"
	"slices"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
)

// State says which operations of a signature make one run differ from the next on the same inputs.
//
// TensorFlow marks an op as stateful (OpDef.is_stateful) when it "depends on some state beyond its input tensors" or has a side effect. Reading a
// variable is such an op, and so is calling a function, so that mark alone says nothing of a model. Told apart here is what a later run sees.
type State struct {
	// Changes are the types of the operations that change what a later run reads, sorted: assignments of variables, insertions into tables, queues,
	// iterators. Runs have to come one after the other, in order, for their answers to be those of the model.
	Changes []string
	// Random are the types of the operations that draw random numbers or read the clock, sorted. Answers differ from run to run, in any order.
	Random []string
}

// Stateful reports whether the order of runs matters.
func (s State) Stateful() bool { return len(s.Changes) > 0 }

// State finds the operations that running the signature reaches, through functions, branches and loops, and that leave something behind. What a loader
// alone runs does not count: restoring variables, filling tables. Neither does what other functions of the model hold, such as the
// moving averages that training a batch normalization updates; nor what is made anew in each run, such as an anonymous table or a tf.TensorArray.
func (mg *MetaGraph) State(sig *Signature) (State, error) {
	g, err := mg.graph()
	if err != nil {
		return State{}, err
	}
	p := &pruner{g: g, nodes: map[string]bool{}, functions: map[string]bool{}, fed: map[string]bool{}}
	for _, name := range sig.tensorNames(sig.Inputs) {
		p.fed[outputOf(name)] = true
	}
	if err := p.mark(sig.tensorNames(sig.Outputs)); err != nil {
		return State{}, mg.damaged("its graph", err)
	}
	f := &stateFinder{mg: mg, changes: map[string]stateHolder{}, random: map[string]bool{}, holders: map[stateHolder]bool{}}
	for name := range p.nodes {
		if err := f.look(g.nodes[name]); err != nil {
			return State{}, mg.damaged("its graph", err)
		}
	}
	for name := range p.functions {
		err := eachField(g.functions[name], func(fd field) error {
			if fd.num != fieldFunctionNodes || fd.typ != protowire.BytesType {
				return nil
			}
			return f.look(fd.data)
		})
		if err != nil {
			return State{}, mg.damaged("function "+name, err)
		}
	}
	return f.state(), nil
}

// tensorNames lists the graph's tensors of inputs or outputs, those of composite values included.
func (s *Signature) tensorNames(infos map[string]TensorInfo) []string {
	var names []string
	for _, t := range infos {
		if t.Tensor != "" {
			names = append(names, t.Tensor)
		}
		for _, c := range t.Components {
			names = append(names, c.Tensor)
		}
	}
	return names
}

// outputOf writes a node's input as the tensor that it is: "n" is "n:0". A control input stays "^n".
func outputOf(input string) string {
	if strings.HasPrefix(input, "^") || strings.Contains(input, ":") {
		return input
	}
	return input + ":0"
}

// stateHolder is what keeps a state between runs. An operation that changes one counts only where the signature reaches one that runs share.
type stateHolder int

const (
	session   stateHolder = iota // kept by the op itself, or by the session: shared always
	variables                    // of resources
	references
	tables
	iterators
)

// stateFinder collects what it sees of a signature's nodes.
type stateFinder struct {
	mg      *MetaGraph
	changes map[string]stateHolder // by op
	random  map[string]bool
	holders map[stateHolder]bool // those that runs share
}

// look takes a serialized NodeDef.
func (f *stateFinder) look(def []byte) error {
	op, err := stringField(def, fieldNodeOp)
	if err != nil {
		return err
	}
	if holder, ok := sharedHolders[op]; ok {
		if op == "VarHandleOp" {
			n := &nodepb.NodeDef{}
			if err := f.mg.unmarshal(def, n, "a node"); err != nil || string(n.GetAttr()["shared_name"].GetS()) == anonymousName {
				return err
			}
		}
		f.holders[holder] = true
	}
	if holder, ok := changes(op); ok {
		f.changes[op] = holder
	}
	if randomOps[op] {
		f.random[op] = true
	}
	return nil
}

// anonymousName is the shared_name of a resource that no other run finds (ResourceHandle::ANONYMOUS_NAME).
const anonymousName = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"

func (f *stateFinder) state() State {
	s := State{Random: slices.Sorted(maps.Keys(f.random))}
	for _, op := range slices.Sorted(maps.Keys(f.changes)) {
		if holder := f.changes[op]; holder == session || f.holders[holder] {
			s.Changes = append(s.Changes, op)
		}
	}
	return s
}

// changes reports whether an op changes what a later run reads, and what holds that.
func changes(op string) (holder stateHolder, ok bool) {
	if holder, ok = stateOps[op]; ok {
		return holder, true
	}
	for _, optimizer := range []struct {
		prefix string
		holder stateHolder
	}{{"ResourceApply", variables}, {"ResourceSparseApply", variables}, {"Apply", references}, {"SparseApply", references}} {
		if strings.HasPrefix(op, optimizer.prefix) {
			return optimizer.holder, true
		}
	}
	return 0, false
}
