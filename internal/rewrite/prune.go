package rewrite

import (
	"maps"
	"slices"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/savedmodel"
	"google.golang.org/protobuf/encoding/protowire"
)

// Pruned is [Reduced] to what the named signatures reach; to what any signature reaches if none is
// named.
func Pruned(mg *savedmodel.MetaGraph, signatures ...string) ([]byte, error) {
	return Reduced(mg, Reduction{Signatures: signatures})
}

// Reduced returns a serialized SavedModel with this graph only, reduced to what a loader and the
// signatures reach. Restoring variables, initializing tables and reading assets work as before.
// Most of a Keras 2 model is left out: every function that was ever traced, and the tree of Python
// objects, which C++ loaders do not read.
//
// None of its kernels is unsafe when runs share it, but for those that [ReducedApart] reports.
func Reduced(mg *savedmodel.MetaGraph, r Reduction) ([]byte, error) {
	data, _, err := ReducedApart(mg, r)
	return data, err
}

// reducedGraph returns the GraphDef of [Reduced] before sums are kept apart, and its nodes' names.
func reducedGraph(mg *savedmodel.MetaGraph, r Reduction) (graph []byte, nodes map[string]bool, err error) {
	g, err := reducedBy(mg, r)
	if err != nil {
		return nil, nil, err
	}
	roots, err := mg.LoaderRoots()
	if err != nil {
		return nil, nil, err
	}
	p := &pruner{g: g, noOptimizer: r.NoOptimizer}
	if p.reach, err = g.Reach(); err != nil {
		return nil, nil, err
	}
	p.reach.CPUOnly = r.CPUOnly
	if p.reach.Without, err = g.Cut(r.Without.Nodes, r.Without.Functions); err != nil {
		return nil, nil, err
	}
	added := &twins{g: g, reach: p.reach, lengths: r.Lengths, noOptimizer: r.NoOptimizer}
	for _, name := range slices.Sorted(maps.Keys(mg.Signatures)) {
		s := mg.Signatures[name]
		if len(r.Signatures) > 0 && !slices.Contains(r.Signatures, name) && !s.InitOp {
			continue
		}
		tensors := append(s.Tensors(s.Inputs), s.Tensors(s.Outputs)...)
		if slices.ContainsFunc(tensors, p.reach.Without.Has) {
			continue
		}
		roots = append(roots, tensors...)
		if r.Exact {
			if err := added.addExact(mg, s); err != nil {
				return nil, nil, err
			}
		}
		if r.Compiled && CheckCompile(mg, s) == nil {
			if err := added.add(s); err != nil {
				return nil, nil, mg.Graph().Damaged("its graph", err)
			}
		}
	}
	filled, err := added.addFills(mg)
	if err != nil {
		return nil, nil, err
	}
	if err := p.reach.Mark(append(roots, filled...)); err != nil {
		return nil, nil, err
	}
	if r.Whole {
		p.reach.MarkAll()
	}
	graph, err = p.graphDef(added)
	if err != nil {
		return nil, nil, mg.Graph().Damaged("its graph", err)
	}
	return graph, p.reach.Nodes, nil
}

// pruner writes the part of a graph that is reached.
type pruner struct {
	g           *graph.Graph
	reach       *graph.Reach
	noOptimizer bool
}

// graphDef writes the GraphDef with the marked nodes and functions, its other fields as they are,
// and the twins that are added. A library in several pieces becomes one.
func (p *pruner) graphDef(added *twins) ([]byte, error) {
	var out, library []byte
	err := wire.EachRaw(p.g.Raw(), func(f wire.Field, raw []byte) error {
		switch {
		case f.Num == graph.FieldNodes && f.Type == protowire.BytesType:
			name, err := wire.String(f.Data, graph.FieldNodeName)
			if err != nil || !p.reach.Nodes[name] {
				return err
			}
			if p.noOptimizer {
				out, err = appendUnoptimized(out, graph.FieldNodes, f.Data)
				return err
			}
		case f.Num == graph.FieldLibrary && f.Type == protowire.BytesType:
			more, err := p.library(f.Data)
			library = append(library, more...)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	out = append(out, added.nodes...)
	return wire.Append(out, graph.FieldLibrary, append(library, added.functions...)), err
}

// library writes the FunctionDefLibrary with the marked functions and their gradients.
func (p *pruner) library(library []byte) ([]byte, error) {
	var out []byte
	err := wire.EachRaw(library, func(f wire.Field, raw []byte) error {
		if f.Type != protowire.BytesType {
			return nil
		}
		switch f.Num {
		case graph.FieldFunctions:
			name, err := graph.FunctionName(f.Data)
			if err != nil || !p.reach.Functions[name] {
				return err
			}
			if p.noOptimizer {
				function, err := unoptimizedFunction(f.Data)
				out = wire.Append(out, graph.FieldFunctions, function)
				return err
			}
		case graph.FieldGradients:
			of, gradient, err := graph.ReadGradient(f.Data)
			if err != nil || !p.reach.Functions[of] || !p.reach.Functions[gradient] {
				return err
			}
		default:
			return nil // gradients that Python has registered
		}
		out = append(out, raw...)
		return nil
	})
	return out, err
}
