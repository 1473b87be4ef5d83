package scan

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
)

// mostReached bounds the nodes, inputs of nodes, and functions that the signatures of a model
// reach, counted once for each signature. A model of a million nodes with three inputs each may
// have four signatures that each reach all of it.
const mostReached = 1 << 24

// mostReached returns this graph's share of the bound.
func (s *scanner) mostReached() int { return mostReached / s.mg.Siblings() }

// reachAll finds what the loader and each signature reach.
func (s *scanner) reachAll() error {
	s.labels, s.mainLabels = map[string]labels{}, map[string]labels{}
	saver, err := s.mg.Saver()
	if err != nil {
		return err
	}
	if err := s.reach([]string{saver.GetRestoreOpName()}, labelRestore); err != nil {
		return err
	}
	roots, err := s.mg.LoaderRoots()
	if err != nil {
		return err
	}
	roots = slices.DeleteFunc(roots, func(name string) bool { return name == saver.GetRestoreOpName() })
	if err := s.reach(roots, labelInit); err != nil {
		return err
	}
	s.signatures = s.mg.SignatureNames()
	for i, name := range s.signatures {
		sig := s.mg.Signatures[name]
		roots := slices.Concat(sig.Tensors(sig.Outputs), sig.Tensors(sig.Inputs))
		if err := s.reach(roots, int32(i)); err != nil { //nolint:gosec // there are 10,000 at most
			return err
		}
	}
	return nil
}

// reach adds a label to the nodes of the main graph that the roots depend on, and to the functions
// that these call. It does not recurse.
func (s *scanner) reach(roots []string, label int32) error {
	var called []string
	for todo := roots; len(todo) > 0; {
		name := graph.NodeOf(todo[len(todo)-1])
		todo = todo[:len(todo)-1]
		n := s.main[name]
		if n == nil || !s.mark(s.mainLabels, name, label) {
			continue
		}
		todo = append(append(todo, n.inputs...), n.beside...)
		s.reached += len(n.inputs) + len(n.beside)
		for _, c := range n.calls {
			called = append(called, c.callee)
		}
	}
	for len(called) > 0 {
		name := called[len(called)-1]
		called = called[:len(called)-1]
		f := s.functions[name]
		if f == nil || !s.mark(s.labels, name, label) {
			continue
		}
		s.reached += len(f.calls)
		for _, c := range f.calls {
			called = append(called, c.callee)
		}
	}
	if s.reached > s.mostReached() {
		return s.mg.TooMuch("its signatures reach more than %d operations, all of them together", s.mostReached())
	}
	return nil
}

// mark adds a label, which must be higher than those before. It returns false if the label is there
// already, or if the bound is reached.
func (s *scanner) mark(of map[string]labels, name string, label int32) bool {
	l := of[name]
	if len(l) > 0 && l[len(l)-1] == label || s.reached > s.mostReached() {
		return false
	}
	s.reached++
	of[name] = append(l, label)
	return true
}

// layer returns the name scope of a node. If the node has none, it is that of the node that calls
// its function, and so on outwards.
func (s *scanner) layer(function, node string) string {
	if scope := scopeOf(node); scope != "" || function == "" {
		return scope
	}
	if layer, known := s.layers[function]; known {
		return layer
	}
	layer, at := "", function
	for range 100 {
		callers := s.callers[at]
		if at == "" || len(callers) == 0 {
			break
		}
		if layer = scopeOf(callers[0].call.node); layer != "" {
			break
		}
		at = callers[0].function
	}
	s.layers[function] = layer
	return layer
}

// scopeOf returns the name scope in a node's name, "" if there is none.
func scopeOf(node string) string {
	return node[:max(strings.LastIndexByte(node, '/'), 0)]
}
