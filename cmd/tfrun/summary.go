package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/progress"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

// summary returns the line at the end of a run.
func summary(sum job.Summary) string {
	s := fmt.Sprintf("%s in %s, %s rows/s", rowCount(sum.Rows), sum.Duration.Round(time.Millisecond), progress.Rate(sum.Rows, sum.Duration))
	if sum.Waste >= 0.005 {
		s += fmt.Sprintf(", padding %.0f %% of what was fed", 100*sum.Waste)
	}
	if sum.BadRows > 0 {
		s += fmt.Sprintf("; %s could not be read or run (%s): \"error\" says why", rowCount(sum.BadRows), percent(sum.BadRows, sum.Resumed+sum.Rows))
	}
	for _, key := range slices.Sorted(maps.Keys(sum.Missing)) {
		s += fmt.Sprintf("; kept %q is missing in %s", key, rowCount(sum.Missing[key]))
	}
	if sum.Restarts > 0 {
		s += fmt.Sprintf("; the model's process died %s", times(sum.Restarts))
	}
	return s
}

// summaryDoc is a [job.Summary] for programs.
type summaryDoc struct {
	Output     string           `json:"output"`
	Rows       int64            `json:"rows"`     // written
	BadRows    int64            `json:"bad_rows"` // those with an error
	Resumed    int64            `json:"resumed_rows"`
	Seconds    float64          `json:"seconds"`
	RowsSecond float64          `json:"rows_per_second"`
	Padding    float64          `json:"padding"`
	Restarts   int              `json:"restarts"`
	Missing    map[string]int64 `json:"missing_kept,omitempty"`
	Whole      bool             `json:"whole"` // nothing is left to do
	Error      string           `json:"error,omitempty"`
}

// summarize returns the document of a run that has ended, with or without an error.
func summarize(j job.Job, sum job.Summary, runErr error) summaryDoc {
	doc := summaryDoc{
		Output: j.Output, Rows: sum.Resumed + sum.Rows, BadRows: sum.BadRows, Resumed: sum.Resumed, Seconds: sum.Duration.Seconds(),
		Padding: sum.Waste, Restarts: sum.Restarts, Missing: sum.Missing, Whole: runErr == nil,
	}
	if sum.Duration > 0 {
		doc.RowsSecond = float64(sum.Rows) / sum.Duration.Seconds()
	}
	if runErr != nil {
		doc.Error = oneLine(message(runErr))
	}
	return doc
}

// writeSummary writes what --summary asks for: what the run did, also if it failed.
func (o *predictOptions) writeSummary(j job.Job, sum job.Summary, runErr error, std stdio) error {
	if o.summary == "" {
		return nil
	}
	out, err := createOutput(o.summary, std.out)
	if err != nil {
		return err
	}
	defer out.abandon()
	if err := writeJSON(out, summarize(j, sum, runErr)); err != nil {
		return err
	}
	return out.commit()
}

// percent returns a share: "0.5 %".
func percent(n, of int64) string { return fmt.Sprintf("%.3g %%", 100*float64(n)/float64(of)) }

// xlaSummary describes what was compiled.
func xlaSummary(r runner.XLAReport) string {
	if r.Runs == 0 {
		return ""
	}
	shapes := "1 shape"
	if r.Shapes != 1 {
		shapes = words.Thousands(int64(r.Shapes)) + " shapes"
	}
	return fmt.Sprintf("; XLA compiled %s in %s for %s of %s batches", shapes, r.CompileTime.Round(time.Millisecond),
		words.Thousands(r.Runs), words.Thousands(r.Runs+r.PlainRuns))
}

// times returns "once", "3 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
