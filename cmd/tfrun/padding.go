package main

import (
	"cmp"
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
	if err := p.sequences(&o.Sequences, sig, o.NoBatch); err != nil {
		return err
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

// sequences turns the flags about lengths into options.
func (p paddingOptions) sequences(s *runner.Sequences, sig *savedmodel.Signature, noBatch bool) error {
	s.PadSide, s.Truncate = runner.Side(p.side), runner.Side(p.truncate)
	if p.keras {
		s.PadSide, s.Truncate = cmp.Or(s.PadSide, runner.Pre), cmp.Or(s.Truncate, runner.Pre)
	}
	s.MaxLen, s.Lengths, s.Masks, s.Set = map[string]int64{}, map[string]string{}, map[string]string{}, map[string]tensor.Tensor{}
	for _, text := range p.maxLen {
		name, number, named := strings.Cut(text, "=")
		if !named {
			name, number = "", text
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 1 {
			return usagef("tfrun predict", "--max-len %q: want N, or INPUT=N, with a number of steps", text)
		}
		s.MaxLen[name] = n
	}
	for _, list := range []struct {
		typed []string
		to    map[string]string
	}{{p.length, s.Lengths}, {p.mask, s.Masks}} {
		for _, text := range list.typed {
			name, of, _ := strings.Cut(text, "=")
			list.to[name] = of
		}
	}
	for _, text := range p.sets {
		name, value, err := split2("set", text)
		if err != nil {
			return err
		}
		in, ok := sig.Inputs[name]
		if !ok {
			return &runner.NameError{Kind: "input", Name: name, Have: sig.InputNames()}
		}
		shape, whose := in.Shape, ""
		if !noBatch && shape.Rank() > 0 && shape.Dim(0) == tensor.Unknown {
			shape, whose = shape.Drop(1), ", which each row gets"
		}
		if s.Set[name], err = constantOf(in.DType, shape, value); err != nil {
			return usagef("tfrun predict", "--set %q: want a value of %s %s, as JSON%s", text, in.DType, shape, whose)
		}
	}
	return nil
}

// constantOf reads a value of a dtype and a shape as a row of JSON has it; a text may stand without
// quotes, and numbers and truth as Python writes them.
func constantOf(dtype tensor.DType, shape tensor.Shape, value string) (tensor.Tensor, error) {
	switch word := strings.ToLower(value); {
	case dtype == tensor.String && (shape.Rank() == 0 || !strings.HasPrefix(value, "[")):
		if !strings.HasPrefix(value, `{"b64"`) {
			value = string(dataset.AppendJSONString(nil, value))
		}
	case word == "nan":
		value = "NaN"
	case word == "inf" || word == "infinity":
		value = "Infinity"
	case word == "-inf" || word == "-infinity":
		value = "-Infinity"
	case word == "true" || word == "false":
		value = word
	}
	rows, err := dataset.JSONL(strings.NewReader(value), dataset.Leaf(dataset.Component{DType: dtype, Shape: shape})).Collect(context.Background())
	if err != nil {
		return tensor.Tensor{}, err
	}
	if len(rows) != 1 {
		return tensor.Tensor{}, strconv.ErrSyntax
	}
	return rows[0].Tensors[0], nil
}

// scalar reads one value of a dtype; see [constantOf].
func scalar(dtype tensor.DType, value string) (tensor.Tensor, error) {
	return constantOf(dtype, tensor.MakeShape(), value)
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
