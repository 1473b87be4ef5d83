package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/shapes"
	"github.com/tfrun/tfrun/savedmodel"
)

// shapesOptions are the flags of tfrun shapes.
type shapesOptions struct {
	models    []string
	selection shapes.Selection
	format    string
	output    string
	explain   bool
}

const shapesLong = `Says what is inside MODEL, from its files alone: tags, signatures with the shapes of
their inputs and outputs, and the table that Keras' model.summary() prints.

None is a size that is open until the model runs. ~ marks what the files make likely but do
not hold; --explain says why each dimension is what it is.`

const shapesExample = `  tfrun shapes model
  tfrun shapes model --explain                 # why each dimension, and each parameter count, is what it is
  tfrun shapes model --format json | jq .
  tfrun shapes model -o model.html             # a page to look at; .md, .csv, .svg, .dot, .mmd too`

func newShapesCmd(std stdio) *cobra.Command {
	var o shapesOptions
	cmd := &cobra.Command{
		Use:     "shapes MODEL",
		Short:   "show the signatures, the layers and the shapes of a model",
		Long:    shapesLong,
		Example: shapesExample,
		Args:    args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.models = args
			return runShapes(o, std)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func (o *shapesOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "", strings.Join(shapes.FormatNames(), ", ")+" (text, or by the output's extension)")
	f.StringVarP(&o.output, "output", "o", "", "write to this `FILE` (stdout)")
	f.StringVarP(&o.selection.Signature, "signature", "s", "", "show this signature alone (all)")
	f.StringSliceVar(&o.selection.Tags, "tags", nil, "show the graph with these tags alone (all)")
	f.BoolVar(&o.selection.Expand, "expand", false, "with the layers of nested models")
	f.BoolVar(&o.explain, "explain", false, "with the reason of each dimension and the formula of each parameter count")
}

// pick returns the format that the flags ask for.
func (o *shapesOptions) pick() (shapes.Format, error) {
	if o.format == "" {
		return shapes.FormatOf(o.output), nil
	}
	f, ok := shapes.FormatNamed(o.format)
	if !ok {
		return f, usagef("tfrun shapes", "--format %q: want one of %s", o.format, strings.Join(shapes.FormatNames(), ", "))
	}
	return f, nil
}

func runShapes(o shapesOptions, std stdio) error {
	format, err := o.pick()
	if err != nil {
		return err
	}
	m, err := openModel(o.models[0], std)
	if err != nil {
		return err
	}
	d, err := shapes.Describe(m, o.selection)
	if err != nil {
		return err
	}
	out, err := createOutput(o.output, std.out)
	if err != nil {
		return err
	}
	defer out.abandon()
	l := look(o.output, std)
	l.Explain = o.explain
	if err := format.Write(out, d, l); err != nil {
		return err
	}
	return out.commit()
}

// openModel opens a model, and says on stderr which version of a folder of versions was taken.
func openModel(dir string, std stdio) (*savedmodel.Model, error) {
	m, err := savedmodel.Open(dir)
	if err == nil && m.Version != "" {
		std.note("%s: version %s", dir, m.Version)
	}
	return m, err
}

// look returns how text may be laid out in an output.
func look(output string, std stdio) shapes.Look {
	if output != "" && output != "-" {
		return shapes.Look{}
	}
	if columns, ok := terminal(std.out); ok {
		return shapes.Look{Width: columns, Color: wantsColor()}
	}
	return shapes.Look{}
}

// wantsColor reports whether a terminal may be sent colours (https://no-color.org).
func wantsColor() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }
