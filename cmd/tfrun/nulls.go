package main

import (
	"maps"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// nullValues reads --null: values for inputs of the signature, and for features that the signature
// parses out of tf.Examples.
func (o *predictOptions) nullValues(graph *savedmodel.MetaGraph, sig *savedmodel.Signature, source *job.Source) error {
	source.Nulls = dataset.Nulls{}
	features := map[string]tensor.DType{}
	if len(o.nulls) > 0 && len(sig.Inputs) == 1 {
		list, err := graph.ExampleFeatures(sig)
		if err != nil {
			return err
		}
		for _, f := range list {
			features[f.Name] = f.DType
		}
	}
	for _, s := range o.nulls {
		name, value, err := split2("null", s)
		if err != nil {
			return err
		}
		in, ok := sig.Inputs[name]
		feature, isFeature := features[name]
		if !ok && isFeature {
			in.DType = feature
		} else if !ok {
			have := append(sig.InputNames(), slices.Sorted(maps.Keys(features))...)
			return &runner.NameError{Kind: "input", Name: name, Have: have}
		}
		if in.Encoding != savedmodel.Dense && in.Ragged == nil {
			return usagef("tfrun predict", "--null %q: a sparse input has no values that are missing", s)
		}
		dtype := in.DType
		if in.Ragged != nil {
			dtype = in.Ragged.DType
		}
		if source.Encoder != nil && (source.Text == "" || source.Columns[name] == source.Text || source.Text == name || len(sig.Inputs) == 1) {
			dtype = tensor.String // text that will be encoded
		}
		if source.Nulls[name], err = scalar(dtype, value); err != nil {
			return usagef("tfrun predict", "--null %q: want a value of type %s", s, dtype)
		}
	}
	return nil
}
