package layers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
)

// formula writes a layer's number of parameters as what it is made of: "66,048 = 2 × 4 × ((64 + 64)
// × 64 + 64)". It is "" for a layer without.
func formula(l *Layer) string {
	if len(l.Weights) == 0 {
		return ""
	}
	f := &formulaWriter{l: l}
	text, n := "", int64(0)
	switch l.Class {
	case "LSTM", "GRU", "SimpleRNN":
		text, n = f.recurrent(l.Weights)
	case "Bidirectional":
		text, n = f.bidirectional()
	case "BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "Normalization":
		text, n = f.alike()
	}
	if text == "" || n != l.Params {
		text, n = f.products(l.Weights)
	}
	if text == "" || n != l.Params {
		return "parameters: " + words.Thousands(l.Params)
	}
	if text == words.Thousands(n) {
		return fmt.Sprintf("parameters: %s%s", text, f.note)
	}
	return fmt.Sprintf("parameters: %s = %s%s", words.Thousands(n), text, f.note)
}

type formulaWriter struct {
	l    *Layer
	note string // what the terms are
}

// short returns the last component of a variable's path, without the number that TensorFlow 1 puts
// behind a colon.
func short(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	name, _, _ = strings.Cut(name, ":")
	return name
}

// find returns the first weight of the given name.
func find(weights []Weight, name string) *Weight {
	for i := range weights {
		if short(weights[i].Name) == name {
			return &weights[i]
		}
	}
	return nil
}

// recurrent writes gates × ((inputs + units) × units + bias).
func (f *formulaWriter) recurrent(weights []Weight) (string, int64) {
	kernel, rec := find(weights, "kernel"), find(weights, "recurrent_kernel")
	if kernel == nil || rec == nil || kernel.Shape.Rank() != 2 || rec.Shape.Rank() != 2 {
		return "", 0
	}
	in, units := kernel.Shape.Dim(0), rec.Shape.Dim(0)
	if units == 0 || rec.Shape.Dim(1)%units != 0 {
		return "", 0
	}
	g := rec.Shape.Dim(1) / units
	inner, sum := fmt.Sprintf("(%s + %s) × %s", words.Thousands(in), words.Thousands(units), words.Thousands(units)), (in+units)*units
	what := "(inputs + units) × units"
	switch bias := find(weights, "bias"); {
	case bias == nil:
	// GRU with reset_after has one bias for the inputs and one for the state
	case bias.Shape.Rank() == 2:
		inner, sum, what = inner+fmt.Sprintf(" + 2 × %s", words.Thousands(units)), sum+2*units, what+" + two biases"
	default:
		inner, sum, what = inner+" + "+words.Thousands(units), sum+units, what+" + bias"
	}
	f.note = ": " + what
	if g == 1 {
		return inner, sum
	}
	f.note = fmt.Sprintf(": %d gates × (%s)", g, what)
	return fmt.Sprintf("%d × (%s)", g, inner), g * sum
}

// bidirectional writes both directions, as 2 × one where they are alike.
func (f *formulaWriter) bidirectional() (string, int64) {
	var forward, backward []Weight
	for _, w := range f.l.Weights {
		if strings.Contains(w.Name, "/backward_") || strings.HasPrefix(w.Name, "backward_") {
			backward = append(backward, w)
		} else {
			forward = append(forward, w)
		}
	}
	text, n := f.recurrent(forward)
	note := f.note
	other, m := f.recurrent(backward)
	switch {
	case text == "" || other == "":
		return "", 0
	case text == other:
		note = strings.TrimPrefix(note, ": ")
		if !strings.HasSuffix(note, ")") {
			note = "(" + note + ")" // one gate
		}
		f.note = ": 2 directions × " + note
		if !strings.HasSuffix(text, "))") && !strings.Contains(text, "× (") || strings.HasPrefix(text, "(") {
			text = "(" + text + ")"
		}
		return "2 × " + text, 2 * n
	}
	f.note = ": forward + backward"
	return text + " + " + other, n + m
}

// alike writes weights of one shape as their number times its size.
func (f *formulaWriter) alike() (string, int64) {
	var names []string
	for i, w := range f.l.Weights {
		if i > 0 && !w.Shape.Equal(f.l.Weights[0].Shape) {
			return "", 0
		}
		names = append(names, strings.ReplaceAll(short(w.Name), "_", " "))
	}
	n, _ := f.l.Weights[0].Shape.NumElements()
	f.note = ": " + strings.Join(names, ", ")
	if len(names) == 1 {
		return words.Product(f.l.Weights[0].Shape.Dims()), n
	}
	text := words.Product(f.l.Weights[0].Shape.Dims())
	return fmt.Sprintf("%d × %s", len(names), text), n * int64(len(names))
}

// maxTerms bounds how many weights a formula lists.
const maxTerms = 8

// products writes the sum of the weights' sizes.
func (f *formulaWriter) products(weights []Weight) (string, int64) {
	if len(weights) > maxTerms {
		return "", 0
	}
	var terms, names []string
	total := int64(0)
	for _, w := range weights {
		n, ok := w.Shape.NumElements()
		if !ok {
			return "", 0
		}
		total += n
		terms = append(terms, words.Product(w.Shape.Dims()))
		names = append(names, strings.ReplaceAll(short(w.Name), "_", " "))
	}
	numbered := strings.Trim(names[0], "0123456789") == "" // by the file
	if sorted := slices.Sorted(slices.Values(names)); len(slices.Compact(sorted)) < len(names) {
		for i, w := range weights { // of layers within
			path := strings.Split(w.Name, "/")
			names[i] = strings.Join(path[max(0, len(path)-2):len(path)-1], "") + " " + names[i]
		}
	}
	if f.note = ": " + strings.Join(names, " + "); numbered {
		f.note = ""
	}
	return strings.Join(terms, " + "), total
}
