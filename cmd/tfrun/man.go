package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// newManCmd returns tfrun man, with which make dist writes the manual pages.
func newManCmd(std stdio) *cobra.Command {
	return &cobra.Command{
		Use:    "man [COMMAND]",
		Short:  "print the manual page of tfrun, or of a command, for man(1)",
		Hidden: true,
		Args:   args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			page, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args)
			}
			_, err = io.WriteString(std.out, manPage(page))
			return err
		},
	}
}

// manPage returns the manual page of a command: its help, with whole sentences first, and further
// reading.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %q 1 \"\" %q \"tfrun\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), "tfrun "+version, roff(name), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(useLine(cmd)))
	section := func(heading, text string) {
		if text != "" {
			fmt.Fprintf(&b, ".SH %s\n.nf\n%s\n.fi\n", strings.ToUpper(heading), roff(text))
		}
	}
	section("Description", cmd.Long)
	for _, g := range groups(cmd) {
		if len(g.flags) > 0 {
			fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(g.heading))
		}
		for _, flag := range g.flags {
			f := cmd.Flags().Lookup(flag)
			metavar, usage := flagUsage(f)
			short := ""
			if f.Shorthand != "" {
				short = "-" + f.Shorthand + ", "
			}
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(short+"--"+f.Name+" "+metavar)), roff(usage))
		}
	}
	section("Examples", cmd.Example)
	if cmd.Name() == "predict" {
		section("Batching", batchingHelp)
		section("Isolation", isolateHelp)
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, ".SH %s\n%s\n", roff(strings.ToUpper(c.CommandPath())), roff(c.Short))
		}
	}
	return b.String()
}

// roff escapes backslashes and dashes, and lines that would be requests of roff.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
