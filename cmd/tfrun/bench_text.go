package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner/bench"
)

// benchText returns the report for people, in lines of at most the given width.
func benchText(r *bench.Report, commands []string, width int) string {
	t := &benchWriter{width: width}
	t.facts(r)
	t.latency(r)
	t.throughput(r)
	t.choices(r, commands)
	t.remarks(r)
	return t.String()
}

// benchWriter collects the text.
type benchWriter struct {
	strings.Builder
	width int
}

// line writes a label and a text beside it, over several lines where it is long.
func (t *benchWriter) line(what, format string, args ...any) {
	for i, text := range wrapped(fmt.Sprintf(format, args...), t.width-15) {
		if i > 0 {
			what = ""
		}
		fmt.Fprintf(t, "%-14s %s\n", what, words.OneLine(text))
	}
}

// facts writes what is measured once.
func (t *benchWriter) facts(r *bench.Report) {
	t.line("model", "%s, signature %s", r.Model, r.Signature)
	t.line("rows", "%s", benchRows(r.Rows))
	load := ""
	if r.Machine.Load >= 0 {
		load = fmt.Sprintf(", load %.2g before the start", r.Machine.Load)
	}
	processor := ""
	if r.Machine.Processor != "" {
		processor = ", " + r.Machine.Processor
	}
	t.line("machine", "%d cores%s%s", r.Machine.Cores, processor, load)
	if c := r.ColdStart; c != nil {
		spread := ""
		if c.Runs > 1 {
			spread = fmt.Sprintf(", the median of %d from %s to %s", c.Runs, milli(c.LeastMS), milli(c.MostMS))
		}
		peak := ""
		if c.Peak > 0 {
			peak = fmt.Sprintf("; peak of its memory %s", byteCount(c.Peak))
		}
		t.line("cold start", "%s ms from a new process to its answer for one row%s%s", milli(c.MedianMS), spread, peak)
	}
	t.line("warm start", "open libtensorflow %s ms, load %s ms, first call %s ms", milli(r.LibraryMS), milli(r.LoadMS), milli(r.FirstMS))
	if r.Memory.Peak > 0 {
		t.line("memory", "%s resident before, %s with the model, %s at the peak", byteCount(r.Memory.Before), byteCount(r.Memory.Loaded), byteCount(r.Memory.Peak))
	}
	if r.Reading > 0 {
		t.line("reading", "%s rows/s from the file, without running them", count(r.Reading))
	}
	t.line("padding", "%s", r.Padding.Says)
	if x := r.XLA; x != nil {
		t.line("xla", "%s: %d shapes compiled in %s ms, for %s of %s batches", x.Mode, x.Shapes, milli(x.CompileMS), words.Thousands(x.Runs), words.Thousands(x.Runs+x.PlainRuns))
	}
}

func benchRows(rows bench.Rows) string {
	s := rowCount(int64(rows.Count))
	if len(rows.Files) > 0 {
		s = "the first " + s + " of " + strings.Join(rows.Files, ", ")
	} else {
		s += " that were made up, for want of a file of rows"
	}
	if l := rows.Lengths; l.Most > 1 {
		s += fmt.Sprintf("; %s to %s entries long, median %s", words.Thousands(l.Least), words.Thousands(l.Most), words.Thousands(l.Median))
	}
	return s
}

// milli returns milliseconds with three significant digits.
func milli(n bench.Number) string {
	switch v := float64(n); {
	case math.IsNaN(v):
		return "–"
	case v >= 99.95:
		return words.Thousands(int64(v + 0.5))
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.9995:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

func count(n bench.Number) string {
	if n < 100 {
		return fmt.Sprintf("%.3g", float64(n))
	}
	return words.Thousands(int64(n + 0.5))
}

// unstable returns a mark for a figure whose windows did not agree.
func unstable(stable bool) string {
	if stable {
		return ""
	}
	return "  not stable"
}

func (t *benchWriter) latency(r *bench.Report) {
	if len(r.Latency) == 0 {
		return
	}
	t.WriteString("\nLatency of one batch, from rows to answers, in ms\n\n")
	fmt.Fprintf(t, "%6s %9s %9s %9s %9s %9s %8s\n", "rows", "padded to", "p50", "p95", "p99", "p99.9", "calls")
	for _, l := range r.Latency {
		how := unstable(l.Stable)
		if l.XLA {
			how = "  XLA" + how
		}
		fmt.Fprintf(t, "%6d %9s %9s %9s %9s %9s %8s%s\n", l.BatchSize, words.Thousands(l.Length),
			milli(l.P50), milli(l.P95), milli(l.P99), milli(l.P999), words.Thousands(int64(l.Calls)), how)
	}
}

func (t *benchWriter) throughput(r *bench.Report) {
	if len(r.Throughput) == 0 {
		return
	}
	t.WriteString("\nThroughput\n\n")
	fmt.Fprintf(t, "%-8s %7s %10s %9s %8s %6s %10s\n", "batching", "workers", "batch size", "rows/s", "padding", "cores", "resident")
	for _, m := range r.Throughput {
		if m.Problem != "" {
			fmt.Fprintf(t, "%-8s %7d %10d  %s\n", m.Batching, m.Workers, m.BatchSize, oneLine(m.Problem))
			continue
		}
		fmt.Fprintf(t, "%-8s %7d %10d %9s %6.0f %% %6.1f %10s%s\n", m.Batching, m.Workers, m.BatchSize, count(m.Rate), 100*m.Waste, m.Cores, byteCount(m.Resident), unstable(m.Stable))
	}
}

func (t *benchWriter) choices(r *bench.Report, commands []string) {
	if len(r.Choices) == 0 {
		return
	}
	t.WriteString("\nWhat to type\n")
	for i, c := range r.Choices {
		fmt.Fprintf(t, "\n  %s\n", words.OneLine(commands[i]))
		text := fmt.Sprintf("%s rows/s, not compared with predict without these flags: %s", count(c.Rate), c.Gives)
		switch {
		case c.Speedup >= 1.03:
			text = fmt.Sprintf("%s rows/s, %.2g times as many as without these flags: %s", count(c.Rate), float64(c.Speedup), c.Gives)
		case c.Speedup > 0.97:
			text = fmt.Sprintf("%s rows/s, as without these flags: %s", count(c.Rate), c.Gives)
		case c.Speedup > 0:
			text = fmt.Sprintf("%s rows/s, %.2g of what is without these flags: %s", count(c.Rate), float64(c.Speedup), c.Gives)
		}
		for _, line := range wrapped(text, t.width-6) {
			fmt.Fprintf(t, "      %s\n", line)
		}
	}
}

// remarks writes what casts doubt on the figures.
func (t *benchWriter) remarks(r *bench.Report) {
	var list []string
	calls, outliers, shaky := 0, 0, 0
	for _, l := range r.Latency {
		calls, outliers = calls+l.Calls, outliers+l.Outliers
		if !l.Stable {
			shaky++
		}
	}
	for _, m := range r.Throughput {
		if !m.Stable && m.Problem == "" {
			shaky++
		}
	}
	if n := r.Noise; n.Others >= 0.05 || n.Steal >= 0.02 {
		list = append(list, fmt.Sprintf("Meanwhile other programs kept %.1f of %d cores busy, and the hypervisor took %.2f away: a quiet machine gives better figures.", n.Others, r.Machine.Cores, max(n.Steal, 0)))
	}
	if shaky > 0 {
		list = append(list, fmt.Sprintf("%d of %d figures are not stable: their windows differ by more than 10 %%. Measure for longer with --duration, or on a quieter machine.", shaky, len(r.Latency)+len(r.Throughput)))
	}
	if outliers > 0 {
		list = append(list, fmt.Sprintf("%s of %s calls took more than three times the median of their kind.", words.Thousands(int64(outliers)), words.Thousands(int64(calls))))
	}
	if r.LeftOut > 0 {
		list = append(list, fmt.Sprintf("There was no time for %d more measurements; --duration gives it.", r.LeftOut))
	}
	if best := r.Choices; len(best) > 0 && r.Reading > 0 && r.Reading < best[0].Rate {
		list = append(list, "The file is read more slowly than the model runs: reading bounds the run, and a format that is quicker to read helps (parquet, npy).")
	}
	for _, p := range r.Problems {
		list = append(list, oneLine(p))
	}
	if len(list) > 0 {
		t.WriteByte('\n')
	}
	for _, text := range list {
		for _, line := range wrapped(text, t.width) {
			t.WriteString(line + "\n")
		}
	}
}

// writeBenchCSV writes a line for each measurement.
func writeBenchCSV(w io.Writer, r *bench.Report) error {
	out := csv.NewWriter(w)
	number := func(n bench.Number) string {
		if math.IsNaN(float64(n)) {
			return ""
		}
		return strconv.FormatFloat(float64(n), 'g', 6, 64)
	}
	rows := [][]string{{"measured", "batching", "workers", "batch_size", "length", "rows_per_second", "p50_ms", "p95_ms", "p99_ms", "p99_9_ms", "max_ms", "padding", "cores", "rss_bytes", "stable"}}
	if c := r.ColdStart; c != nil {
		rows = append(rows, []string{"cold_start", "", "", "1", "", "", number(c.MedianMS), "", "", "", number(c.MostMS), "", "", strconv.FormatInt(c.Peak, 10), ""})
	}
	for _, one := range []struct {
		what string
		ms   bench.Number
	}{{"open_library", r.LibraryMS}, {"load", r.LoadMS}, {"first_call", r.FirstMS}} {
		rows = append(rows, []string{one.what, "", "", "", "", "", number(one.ms), "", "", "", "", "", "", "", ""})
	}
	for _, l := range r.Latency {
		rows = append(rows, []string{
			map[bool]string{false: "latency", true: "latency_xla"}[l.XLA], "arrival", "1", strconv.Itoa(l.BatchSize), strconv.FormatInt(l.Length, 10), "",
			number(l.P50), number(l.P95), number(l.P99), number(l.P999), number(l.Max), "", "", "", strconv.FormatBool(l.Stable),
		})
	}
	for _, m := range r.Throughput {
		rows = append(rows, []string{
			"throughput", string(m.Batching), strconv.Itoa(m.Workers), strconv.Itoa(m.BatchSize), "", number(m.Rate), "", "", "", "", "",
			number(bench.Number(m.Waste)), number(bench.Number(m.Cores)), strconv.FormatInt(m.Resident, 10), strconv.FormatBool(m.Stable),
		})
	}
	return out.WriteAll(rows)
}
