package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// completeModelFlags makes the shell complete flags whose values are names in the model, the first
// argument: signatures, outputs, inputs.
func completeModelFlags(cmd *cobra.Command) {
	signature := func(mg *savedmodel.MetaGraph) *savedmodel.Signature {
		name, err := cmd.Flags().GetString("signature")
		if err != nil {
			return nil
		}
		s, err := mg.Signature(name)
		if err != nil {
			return nil
		}
		return s
	}
	inputs := func(suffix string) func(*savedmodel.MetaGraph) []string {
		return func(mg *savedmodel.MetaGraph) []string {
			s := signature(mg)
			if s == nil {
				return nil
			}
			var names []string
			for _, name := range s.InputNames() {
				names = append(names, name+suffix)
			}
			return names
		}
	}
	names := map[string]func(*savedmodel.MetaGraph) []string{
		"signature": (*savedmodel.MetaGraph).SignatureNames,
		"outputs": func(mg *savedmodel.MetaGraph) []string {
			if s := signature(mg); s != nil {
				return s.OutputNames()
			}
			return nil
		},
		"column": inputs("="), "null": inputs("="), "pad": inputs("="), "pad-to": inputs("="), "padded-shape": inputs("=["), "set": inputs("="), "max-len": inputs("="), "length": inputs(""), "mask": inputs(""),
	}
	for flag, list := range names {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		must(cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return complete(args[0], typed, list), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		}))
	}
	for flag, words := range map[string][]string{
		"batching": {"arrival", "exact", "bucket", "auto"},
		"head":     {"softmax", "sigmoid", "argmax", "topk="},
		"device":   {"cpu", "gpu", "gpu:0"},
		"wide":     {"list", "columns"},
		"pad-side": {"pre", "post"},
		"truncate": {"pre", "post"},
		"progress": {"plain", "json", "none", "auto"},
		"xla":      {"off", "on", "auto"},

		"vocab-format": append([]string{string(text.Auto)}, strings.Split(vocabFormats(), ", ")...),
	} {
		if cmd.Flags().Lookup(flag) != nil {
			must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
		}
	}
}

// completeKeep offers the columns of the first input file.
func completeKeep(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if len(args) < 2 {
		return nil, directive
	}
	have, err := job.Source{Files: args[1:2]}.Names()
	if err != nil {
		return nil, directive
	}
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var found []string
	for _, name := range have {
		if strings.HasPrefix(before+name, typed) {
			found = append(found, before+name)
		}
	}
	return found, directive
}

// complete returns the names in a model that begin with what is typed, after its last comma.
func complete(model, typed string, list func(*savedmodel.MetaGraph) []string) []string {
	m, err := savedmodel.Open(model)
	if err != nil {
		return nil
	}
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var found []string
	for _, mg := range m.MetaGraphs {
		for _, name := range list(mg) {
			if strings.HasPrefix(before+name, typed) && !slices.Contains(found, before+name) {
				found = append(found, before+name)
			}
		}
	}
	return found
}

// must panics on an error. It is for calls that fail only if the program is wrong, such as
// completing a flag that does not exist.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// completeFormats offers the shell the values of --format.
func completeFormats(cmd *cobra.Command, names ...string) {
	must(cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)))
}
