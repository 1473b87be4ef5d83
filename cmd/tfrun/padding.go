package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// apply turns the flags into options for the signature.
func (p paddingOptions) apply(o *runner.PredictOptions, sig *savedmodel.Signature) error {
	o.Pad, o.PadTo, o.PaddedShapes = map[string]tensor.Tensor{}, map[string]int64{}, map[string]dataset.Dims{}
	for _, s := range p.pad {
		name, value, err := split2("pad", s)
		if err != nil {
			return err
		}
		in, ok := sig.Inputs[name]
		if !ok {
			return &runner.NameError{Kind: "input", Name: name, Have: sig.InputNames()}
		}
		if o.Pad[name], err = scalar(in.DType, value); err != nil {
			return usagef("tfrun predict", "--pad %q: want a value of type %s", s, in.DType)
		}
	}
	for _, s := range p.padTo {
		name, value, err := split2("pad-to", s)
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return usagef("tfrun predict", "--pad-to %q: want INPUT=N with a number of entries", s)
		}
		o.PadTo[name] = n
	}
	for _, s := range p.paddedShape {
		name, value, err := split2("padded-shape", s)
		if err != nil {
			return err
		}
		if o.PaddedShapes[name], err = paddedShape(value); err != nil {
			return usagef("tfrun predict", "--padded-shape %q: want INPUT=[N,null] with sizes, and null for the longest row's", s)
		}
	}
	return nil
}

// scalar reads a value of a dtype as a row of JSON has it; a text may stand without quotes.
func scalar(dtype tensor.DType, value string) (tensor.Tensor, error) {
	if dtype == tensor.String && !strings.HasPrefix(value, `{"b64"`) {
		quoted, err := json.Marshal(value)
		if err != nil {
			return tensor.Tensor{}, err
		}
		value = string(quoted)
	}
	rows, err := dataset.JSONL(strings.NewReader(value), dataset.TensorSpec(dtype)).Collect(context.Background())
	if err != nil {
		return tensor.Tensor{}, err
	}
	if len(rows) != 1 {
		return tensor.Tensor{}, strconv.ErrSyntax
	}
	return rows[0].Tensors[0], nil
}

// paddedShape reads [5,null]. -1 means null, as in tf.data.
func paddedShape(value string) (dataset.Dims, error) {
	var sizes []*int64
	if err := json.Unmarshal([]byte(value), &sizes); err != nil || sizes == nil {
		return nil, strconv.ErrSyntax
	}
	dims := dataset.Dims{}
	for _, n := range sizes {
		switch {
		case n == nil || *n == -1:
			dims = append(dims, dataset.None)
		case *n < 0:
			return nil, strconv.ErrRange
		default:
			dims = append(dims, *n)
		}
	}
	return dims, nil
}
