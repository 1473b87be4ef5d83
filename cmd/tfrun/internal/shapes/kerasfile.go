package shapes

import (
	"context"
	"slices"

	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// DescribeFile makes the document of a model in one of Keras' own files. An error is a
// *[sizes.SizeError] if sizes do not fit.
func DescribeFile(m *kerasfile.Model, sel Selection) (*Document, error) {
	table, err := m.Layers()
	if err != nil {
		return nil, err
	}
	g := &Graph{
		Tags: []string{}, KerasVersion: m.KerasVersion, Framework: m.Framework, Signatures: map[string]*Signature{},
		Inputs: describePorts(table, table.Takes), Outputs: describePorts(table, table.Gives), Axes: describeAxes(sizes.TableAxes(table)), File: m.Kind,
	}
	g.describeTable(table, sel)
	d := &Document{Model: m.Path, MetaGraphs: []*Graph{g}}
	if sel.At == nil {
		return d, nil
	}
	inputs, err := sizes.PutTable(table, *sel.At)
	if err != nil {
		return nil, err
	}
	if err := sizes.RefusedTable(table, inputs); err != nil {
		return nil, err
	}
	g.At = &At{Inputs: inputs, Exact: true}
	for name, t := range g.Inputs {
		t.setShape(inputs[name])
	}
	for i, shape := range table.GivesAt(inputs) {
		g.Outputs[table.Gives[i].Name].setShape(shape)
	}
	g.putLayers(table, inputs)
	return d, nil
}

// describePorts returns the tensors of a model's inputs or outputs, with the reasons of their
// layers if these have one output.
func describePorts(table *layers.Table, ports []layers.Port) map[string]*Tensor {
	all := map[string]*Tensor{}
	for _, p := range ports {
		t := &Tensor{DType: p.DType, Shape: p.Shape}
		i := slices.IndexFunc(table.Layers, func(l *layers.Layer) bool { return l.Name == p.Name })
		if i >= 0 && len(table.Layers[i].Output.Shapes) == 1 && p.Shape.Ranked() {
			t.Why = table.Layers[i].Why[:p.Shape.Rank()]
		}
		all[p.Name] = t
	}
	return all
}

// ListFileVariables lists the arrays in one of Keras' own files, with stats also statistics of
// their values.
func ListFileVariables(ctx context.Context, m *kerasfile.Model, stats bool) (*Variables, error) {
	v := &Variables{Model: m.Path, Shards: 1, Variables: []Variable{}}
	list, err := m.Variables()
	if err != nil {
		return nil, err
	}
	for _, w := range list {
		x := Variable{Name: w.Name, Key: w.Key, DType: w.DType, Shape: w.Shape, Bytes: w.Bytes}
		v.Bytes += x.Bytes
		if stats && isNumber(w.DType) {
			sum, err := m.Stats(ctx, w)
			if err != nil {
				return nil, err
			}
			x.Stats = newStats(sum)
		}
		v.Variables = append(v.Variables, x)
	}
	return v, nil
}
