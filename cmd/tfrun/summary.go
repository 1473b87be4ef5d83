package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tfrun/tfrun/cmd/tfrun/internal/progress"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
)

// summary is the line at the end of a run.
func summary(sum runner.Summary) string {
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

// percent writes a share: "0.5 %".
func percent(n, of int64) string { return fmt.Sprintf("%.3g %%", 100*float64(n)/float64(of)) }

// xlaSummary says what was compiled.
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

// times writes "once", "3 times".
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// rowCount writes "1 row", "2,560 rows".
func rowCount(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return words.Thousands(n) + " rows"
}
