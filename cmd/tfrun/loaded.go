package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// addSome adds some flags of tfrun predict to another command that runs a model. They mean the same
// there.
func (o *predictOptions) addSome(f *pflag.FlagSet, names ...string) {
	var all pflag.FlagSet
	o.addFlags(&all)
	for _, name := range names {
		if flag := all.Lookup(name); flag != nil {
			f.AddFlag(flag)
		}
	}
}

// modelFlags are the flags of tfrun predict that say what is run, and on which rows.
var modelFlags = []string{
	"signature", "tags", "allow-op", "op-library", "allow-links", "outputs", "head", "column", "input-format", "text", "vocab", "vocab-format",
	"null", "csv-header", "csv-delimiter", "csv-quote", "csv-comment", "csv-null",
	"no-batch", "pad", "pad-to", "padded-shape", "pad-side", "max-len", "truncate", "pad-sequences", "length", "mask", "set", "no-prune", "xla", "intra-op", "inter-op", "device", "gpu-memory",
}

// loadedModel is a model that is loaded, or about to be, to make predictors of.
type loadedModel struct {
	model   *savedmodel.Model
	graph   *savedmodel.MetaGraph
	sig     *savedmodel.Signature // with only those inputs that rows have
	session *runner.Session
	took    time.Duration // time to load it, without opening libtensorflow
}

// openFiles reads the model's files and finds the signature. It turns flags that name the
// signature's inputs into options, and into settings of the source.
func (o *predictOptions) openFiles(ctx context.Context, std stdio, source *job.Source) (*loadedModel, error) {
	note := std.note
	if o.quiet {
		note = func(string, ...any) {}
	}
	dir, err := localModel(ctx, o.model, note)
	if err != nil {
		return nil, err
	}
	m, err := savedmodel.Open(dir)
	if err != nil {
		return nil, err
	}
	m.AllowLinks = o.load.AllowLinks
	if m.Version != "" {
		note("model %s: version %s", o.model, m.Version)
	}
	o.model = dir
	for _, file := range o.load.OpLibraries {
		std.note("op library %s: its code runs in this process, with all that it may do", file)
	}
	graph, err := m.MetaGraph(o.load.Tags...)
	if err != nil {
		return nil, err
	}
	sig, err := graph.Signature(o.predict.Signature)
	if err != nil {
		return nil, err
	}
	if !o.predict.NoBatch {
		if sig, err = graph.ByRows(sig); err != nil {
			return nil, err
		}
	}
	if err := o.nullValues(graph, sig, source); err != nil {
		return nil, err
	}
	return &loadedModel{model: m, graph: graph, sig: sig}, o.padding.apply(&o.predict, sig)
}

// start loads the model as predict would for the source. The caller closes the session.
func (m *loadedModel) start(ctx context.Context, o *predictOptions, source job.Source) error {
	load, err := job.Job{Source: source}.Options(m.model, o.load, o.predict)
	if err != nil {
		return err
	}
	load.Exact = true // to report what it would do
	if _, err := runner.OpenLibrary(load.Library); err != nil {
		return err
	}
	start := time.Now()
	session, err := runner.LoadModel(ctx, m.model, load)
	m.session, m.took = session, time.Since(start)
	return err
}

// typedFlags returns those of the named flags that were typed, each with its value if it has one.
func typedFlags(cmd *cobra.Command, names []string) [][]string {
	var flags [][]string
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		switch v := f.Value.(type) {
		case pflag.SliceValue:
			for _, s := range v.GetSlice() {
				flags = append(flags, []string{"--" + name, s})
			}
		default:
			if f.NoOptDefVal == "true" {
				flags = append(flags, []string{"--" + name})
			} else {
				flags = append(flags, []string{"--" + name, v.String()})
			}
		}
	}
	return flags
}

// quoted returns flags as they are typed in a shell.
func quoted(flags [][]string) []string {
	var words []string
	for _, f := range flags {
		for _, word := range f {
			words = append(words, shellQuote(word))
		}
	}
	return words
}

// shellQuote returns a word as it is typed in a shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@%+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
