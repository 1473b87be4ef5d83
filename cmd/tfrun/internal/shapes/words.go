package shapes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
)

// size returns a number of bytes for people: "216 B", "2.28 MiB".
func size(n int64) string {
	if n < 1024 && n > -1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if f /= 1024; f < 1023.995 && f > -1023.995 {
			return fmt.Sprintf("%.2f %s", f, unit)
		}
	}
	return fmt.Sprintf("%.2f PiB", f/1024)
}

// clean returns a name from a model in a form that is safe to print: control characters, and those
// that turn the direction of text, become escapes.
func clean(s string) string {
	s = strings.ToValidUTF8(s, string(unicode.ReplacementChar))
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool {
	return !unicode.IsPrint(r)
}

// orUnknown returns the string, or a sign for a string that the files do not hold.
func orUnknown(s *string) string {
	if s == nil {
		return "?"
	}
	return clean(*s)
}

// guessed reports whether a field of the row is likely instead of known.
func (l *Layer) guessed(field string) bool {
	for _, f := range l.Guessed {
		if f == field {
			return true
		}
	}
	return false
}

// marked returns the text, with a ~ before it if the field is a guess.
func (l *Layer) marked(field, text string) string {
	if l.guessed(field) {
		return "~" + text
	}
	return text
}

// title returns the row's first column: "dense (Dense)", with guesses marked.
func (l *Layer) title() (name, class string) {
	return l.marked("name", orUnknown(l.Name)), "(" + l.marked("class", orUnknown(l.Class)) + ")"
}

// shape returns the row's output shape, with a guess marked.
func (l *Layer) shape() string { return l.marked("output_shape", l.OutputShape.String()) }

// frameworks maps frameworks to the names that people use.
var frameworks = map[savedmodel.Framework]string{
	savedmodel.Keras2: "Keras 2", savedmodel.Keras3: "Keras 3", savedmodel.TFModule: "tf.Module", savedmodel.TF1: "TensorFlow 1 graph",
}

// facts returns lines about a graph: the framework, the release that wrote it, the tags.
func (g *Graph) facts() []string {
	if g.File != "" {
		return g.fileFacts()
	}
	facts := []string{frameworks[g.Framework]}
	if g.TensorFlowVersion != "" {
		facts = append(facts, "TensorFlow "+clean(g.TensorFlowVersion))
	}
	tags := "no tags"
	if len(g.Tags) > 0 {
		tags = "tags " + clean(strings.Join(g.Tags, ","))
	}
	return append(facts, tags)
}

// fileFacts returns lines about one of Keras' own files.
func (g *Graph) fileFacts() []string {
	facts := []string{frameworks[g.Framework]}
	if g.KerasVersion != "" {
		facts[0] = "Keras " + clean(g.KerasVersion)
	}
	return append(facts, map[kerasfile.Kind]string{
		kerasfile.Archive: ".keras archive", kerasfile.Folder: "folder of a .keras archive", kerasfile.HDF5: ".h5 file",
		kerasfile.Weights: "file of weights alone",
	}[g.File])
}

// source returns the graph's name of a tensor, and the value of an input that is left out.
func (t *Tensor) source() string {
	if t.Default == nil {
		return t.Tensor
	}
	return t.Tensor + ", default " + words.Shorten(string(t.Default), 40)
}

// typed returns a tensor's type for people: "float32", "ragged string", "sparse float32".
func (t *Tensor) typed() string {
	switch {
	case t.Ragged != nil:
		return "ragged " + t.Ragged.DType.String()
	case t.Encoding == string(savedmodel.CooSparse):
		return "sparse " + t.DType.String()
	case t.Class == "SparseTensorSpec" && len(t.Components) == 3:
		return "sparse " + t.Components[1].DType.String()
	case t.Encoding != "":
		return clean(t.Class)
	}
	return t.DType.String()
}

// shape returns the shape as Keras writes it; for a ragged value, that of the whole.
func (t *Tensor) shape() string {
	switch {
	case t.Ragged != nil:
		return t.Ragged.Shape.String()
	case t.Encoding == string(savedmodel.Composite) && !t.Shape.Ranked():
		return fmt.Sprintf("%d tensors", len(t.Components))
	}
	return t.Shape.String()
}

// connected reports whether the table has Keras' column of connections.
func (g *Graph) connected() bool { return g.Connected != nil && *g.Connected }

// outputSize returns the size of the layer's output, with sizes put in.
func (l *Layer) outputSize() string {
	if l.OutputBytes == nil {
		return "?"
	}
	return size(*l.OutputBytes)
}

// atLeast returns a number of bytes that grows with sizes that are still open.
func (a *At) atLeast(n int64) string {
	if a.Exact {
		return size(n)
	}
	return "≥ " + size(n)
}

// atLine says which sizes were put in: "at x = (64, 120)".
func (g *Graph) atLine() string {
	if g.At == nil {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(g.At.Inputs)) {
		parts = append(parts, clean(name)+" = "+g.At.Inputs[name].String())
	}
	return "at " + strings.Join(parts, ", ")
}
