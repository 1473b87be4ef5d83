package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is a group of a command's flags under a heading.
type flagGroup struct {
	heading string
	flags   []string
}

// predictGroups are the flags of tfrun predict. The groups that most people need come first.
var predictGroups = []flagGroup{
	{"Most needed", []string{"output", "keep", "column", "outputs", "text", "vocab", "batching", "skip-bad-rows", "resume", "dry-run"}},
	{"Input", []string{"input-format", "null", "set", "csv-header", "csv-delimiter", "csv-quote", "csv-comment", "csv-null", "vocab-format", "shard", "listen", "listen-idle"}},
	{"Model", []string{"signature", "tags", "allow-op", "op-library", "allow-links", "no-prune"}},
	{"Batches and padding", []string{
		"batch-size", "no-batch", "pad", "pad-to", "padded-shape", "pad-side", "max-len", "truncate", "pad-sequences", "length", "mask", "max-tokens", "window", "window-memory", "padding-may-change-results",
	}},
	{"Output", []string{"format", "wide", "squeeze", "head", "labels", "nan-as-null", "plot", "progress", "summary", "state", "quiet", "verbose", "help"}},
	{"Robustness", []string{
		"max-bad-rows", "errors", "timeout", "isolate", "isolate-memory",
		"max-row-bytes", "max-batch-memory", "max-length", "max-elements", "max-depth", "max-ratio",
	}},
	{"Speed and device", []string{"workers", "xla", "optimizer", "intra-op", "inter-op", "device", "require-gpu", "gpu-memory"}},
}

// groups returns a command's flags by heading.
func groups(cmd *cobra.Command) []flagGroup {
	cmd.InitDefaultHelpFlag()
	cmd.InheritedFlags() // adds them to the command's flags
	var list []flagGroup
	if cmd.Name() == "predict" {
		list = slices.Clone(predictGroups)
	}
	rest := flagGroup{heading: "Flags"}
	if list != nil {
		rest.heading = "Other"
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && !slices.ContainsFunc(list, func(g flagGroup) bool { return slices.Contains(g.flags, f.Name) }) {
			rest.flags = append(rest.flags, f.Name)
		}
	})
	return append(list, rest)
}

// usageColumn is the column at which descriptions of flags begin.
const usageColumn = 26

// printHelp writes a command's description, usage, examples and flags, in lines of at most the
// given width.
func printHelp(w io.Writer, cmd *cobra.Command, width int) {
	var b strings.Builder
	long := cmd.Long
	if long == "" {
		long = cmd.Short
	}
	b.WriteString(reflowed(strings.TrimSpace(long), width))
	if cmd.Runnable() && cmd.HasParent() || cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUsage: %s\n", useLine(cmd))
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	printCommands(&b, cmd, width)
	if cmd.Runnable() || cmd.HasAvailableSubCommands() {
		for _, g := range groups(cmd) {
			if len(g.flags) == 0 {
				continue
			}
			fmt.Fprintf(&b, "\n%s:\n", g.heading)
			for _, name := range g.flags {
				if f := cmd.Flags().Lookup(name); f != nil {
					printFlag(&b, f, width)
				}
			}
		}
	}
	// Nobody could be told of an error.
	_, _ = io.WriteString(w, b.String())
}

// reflowed wraps the paragraphs of a text. A paragraph with an indented line, such as a list, stays
// as it is.
func reflowed(text string, width int) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if strings.HasPrefix(paragraph, " ") || strings.Contains(paragraph, "\n ") {
			b.WriteString(paragraph + "\n")
			continue
		}
		for _, line := range wrapped(paragraph, width) {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// useLine returns how a command is called.
func useLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [ARGUMENT…] [FLAG…]"
	}
	return strings.TrimSuffix(cmd.UseLine(), " [flags]") + " [FLAG…]"
}

// printCommands lists the commands below a command, and further help topics.
func printCommands(b *strings.Builder, cmd *cobra.Command, width int) {
	for _, kind := range []struct {
		heading string
		is      func(*cobra.Command) bool
	}{
		{"Commands", (*cobra.Command).IsAvailableCommand},
		{"To read, with tfrun help", (*cobra.Command).IsAdditionalHelpTopicCommand},
	} {
		heading := "\n" + kind.heading + ":\n"
		for _, c := range cmd.Commands() {
			if kind.is(c) {
				b.WriteString(heading)
				heading = ""
				name := c.Name()
				for _, line := range wrapped(c.Short, width-15) {
					fmt.Fprintf(b, "  %-12s %s\n", name, line)
					name = ""
				}
			}
		}
	}
}

// printFlag writes a flag with the name of its value and its description, wrapped.
func printFlag(b *strings.Builder, f *pflag.Flag, width int) {
	metavar, usage := flagUsage(f)
	name := "  --" + f.Name
	if f.Shorthand != "" {
		name = "  -" + f.Shorthand + ", --" + f.Name
	}
	if metavar != "" {
		name += " " + metavar
	}
	lines := wrapped(usage, width-usageColumn-1)
	if len([]rune(name)) >= usageColumn {
		fmt.Fprintln(b, name)
		name = ""
	}
	for _, line := range lines {
		fmt.Fprintf(b, "%-*s %s\n", usageColumn, name, line)
		name = ""
	}
}

// flagUsage returns the name of a flag's value ("": it has none), and the flag's description
// without that name.
func flagUsage(f *pflag.Flag) (metavar, usage string) {
	metavar, usage = pflag.UnquoteUsage(f)
	if f.Value.Type() == "bool" {
		return "", usage
	}
	if !strings.Contains(f.Usage, "`") {
		return strings.ToUpper(metavar), usage
	}
	rest := strings.TrimPrefix(usage, metavar)
	switch {
	case strings.HasPrefix(rest, ": "), strings.HasPrefix(rest, " "):
		usage = strings.TrimLeft(rest, ": ")
	}
	return metavar, usage
}

// helpWidth returns the width of help: the terminal's, or 80 without a terminal.
func helpWidth(std stdio) int {
	if columns, ok := terminal(std.out); ok {
		return min(max(columns, 50), 110)
	}
	return 80
}

// addHelp sets how help is written, and adds help topics.
func addHelp(root *cobra.Command, std stdio) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(std.out, cmd, helpWidth(std)) })
	root.AddCommand(
		&cobra.Command{Use: "batching", Short: "which rows share a batch, and what it does to answers", Long: batchingHelp},
		&cobra.Command{Use: "isolate", Short: "a model in a process of its own", Long: isolateHelp},
	)
	root.InitDefaultHelpFlag()
	root.SetHelpCommand(helpCommand(root))
}

// helpCommand returns the command for tfrun help and tfrun help COMMAND.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "help about a command",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range root.Commands() {
				names = append(names, c.Name())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(root, args)
			}
			return cmd.Help()
		},
	}
}

const batchingHelp = `Rows are grouped and padded with zeros (--pad) to the longest of their batch, as
tf.data's padded_batch does. A model without masking answers differently for
padded rows, so there is a choice:

  --batching arrival   rows as they come: exactly padded_batch
  --batching exact     what each row would give alone: rows of equal length
                       together, and others where the padding can be kept out
                       of answers; one by one where other rows change them
  --batching bucket    rows of like length together, for speed; refused where
                       padding or other rows change an answer, by a proof from
                       the graph or by trials on the first rows
  --batching auto      bucket where that is safe, else arrival; says which

tfrun doctor MODEL ROWS says which of them suits a model, and why.`

const isolateHelp = `TensorFlow ends its process on a failed internal check. With --isolate that is not
tfrun's own: the model runs in a second process, which is started anew when it dies,
crashes or does not answer within --timeout. The rows of its batch are then run one
by one, and the one that it dies of ends the run with its file and line; with
--skip-bad-rows it gets an "error".

--isolate-memory bounds what that process may take. What it costs: 4 % of the rows a
second of a model that has something to do, up to a third of one that does 250,000;
the start takes as long.`
