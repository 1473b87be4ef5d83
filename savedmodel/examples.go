package savedmodel

import (
	"maps"
	"slices"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// ExampleFeature is a feature that a signature parses out of serialized tf.Examples.
type ExampleFeature struct {
	Name  string
	Kind  FeatureKind
	DType tensor.DType // float32, int64 or string: what a tf.Example can hold
	// Shape is that of the value in one example. Its first size is unknown where an example may
	// hold a list of any length: for a sparse or ragged feature, and for a dense one that is padded
	// to the longest (tf.io.FixedLenSequenceFeature).
	Shape tensor.Shape
	// Required says that the parse op has no default for an example without the feature, and fails.
	Required bool
}

// FeatureKind says what a parse op makes of a feature.
type FeatureKind string

// The kinds of features, with the Python class that declares them.
const (
	DenseFeature  FeatureKind = "dense"  // tf.io.FixedLenFeature, tf.io.FixedLenSequenceFeature
	SparseFeature FeatureKind = "sparse" // tf.io.VarLenFeature, tf.io.SparseFeature
	RaggedFeature FeatureKind = "ragged" // tf.io.RaggedFeature
)

// ExampleFeatures lists the features, by their names, that the signature parses out of its only
// input, a string tensor of serialized tf.Examples: signatures to classify and regress, and any
// other that hands its input to a ParseExample op. The list is empty for other signatures.
func (mg *MetaGraph) ExampleFeatures(sig *Signature) ([]ExampleFeature, error) {
	flow, parsers, err := mg.parsers(sig)
	if err != nil {
		return nil, err
	}
	features := map[string]ExampleFeature{}
	for _, p := range parsers {
		for _, x := range readFeatures(flow, p.F, p.Ref.Node) {
			features[x.Name] = x
		}
	}
	list := make([]ExampleFeature, 0, len(features))
	for _, name := range slices.Sorted(maps.Keys(features)) {
		list = append(list, features[name])
	}
	return list, nil
}

// TakesRecords reports whether the signature's only input is a string tensor of serialized
// tf.Examples or tf.SequenceExamples: what the records of a TFRecord file hold.
func (mg *MetaGraph) TakesRecords(sig *Signature) (bool, error) {
	_, parsers, err := mg.parsers(sig)
	return len(parsers) > 0, err
}

// parsers finds the operations that parse the signature's only input.
func (mg *MetaGraph) parsers(sig *Signature) (*graph.Flow, []graph.Place, error) {
	var input TensorInfo
	for _, input = range sig.Inputs {
	}
	if len(sig.Inputs) != 1 || input.Encoding != Dense || input.DType != tensor.String {
		return nil, nil, nil
	}
	p, err := mg.graph.Reach()
	if err != nil {
		return nil, nil, err
	}
	p.Ops = map[string]bool{}
	p.Feed([]string{input.Tensor})
	if err := p.Mark(sig.Tensors(sig.Outputs)); err != nil {
		return nil, nil, err
	}
	parses := false
	for op := range p.Ops {
		parses = parses || parseOps[op]
	}
	if !parses {
		return nil, nil, nil
	}
	flow, err := p.Flow([]string{input.Tensor})
	if err != nil {
		return nil, nil, err
	}
	var found []graph.Place
	for _, f := range flow.All() {
		for _, n := range f.Nodes {
			if !parseOps[n.Op] || len(n.Inputs) == 0 {
				continue
			}
			if _, fed := recordsOrigin(flow, graph.Place{F: f, Ref: n.Inputs[0]}).Ref.IsArg(); fed {
				found = append(found, graph.Place{F: f, Ref: graph.Ref{Node: n}})
			}
		}
	}
	return flow, found, nil
}

// recordsOrigin follows serialized messages back through what hands on some or all of them, each as
// it is: x[:, 0] of a column of records, the gathering of tf.vectorized_map.
func recordsOrigin(flow *graph.Flow, p graph.Place) graph.Place {
	for range 100 {
		p = flow.Origin(p)
		if p.Ref.Node == nil || !picks[p.Ref.Node.Op] || len(p.Ref.Node.Inputs) == 0 {
			break
		}
		p.Ref = p.Ref.Node.Inputs[0]
	}
	return p
}

// picks are the operations whose result is some values of their first input.
var picks = map[string]bool{"StridedSlice": true, "Slice": true, "Gather": true, "GatherV2": true, "GatherNd": true, "Unpack": true}

// parseOps are the operations that parse serialized messages. [readFeatures] reads the features of
// tf.Examples alone, not those of tf.SequenceExamples.
var parseOps = map[string]bool{
	"ParseExample": true, "ParseExampleV2": true, "ParseSingleExample": true,
	"ParseSequenceExample": true, "ParseSequenceExampleV2": true, "ParseSingleSequenceExample": true,
}

// readFeatures reads the specs of a parse op. See tensorflow/core/ops/parsing_ops.cc for the order
// of its inputs.
func readFeatures(d *graph.Flow, f *graph.Function, n *graph.Node) []ExampleFeature {
	var sparse, dense, ragged []string
	attr := n.Def.GetAttr()
	defaults := n.Inputs[1:]
	switch n.Op {
	case "ParseExample": // serialized, names, each sparse key, each dense key, the defaults
		keys := keysOf(d, f, n.Inputs[min(2, len(n.Inputs)):])
		sparse = keys[:min(int(max(attr["Nsparse"].GetI(), 0)), len(keys))]
		dense = keys[len(sparse):min(len(sparse)+int(max(attr["Ndense"].GetI(), 0)), len(keys))]
		defaults = n.Inputs[min(2+len(sparse)+len(dense), len(n.Inputs)):]
	// serialized, names, the sparse, the dense and the ragged keys, the defaults
	case "ParseExampleV2":
		if len(n.Inputs) < 5 {
			return nil
		}
		sparse, dense, ragged = keysOf(d, f, n.Inputs[2:3]), keysOf(d, f, n.Inputs[3:4]), keysOf(d, f, n.Inputs[4:5])
		defaults = n.Inputs[5:]
	case "ParseSingleExample":
		sparse, dense = textsOf(attr["sparse_keys"].GetList().GetS()), textsOf(attr["dense_keys"].GetList().GetS())
	}
	var list []ExampleFeature
	lists := func(kind FeatureKind, names []string, types string) {
		for i, name := range names {
			x := ExampleFeature{Name: name, Kind: kind, Shape: tensor.MakeShape(tensor.Unknown)}
			if t := attr[types].GetList().GetType(); i < len(t) {
				x.DType = graph.DType(t[i])
			}
			list = append(list, x)
		}
	}
	lists(SparseFeature, sparse, "sparse_types")
	lists(RaggedFeature, ragged, "ragged_value_types")
	lists(DenseFeature, dense, "Tdense")
	for i := range dense {
		x := &list[len(list)-len(dense)+i]
		if shapes := attr["dense_shapes"].GetList().GetShape(); i < len(shapes) {
			x.Shape = graph.Shape(shapes[i])
		}
		variable := x.Shape.Rank() > 0 && x.Shape.Dim(0) == tensor.Unknown
		if i < len(defaults) && !variable {
			value := constantOf(d, graph.Place{F: f, Ref: defaults[i]})
			x.Required = value != nil && hasNoValues(value)
		}
	}
	return list
}

// keysOf returns the texts of constants, one after the other.
func keysOf(d *graph.Flow, f *graph.Function, inputs []graph.Ref) []string {
	var keys []string
	for _, in := range inputs {
		if value := constantOf(d, graph.Place{F: f, Ref: in}); value != nil {
			keys = append(keys, textsOf(value.GetAttr()["value"].GetTensor().GetStringVal())...)
		}
	}
	return keys
}

// constantOf returns the constant that a tensor is, or nil.
func constantOf(d *graph.Flow, p graph.Place) *nodepb.NodeDef {
	if n := d.Origin(p).Ref.Node; n != nil && n.Op == "Const" {
		return n.Def
	}
	return nil
}

// hasNoValues reports whether a constant is empty, which is how a parse op is told that there is no
// default.
func hasNoValues(def *nodepb.NodeDef) bool {
	for _, dim := range def.GetAttr()["value"].GetTensor().GetTensorShape().GetDim() {
		if dim.GetSize() == 0 {
			return true
		}
	}
	return false
}

func textsOf(values [][]byte) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = strings.Clone(string(v))
	}
	return list
}
