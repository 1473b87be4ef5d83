package scan

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
)

// reachAll works out what each signature and the loader reach.
func (s *scanner) reachAll() error {
	s.labels, s.mainLabels = map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, name := range s.mg.SignatureNames() {
		var roots []string
		sig := s.mg.Signatures[name]
		for _, infos := range []map[string]savedmodel.TensorInfo{sig.Outputs, sig.Inputs} {
			for _, t := range infos {
				roots = append(roots, t.Tensor)
				for _, c := range t.Components {
					roots = append(roots, c.Tensor)
				}
			}
		}
		s.reach(roots, labelSignature+name)
	}
	saver, err := s.mg.Saver()
	if err != nil {
		return err
	}
	s.reach([]string{saver.GetRestoreOpName()}, labelRestore)
	roots, err := s.mg.LoaderRoots()
	s.reach(slices.DeleteFunc(roots, func(name string) bool { return name == saver.GetRestoreOpName() }), labelInit)
	return err
}

// reach labels the nodes of the main graph that the roots depend on, and the functions that these
// call. It does not recurse.
func (s *scanner) reach(roots []string, label string) {
	var called []string
	for todo := roots; len(todo) > 0; {
		name := graph.NodeOf(todo[len(todo)-1])
		todo = todo[:len(todo)-1]
		n := s.main[name]
		if n == nil || !mark(s.mainLabels, name, label) {
			continue
		}
		todo = append(append(todo, n.inputs...), n.beside...)
		for _, c := range n.calls {
			called = append(called, c.callee)
		}
	}
	for len(called) > 0 {
		name := called[len(called)-1]
		called = called[:len(called)-1]
		f := s.functions[name]
		if f == nil || !mark(s.labels, name, label) {
			continue
		}
		for _, c := range f.calls {
			called = append(called, c.callee)
		}
	}
}

// mark adds a label; false when it is there already.
func mark(labels map[string]map[string]bool, name, label string) bool {
	if labels[name][label] {
		return false
	}
	if labels[name] == nil {
		labels[name] = map[string]bool{}
	}
	labels[name][label] = true
	return true
}

// layer returns the name scope of a node; where it has none, the scope of the node that calls its
// function, and so on outwards.
func (s *scanner) layer(function, node string) string {
	for range 100 {
		if i := strings.LastIndexByte(node, '/'); i > 0 {
			return node[:i]
		}
		callers := s.callers[function]
		if function == "" || len(callers) == 0 {
			return ""
		}
		function, node = callers[0].function, callers[0].call.node
	}
	return ""
}
