package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/shapes"
	"github.com/tfrun/tfrun/internal/crash"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/sizes"
	"github.com/tfrun/tfrun/tensor"
)

// shapesOptions are the flags of tfrun shapes.
type shapesOptions struct {
	models    []string
	selection shapes.Selection
	format    string
	output    string
	explain   bool
	exitCode  bool
	at        []string
	variables bool
	stats     bool
	links     bool
}

const shapesLong = `Says what is inside MODEL, from its files alone: tags, signatures with the shapes of
their inputs and outputs, and the table that Keras' model.summary() prints. MODEL is a SavedModel,
or one of Keras' own files: a .keras archive, an .h5 file, or a file of weights alone.

None is a size that is open until the model runs. ~ marks what the files make likely but do
not hold; --explain says why each dimension is what it is.

With OTHER, a second model, it says what differs between the two.`

const shapesExample = `  tfrun shapes model
  tfrun shapes model --explain                 # why each dimension, and each parameter count, is what it is
  tfrun shapes model --at batch=64,time=120    # the shapes, and what each output weighs
  tfrun shapes model --format json | jq .
  tfrun shapes model --variables --stats       # what the checkpoint holds
  tfrun shapes model -o model.html             # a page to look at; .md, .csv, .svg, .dot, .mmd too
  tfrun shapes model.keras                     # one of Keras' own files
  tfrun shapes old new                         # what differs between two models`

func newShapesCmd(std stdio) *cobra.Command {
	var o shapesOptions
	cmd := &cobra.Command{
		Use:     "shapes MODEL [OTHER]",
		Short:   "show the signatures, the layers and the shapes of a model",
		Long:    shapesLong,
		Example: shapesExample,
		Args:    args(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.models = args
			return runShapes(cmd.Context(), o, std)
		},
	}
	o.addFlags(cmd.Flags())
	// The flag exists, so there is no error.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(shapes.FormatNames(), cobra.ShellCompDirectiveNoFileComp))
	// This flag exists too.
	_ = cmd.RegisterFlagCompletionFunc("signature", completeSignature)
	return cmd
}

// completeSignature offers the shell the signatures of the model that was typed before.
func completeSignature(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	m, err := savedmodel.Open(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, mg := range m.MetaGraphs {
		names = append(names, mg.SignatureNames()...)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (o *shapesOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "", strings.Join(shapes.FormatNames(), ", ")+" (text, or by the output's extension)")
	f.VarP((*outputName)(&o.output), "output", "o", "write to this `FILE` (stdout)")
	f.StringVarP(&o.selection.Signature, "signature", "s", "", "show this signature alone (all)")
	addTags(f, &o.selection.Tags, "show the graph with these tags alone, [] for the one without any (all)")
	f.BoolVar(&o.selection.Expand, "expand", false, "with the layers of nested models")
	f.StringArrayVar(&o.at, "at", nil, "put in sizes for open dimensions: batch=64,time=120 or `INPUT=[64,120]`")
	f.BoolVar(&o.exitCode, "exit-code", false, "with two models: fail when they differ")
	f.BoolVar(&o.variables, "variables", false, "list the tensors of the checkpoint")
	f.BoolVar(&o.stats, "stats", false, "with --variables: the least and the largest value, the mean, the share of zeros and NaNs")
	f.BoolVar(&o.links, "allow-links", false, "let files of the model be links out of it")
	f.BoolVar(&o.explain, "explain", false, "with the reason of each dimension and the formula of each parameter count")
}

// pick returns the format that the flags choose.
func (o *shapesOptions) pick() (shapes.Format, error) {
	if o.format == "" {
		if f, known := shapes.FormatOf(o.output); known {
			return f, nil
		}
		return shapes.Format{}, usagef("tfrun shapes", "-o %q: the name does not tell the format; name it one of %s, or give --format", o.output, strings.Join(shapes.Extensions(), ", "))
	}
	f, ok := shapes.FormatNamed(o.format)
	if !ok {
		return f, usagef("tfrun shapes", "--format %q: want one of %s", o.format, strings.Join(shapes.FormatNames(), ", "))
	}
	return f, nil
}

// validate checks what can be checked before a model is read.
func (o *shapesOptions) validate(f shapes.Format) error {
	const command = "tfrun shapes"
	switch {
	case len(o.models) == 2 && f.Name != "text" && f.Name != "json":
		return usagef(command, "two models are compared as text or json, not as %s", f.Name)
	case len(o.models) == 2 && o.explain:
		return usagef(command, "--explain is for one model")
	case len(o.models) == 2 && o.variables:
		return usagef(command, "--variables is for one model")
	case o.stats && !o.variables:
		return usagef(command, "--stats goes with --variables")
	case o.variables && !shapes.ListsVariables(f):
		return usagef(command, "variables are listed as text, json or csv, not as %s", f.Name)
	case len(o.models) == 1 && o.exitCode:
		return usagef(command, "--exit-code is for the comparison of two models")
	}
	return nil
}

// spare is memory that is never written to, and so takes no room. The garbage collector counts it,
// and first runs at twice as much; the description of most models is done by then.
const spare = 32 << 20

func runShapes(ctx context.Context, o shapesOptions, std stdio) error {
	ballast := make([]byte, spare)
	defer runtime.KeepAlive(ballast)
	format, err := o.pick()
	if err != nil {
		return err
	}
	if err := o.validate(format); err != nil {
		return err
	}
	if o.selection.At, err = parseAt(o.at); err != nil {
		return err
	}
	if err := localModels(ctx, o.models, std); err != nil {
		return err
	}
	if o.variables {
		return o.listVariables(ctx, format, std)
	}
	docs := make([]*shapes.Document, len(o.models))
	for i, path := range o.models {
		if docs[i], err = o.describe(path, std); err != nil {
			return sizeHint(err)
		}
	}
	if len(docs) == 2 {
		return o.compare(docs[0], docs[1], format, std)
	}
	l := look(o.output, std)
	l.Explain = o.explain
	return writeOutput(o.output, std, func(w io.Writer) error { return format.Write(w, docs[0], l) })
}

// describe makes the document of a SavedModel or of one of Keras' own files.
func (o *shapesOptions) describe(path string, std stdio) (*shapes.Document, error) {
	if !kerasfile.Is(path) {
		return ofModel(path, o.links, std, func(m *savedmodel.Model) (*shapes.Document, error) { return shapes.Describe(m, o.selection) })
	}
	if o.selection.Signature != "" || o.selection.Tags != nil {
		return nil, usagef("tfrun shapes", "%s has no signatures and no tags: it is no SavedModel but a file of Keras'", path)
	}
	m, err := kerasfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return shapes.DescribeFile(m, o.selection)
}

// listVariables writes the list of the checkpoint's tensors.
func (o *shapesOptions) listVariables(ctx context.Context, f shapes.Format, std stdio) error {
	v, err := o.variablesOf(ctx, o.models[0], std)
	if err != nil {
		return err
	}
	return writeOutput(o.output, std, func(w io.Writer) error { return v.Write(w, f, look(o.output, std)) })
}

// variablesOf lists the variables of a SavedModel or of one of Keras' own files.
func (o *shapesOptions) variablesOf(ctx context.Context, path string, std stdio) (*shapes.Variables, error) {
	if kerasfile.Is(path) {
		m, err := kerasfile.Open(path)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		return shapes.ListFileVariables(ctx, m, o.stats)
	}
	return ofModel(path, o.links, std, func(m *savedmodel.Model) (*shapes.Variables, error) {
		return shapes.ListVariables(ctx, m, o.stats)
	})
}

// parseAt reads the sizes of --at; nil when none are given.
func parseAt(texts []string) (*sizes.Sizes, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	sizes := &sizes.Sizes{Axes: map[string]int64{}, Inputs: map[string][]int64{}}
	for _, text := range texts {
		for _, part := range splitSizes(text) {
			// An input's name may hold an equals sign, a list of sizes cannot.
			i := strings.LastIndexByte(part, '=')
			if i <= 0 {
				return nil, badSizes(part)
			}
			name, value := strings.TrimSpace(part[:i]), strings.TrimSpace(part[i+1:])
			list, isList := strings.CutPrefix(value, "[")
			if !isList {
				n, err := strconv.ParseInt(value, 10, 64)
				if err != nil || n < 0 {
					return nil, badSizes(part)
				}
				sizes.Axes[name] = n
				continue
			}
			dims, ok := parseDims(strings.TrimSuffix(list, "]"))
			if !ok || !strings.HasSuffix(value, "]") {
				return nil, badSizes(part)
			}
			sizes.Inputs[name] = dims
		}
	}
	return sizes, nil
}

func badSizes(part string) error {
	return usagef("tfrun shapes", "--at %q: want NAME=SIZE, such as batch=64, or INPUT=[SIZE,…] with null for an open one", part)
}

// splitSizes splits a text at the commas outside of brackets.
func splitSizes(text string) []string {
	depth := 0
	return strings.FieldsFunc(text, func(r rune) bool {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		return r == ',' && depth == 0
	})
}

// parseDims reads a list of sizes.
func parseDims(list string) (dims []int64, ok bool) {
	dims = []int64{}
	if strings.TrimSpace(list) == "" {
		return dims, true
	}
	for _, word := range strings.Split(list, ",") {
		switch word = strings.TrimSpace(word); word {
		case "null", "None", "?", "-1":
			dims = append(dims, tensor.Unknown)
		default:
			n, err := strconv.ParseInt(word, 10, 64)
			if err != nil || n < 0 {
				return nil, false
			}
			dims = append(dims, n)
		}
	}
	return dims, true
}

// sizeHint turns an error about sizes that do not fit the model into a usage error that lists the
// open dimensions.
func sizeHint(err error) error {
	var size *sizes.SizeError
	if !errors.As(err, &size) {
		return err
	}
	var open []string
	for _, a := range size.Have {
		if word := a.Name + " (" + a.Input + ")"; !slices.Contains(open, word) {
			open = append(open, word)
		}
	}
	e := &usageError{msg: "--at: " + size.Error(), command: "tfrun shapes", hint: "all dimensions are fixed"}
	if open != nil {
		e.hint = "open dimensions: " + strings.Join(open, ", ")
	}
	return e
}

// compare writes the differences between two models.
func (o *shapesOptions) compare(a, b *shapes.Document, f shapes.Format, std stdio) error {
	d := shapes.Compare(a, b)
	err := writeOutput(o.output, std, func(w io.Writer) error {
		if f.Name == "json" {
			return d.WriteJSON(w)
		}
		return d.WriteText(w, look(o.output, std))
	})
	if err == nil && o.exitCode && !d.Same {
		err = fmt.Errorf("models %q and %q differ", d.A, d.B)
	}
	return err
}

// writeOutput writes an output that appears only when it is whole.
func writeOutput(path string, std stdio, write func(io.Writer) error) error {
	out, err := createOutput(path, std.out)
	if err != nil {
		return err
	}
	defer out.abandon()
	if err := write(out); err != nil {
		return err
	}
	return out.commit()
}

// ofModel opens a model and returns what read makes of it. If it picks a version from a folder of
// versions, it says on stderr which. What the folder says against the model is looked for
// meanwhile: it takes a third as long as the description, and the two share nothing.
func ofModel[T any](dir string, links bool, std stdio, read func(*savedmodel.Model) (T, error)) (made T, err error) {
	m, err := savedmodel.Open(dir)
	if err != nil {
		return made, err
	}
	m.AllowLinks = links
	if m.Version != "" {
		std.note("%s: version %s", dir, m.Version)
	}
	beside := crash.NewGroup()
	var contradictions []error
	beside.Go(func() error {
		contradictions = m.Contradictions()
		return nil
	})
	made, err = read(m)
	if fault := beside.Wait(); fault != nil {
		return made, fault
	}
	noteAll(contradictions, std)
	return made, err
}

// noteAll says on stderr what is wrong and stops nothing.
func noteAll(errs []error, std stdio) {
	for _, err := range errs {
		std.note("%v", err)
	}
}

// look returns how text is laid out in an output.
func look(output string, std stdio) shapes.Look {
	if output != "" && output != "-" {
		return shapes.Look{}
	}
	if columns, ok := terminal(std.out); ok {
		return shapes.Look{Width: columns, Color: wantsColor()}
	}
	return shapes.Look{}
}

// wantsColor reports whether colours may be sent to a terminal (https://no-color.org).
func wantsColor() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }
