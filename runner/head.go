package runner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// Head is what is computed from an output of logits, inside the graph, before it is fetched. It
// works on the output's last axis.
type Head struct {
	// Output is the output's name; "" is the only one.
	Output string
	// Activation is "softmax", "sigmoid" or "".
	Activation string
	// ArgMax asks for the number of the largest entry, an int64. The output keeps its name.
	ArgMax bool
	// TopK, if not 0, asks for the K largest entries: OUTPUT_scores holds them, largest first, and
	// OUTPUT_indices (int32) says where they were.
	TopK int
	// Labels name the entries: ArgMax then gives a string, and TopK has OUTPUT_labels in place of
	// OUTPUT_indices.
	Labels []string
}

// ParseHead reads [OUTPUT=]HEAD, where HEAD is softmax, sigmoid, argmax or topk=K, or an activation
// and one of the latter two: softmax,topk=3.
func ParseHead(s string) (Head, error) {
	bad := &OptionError{Option: "Head", Msg: fmt.Sprintf("%q: want softmax, sigmoid, argmax, topk=K, or softmax,topk=K; OUTPUT=… where there are several", s)}
	var h Head
	spec := s
	if name, rest, ok := strings.Cut(s, "="); ok && !strings.HasSuffix(name, "topk") {
		h.Output, spec = name, rest
	}
	for _, word := range strings.Split(spec, ",") {
		k, isTopK := strings.CutPrefix(word, "topk=")
		switch {
		case isTopK && h.TopK == 0 && !h.ArgMax:
			n, err := strconv.Atoi(k)
			if err != nil || n < 1 {
				return h, bad
			}
			h.TopK = n
		case word == "argmax" && h.TopK == 0 && !h.ArgMax:
			h.ArgMax = true
		case (word == "softmax" || word == "sigmoid") && h.Activation == "" && h.TopK == 0 && !h.ArgMax:
			h.Activation = word
		default:
			return h, bad
		}
	}
	return h, nil
}

// addHeads puts heads in the place of the outputs that they work on.
func (f *Function) addHeads(heads []Head) error {
	for _, h := range heads {
		i, err := f.headOutput(h)
		if err != nil {
			return err
		}
		out := f.outputs[i]
		if !out.DType.IsFloat() || out.Shape.Rank() == 0 {
			return &OptionError{Option: "Head", Msg: fmt.Sprintf("output %q is %s %s: want numbers with an axis of classes", out.Name, out.DType, out.Shape)}
		}
		if err := h.checkClasses(out); err != nil {
			return err
		}
		added, err := f.session.engine.AddHead(out.Tensor, tf.Head{Activation: h.Activation, ArgMax: h.ArgMax, TopK: h.TopK})
		if err != nil {
			return fmt.Errorf("head of output %q: %w", out.Name, err)
		}
		list := make([]Endpoint, len(added))
		for k, t := range added {
			name := out.Name + t.Suffix
			list[k] = Endpoint{Name: name, Value: name, DType: t.DType, Shape: headShape(out.Shape, h), Tensor: t.Tensor, head: out.from()}
			if t.Label && h.Labels != nil {
				list[k].Labels = h.Labels
				if h.TopK > 0 {
					list[k].Name = out.Name + "_labels"
					list[k].Value = list[k].Name
				}
			}
		}
		f.outputs = slices.Replace(f.outputs, i, i+1, list...)
	}
	return nil
}

// checkClasses makes sure that K and the labels fit the classes, where the signature says how many
// there are.
func (h Head) checkClasses(out Endpoint) error {
	if !out.Shape.Ranked() {
		return nil
	}
	classes := out.Shape.Dim(out.Shape.Rank() - 1)
	switch {
	case classes == tensor.Unknown:
	case int64(h.TopK) > classes:
		return &OptionError{Option: "Head", Msg: fmt.Sprintf("topk=%d: output %q has %d classes", h.TopK, out.Name, classes)}
	case h.Labels != nil && int64(len(h.Labels)) != classes:
		return &OptionError{Option: "Labels", Msg: fmt.Sprintf("%d labels for the %d classes of output %q: want one label a class, in their order", len(h.Labels), classes, out.Name)}
	}
	return nil
}

// headOutput finds the output that a head works on.
func (f *Function) headOutput(h Head) (int, error) {
	if h.Output == "" {
		if len(f.outputs) == 1 {
			return 0, nil
		}
		return 0, &OptionError{Option: "Head", Msg: "there are several outputs; name one: OUTPUT=softmax, of " + strings.Join(endpointNames(f.outputs), ", ")}
	}
	for i, e := range f.outputs {
		if e.Name == h.Output && e.Role == "" {
			return i, nil
		}
	}
	return 0, &NameError{Kind: "output", Name: h.Output, Have: endpointNames(f.outputs)}
}

// headShape is the shape of a head's tensors.
func headShape(s tensor.Shape, h Head) tensor.Shape {
	dims := s.Dims()
	switch {
	case !s.Ranked():
		return s
	case h.ArgMax:
		return tensor.MakeShape(dims[:len(dims)-1]...)
	case h.TopK > 0:
		dims[len(dims)-1] = int64(h.TopK)
		return tensor.MakeShape(dims...)
	}
	return s
}

// labelled puts names in the place of numbers.
func labelled(t tensor.Tensor, labels []string) (tensor.Tensor, error) {
	names := make([]string, t.Len())
	name := func(i int, n int64) error {
		if n < 0 || n >= int64(len(labels)) {
			return fmt.Errorf("entry %d has no label: there are %d", n, len(labels))
		}
		names[i] = labels[n]
		return nil
	}
	wide, _ := tensor.Values[int64](t)
	narrow, _ := tensor.Values[int32](t)
	for i := range names {
		n := int64(0)
		if wide != nil {
			n = wide[i]
		} else {
			n = int64(narrow[i])
		}
		if err := name(i, n); err != nil {
			return t, err
		}
	}
	return tensor.FromSlice(names, t.Dims()...)
}
