package savedmodel

import (
	"maps"
	"slices"
	"strings"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/tensor"
)

// ExampleFeature is a feature that a signature parses out of serialized tf.Examples.
type ExampleFeature struct {
	Name  string
	Kind  FeatureKind
	DType tensor.DType // float32, int64 or string: what a tf.Example can hold
	// Shape is that of one example's value. Its first size is unknown where a list of any length
	// will do: of a sparse and a ragged feature, and of a dense one that is padded to the longest
	// (tf.io.FixedLenSequenceFeature).
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
	var input TensorInfo
	for _, input = range sig.Inputs {
	}
	if len(sig.Inputs) != 1 || input.Encoding != Dense || input.DType != tensor.String {
		return nil, nil
	}
	g, err := mg.graph()
	if err != nil {
		return nil, err
	}
	p := &pruner{g: g, nodes: map[string]bool{}, functions: map[string]bool{}, fed: map[string]bool{outputOf(input.Tensor): true}}
	if err := p.mark(sig.tensorNames(sig.Outputs)); err != nil {
		return nil, mg.damaged("its graph", err)
	}
	parses := false
	if err := p.eachOp(func(op string) { parses = parses || parseOps[op] }); err != nil || !parses {
		return nil, err
	}
	flow, err := mg.dataFlow(p, sig)
	if err != nil {
		return nil, err
	}
	features := map[string]ExampleFeature{}
	for _, f := range flow.all() {
		for _, n := range f.nodes {
			if !parseOps[n.op] || len(n.inputs) == 0 {
				continue
			}
			if _, fed := flow.origin(place{f, n.inputs[0]}).r.isArg(); fed {
				for _, x := range flow.features(f, n) {
					features[x.Name] = x
				}
			}
		}
	}
	list := make([]ExampleFeature, 0, len(features))
	for _, name := range slices.Sorted(maps.Keys(features)) {
		list = append(list, features[name])
	}
	return list, nil
}

var parseOps = map[string]bool{"ParseExample": true, "ParseExampleV2": true, "ParseSingleExample": true}

// origin follows a tensor back through what hands it on unchanged, or in another shape. It stops at
// an operation of another kind, or at an argument of the main graph: what is fed.
func (d *dataFlow) origin(p place) place {
	for range 10_000 {
		if i, isArg := p.r.isArg(); isArg {
			sites := d.callers[p.f.name]
			if p.f == d.main || len(sites) == 0 {
				return p
			}
			first, ok := d.firstArgument(sites[0].n)
			if i += first; !ok || i >= len(sites[0].n.inputs) {
				return place{}
			}
			p = place{sites[0].f, sites[0].n.inputs[i]}
			continue
		}
		n := p.r.node
		if n == nil || !handsOn[n.op] || len(n.inputs) == 0 {
			return p
		}
		p = place{p.f, n.inputs[0]}
	}
	return place{}
}

// handsOn are the ops whose result is their first input, element for element; those of tensor lists
// are how tf.map_fn takes a tensor apart.
var handsOn = map[string]bool{
	"Identity": true, "StopGradient": true, "PlaceholderWithDefault": true, "Reshape": true, "Squeeze": true, "ExpandDims": true,
	"TensorListFromTensor": true, "TensorListGetItem": true,
}

// features reads the specs of a parse op. See tensorflow/core/ops/parsing_ops.cc for the order of
// its inputs.
func (d *dataFlow) features(f *function, n *node) []ExampleFeature {
	var sparse, dense, ragged []string
	attr := n.def.GetAttr()
	defaults := n.inputs[1:]
	switch n.op {
	case "ParseExample": // serialized, names, each sparse key, each dense key, the defaults
		keys := d.keys(f, n.inputs[min(2, len(n.inputs)):])
		sparse = keys[:min(int(max(attr["Nsparse"].GetI(), 0)), len(keys))]
		dense = keys[len(sparse):min(len(sparse)+int(max(attr["Ndense"].GetI(), 0)), len(keys))]
		defaults = n.inputs[min(2+len(sparse)+len(dense), len(n.inputs)):]
	// serialized, names, the sparse, the dense and the ragged keys, the defaults
	case "ParseExampleV2":
		if len(n.inputs) < 5 {
			return nil
		}
		sparse, dense, ragged = d.keys(f, n.inputs[2:3]), d.keys(f, n.inputs[3:4]), d.keys(f, n.inputs[4:5])
		defaults = n.inputs[5:]
	default:
		sparse, dense = textsOf(attr["sparse_keys"].GetList().GetS()), textsOf(attr["dense_keys"].GetList().GetS())
	}
	var list []ExampleFeature
	lists := func(kind FeatureKind, names []string, types string) {
		for i, name := range names {
			x := ExampleFeature{Name: name, Kind: kind, Shape: tensor.MakeShape(tensor.Unknown)}
			if t := attr[types].GetList().GetType(); i < len(t) {
				x.DType = newDType(t[i])
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
			x.Shape = newShape(shapes[i])
		}
		variable := x.Shape.Rank() > 0 && x.Shape.Dim(0) == tensor.Unknown
		if i < len(defaults) && !variable {
			value := d.constant(place{f, defaults[i]})
			x.Required = value != nil && hasNoValues(value)
		}
	}
	return list
}

// keys returns the texts of constants, one after the other.
func (d *dataFlow) keys(f *function, inputs []ref) []string {
	var keys []string
	for _, in := range inputs {
		if value := d.constant(place{f, in}); value != nil {
			keys = append(keys, textsOf(value.GetAttr()["value"].GetTensor().GetStringVal())...)
		}
	}
	return keys
}

// constant returns the constant that a tensor is, or nil.
func (d *dataFlow) constant(p place) *nodepb.NodeDef {
	if n := d.origin(p).r.node; n != nil && n.op == "Const" {
		return n.def
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
