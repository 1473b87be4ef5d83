package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

// planRows is the number of rows that a dry run looks at.
const planRows = 1000

// runPlan is predict --dry-run.
func runPlan(ctx context.Context, o predictOptions, source job.Source, std stdio) error {
	m, err := o.openFiles(ctx, std, &source)
	if err != nil {
		return err
	}
	if err := o.checkInputs(m.sig); err != nil {
		return err
	}
	p, err := runner.DryPredictor(m.model, o.load, o.predict)
	if err != nil {
		return err
	}
	j := o.job(source, std)
	if o.tree != nil {
		tree := *o.tree
		tree.Job = j
		if j, err = tree.First(); err != nil {
			return err
		}
	}
	plan, err := j.Describe(ctx, p, planRows)
	if err != nil {
		return err
	}
	if o.planJSON {
		return writeJSON(std.out, plan)
	}
	return printPlan(plan, o.output, max(len(o.inputs), 1)-len(plan.Files), std)
}

// printPlan writes a plan for people. others is the number of further files that the plan is not
// about.
func printPlan(plan job.Plan, output string, others int, std stdio) error {
	var b strings.Builder
	line := func(what, format string, args ...any) {
		fmt.Fprintf(&b, "%-6s %s\n", what, words.OneLine(fmt.Sprintf(format, args...)))
	}
	line("model", "%s, signature %s", plan.Model, plan.Signature)
	for _, f := range plan.Files {
		size, reading := "", ""
		if f.Bytes >= 0 {
			size = ", " + byteCount(f.Bytes)
		}
		if f.Reading != "" {
			reading = ", " + f.Reading
		}
		line("read", "%s%s%s", f.Name, size, reading)
	}
	if others > 0 {
		line("", "and %s, each by itself, as the first", fileCount(others))
	}
	for _, in := range plan.Inputs {
		column, from := "", ""
		switch in.From {
		case job.FromDefault:
			from = fmt.Sprintf(", the model's default %s", words.Shorten(string(in.Value), 40))
		case job.FromSet:
			from = fmt.Sprintf(", set to %s for all rows", words.Shorten(string(in.Value), 40))
		case job.FromLength:
			from = fmt.Sprintf(", the length of %s before padding", in.Of)
		case job.FromMask:
			from = fmt.Sprintf(", 1 for each entry of %s, 0 for padding", in.Of)
		default:
			if in.Column != in.Name {
				column = fmt.Sprintf(" from column %q", in.Column)
			}
		}
		sizes := ""
		if in.Most >= 0 {
			sizes = fmt.Sprintf(", rows of %s to %s entries", words.Thousands(in.Least), words.Thousands(in.Most))
		}
		line("feed", "%s%s: %s %s%s%s", in.Name, column, in.DType, in.Shape, sizes, from)
	}
	for _, f := range plan.Features {
		from := "missing: the model's default"
		if len(f.Columns) > 0 {
			from = fmt.Sprintf("from column %q", strings.Join(f.Columns, ","))
		}
		line("", "· %s: %s %s, %s", f.Name, f.DType, f.Shape, from)
	}
	for _, out := range plan.Outputs {
		line("give", "%s: %s %s", out.Name, out.DType, out.Shape)
	}
	if output == "" {
		output = "stdout"
	}
	line("write", "%s", output)
	for _, c := range plan.Columns {
		switch {
		case c.From == "output":
			line("", "· %s: %s", c.Name, c.Type)
		case c.From == "input":
			line("", "· %s: %s, carried over", c.Name, cmp.Or(c.Type, "as the file has it"))
		default:
			line("", "· %s: %s, of rows that cannot be run", c.Name, c.Type)
		}
	}
	seen := "the first " + rowCount(plan.Sample.Rows)
	if plan.Sample.All {
		seen = "all " + rowCount(plan.Sample.Rows)
	}
	if plan.Sample.Bad > 0 {
		line("bad", "%s of these; the first: %s", rowCount(plan.Sample.Bad), plan.Sample.FirstBad)
	}
	if plan.NoBatch {
		line("batch", "none: one run a row; looked at %s", seen)
	} else {
		line("batch", "%d rows: %s", plan.BatchSize, plan.BatchSizeWhy)
		line("", "%s; %s would be %s as they come, the largest %s, padding %.0f %% of them",
			plan.Batching, seen, batchCount(plan.Sample.Batches), byteCount(plan.Sample.BatchBytes), 100*plan.Sample.Waste)
	}
	if len(plan.State) > 0 {
		line("state", "%s", stateNote(plan.State))
	}
	_, err := std.out.Write([]byte(b.String()))
	return err
}

// stateNote describes what follows from a signature that keeps state.
func stateNote(ops []string) string {
	return fmt.Sprintf("model keeps state (%s): one worker, in order", strings.Join(ops, ", "))
}

func batchCount(n int64) string {
	if n == 1 {
		return "1 batch"
	}
	return words.Thousands(n) + " batches"
}

// byteCount returns a size in a fitting unit.
func byteCount(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
