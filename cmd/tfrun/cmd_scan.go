package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/shapes"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/kerasfile"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// scanOptions are the flags of tfrun scan.
type scanOptions struct {
	model  string
	format string
	output string
	tags   []string
	all    bool
}

const scanLong = `Looks through all of MODEL for what does more than compute: operations that read or write
files, start processes, reach the network or run Python, or that nobody knows, in whatever
function they hide; what can be read in two ways; Python bytecode in the Keras metadata; assets
outside the model, and links that lead there. Of one of Keras' own files (.keras, .h5), what
loading it in Python would do: bytecode and pickles that it runs, functions that it calls by name,
files that it reads, and archives that are not what they seem. Nothing is run.

  unsafe    happens when the model is loaded, or a signature is run
  dormant   is in the file, but neither loading nor a signature reaches it: it
            is left out of what TensorFlow is given
  expected  is what the loader itself does: the model's own checkpoint and
            vocabularies

Exit codes: 0 nothing unsafe or dormant, 1 something is, or the model cannot be read, 2 wrong usage.`

const scanExample = `  tfrun scan model
  tfrun scan model --format json | jq '.findings[].op'`

func newScanCmd(std stdio) *cobra.Command {
	var o scanOptions
	cmd := &cobra.Command{
		Use:     "scan MODEL",
		Short:   "find what makes a model unsafe to load",
		Long:    scanLong,
		Example: scanExample,
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := localModels(cmd.Context(), args, std); err != nil {
				return err
			}
			o.model = args[0]
			return runScan(o, std)
		},
	}
	o.addFlags(cmd.Flags())
	// The flag exists, so there is no error.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *scanOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.format, "format", "text", "text or json")
	f.VarP((*outputName)(&o.output), "output", "o", "write to this `FILE` (stdout)")
	addTags(f, &o.tags, "look at the graph with these tags alone, [] for the one without any (all)")
	f.BoolVarP(&o.all, "all", "a", false, "list the expected too, as json always does")
}

func runScan(o scanOptions, std stdio) error {
	if o.format != "text" && o.format != "json" {
		return usagef("tfrun scan", "--format %q: want text or json", o.format)
	}
	report, err := o.scan(std)
	if err != nil {
		return err
	}
	err = writeOutput(o.output, std, func(w io.Writer) error {
		if o.format == "json" {
			return report.WriteJSON(w)
		}
		return report.WriteText(w, look(o.output, std), o.all)
	})
	if err != nil {
		return err
	}
	return verdict(report)
}

// scan scans a SavedModel or one of Keras' own files.
func (o scanOptions) scan(std stdio) (*shapes.ScanReport, error) {
	if kerasfile.Is(o.model) {
		if o.tags != nil {
			return nil, usagef("tfrun scan", "%s has no tags: it is no SavedModel but a file of Keras'", o.model)
		}
		return shapes.ScanFile(o.model)
	}
	return ofModel(o.model, false, std, func(m *savedmodel.Model) (*shapes.ScanReport, error) { return shapes.Scan(m, o.tags) })
}

// verdict returns the error with which a scan fails that has findings.
func verdict(r *shapes.ScanReport) error {
	n := r.Unsafe + r.Dormant
	if n == 0 {
		return nil
	}
	var what []string
	seen := map[string]bool{}
	for _, f := range r.Findings {
		name := f.Op
		if name == "" {
			name = string(f.Kind)
		}
		if f.Severity != scan.Expected && !seen[name] {
			seen[name] = true
			what = append(what, name)
		}
	}
	return fmt.Errorf("model %q: %d unsafe and %d dormant findings: %s", r.Model, r.Unsafe, r.Dormant, strings.Join(what, " "))
}
