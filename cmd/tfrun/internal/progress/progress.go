// Package progress shows how far a run has come: one line on a terminal, or lines in a log.
package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/tfrun/tfrun/internal/words"
)

// Kind is how progress is shown.
type Kind string

const (
	Terminal Kind = "terminal" // one line that is redrawn
	Plain    Kind = "plain"    // a line of text every half minute
	JSON     Kind = "json"     // an object of JSON every half minute, and at the end
)

// every is the time between two lines of [Plain] and [JSON].
const every = 30 * time.Second

// Now says how far a run has come.
type Now struct {
	Rows int64 // done by this run
	// Total is the number of rows that this run will do; 0: not known.
	Total int64
	// Read is how many bytes of the input were read, and Size its size, for runs without a Total.
	// Size is 0 if it is not known.
	Read, Size int64
	Bad        int64 // rows with an error
	Waste      float64
}

// share returns the share of the run that is done, from 0 to 1; known is false if it is not known.
func (n Now) share() (done float64, known bool) {
	switch {
	case n.Total > 0:
		return min(float64(n.Rows)/float64(n.Total), 1), true
	case n.Size > 0:
		return min(float64(n.Read)/float64(n.Size), 1), true
	}
	return 0, false
}

// Bar shows progress. A nil Bar shows nothing.
type Bar struct {
	w       io.Writer
	kind    Kind
	columns int
	start   time.Time
	told    time.Time
	last    Now
	drawn   bool
	now     func() time.Time
}

// New returns a bar that is shown on w. columns is the width for [Terminal].
func New(w io.Writer, kind Kind, columns int) *Bar {
	start := time.Now()
	return &Bar{w: w, kind: kind, columns: columns, start: start, told: start, now: time.Now}
}

// Show shows how far the run has come, if it is time to.
func (b *Bar) Show(n Now) {
	if b == nil {
		return
	}
	b.last = n
	now := b.now()
	switch {
	case b.kind == Terminal:
		b.drawn = true
		line := b.line(n, now)
		if len(line) > b.columns-1 {
			line = line[:max(b.columns-1, 0)]
		}
		fmt.Fprintf(b.w, "\r\x1b[K%s", line)
	case now.Sub(b.told) >= every:
		b.told = now
		b.writeLine(now)
	}
}

// writeLine writes the progress as a line of its own, in words or as JSON.
func (b *Bar) writeLine(now time.Time) {
	if b.kind == Plain {
		fmt.Fprintf(b.w, "tfrun: %s\n", strings.TrimSpace(b.line(b.last, now)))
		return
	}
	took := now.Sub(b.start).Seconds()
	line := map[string]any{"rows": b.last.Rows, "bad_rows": b.last.Bad, "seconds": math.Round(took*1e3) / 1e3, "padding": b.last.Waste}
	if b.last.Total > 0 {
		line["total"] = b.last.Total
	}
	if done, known := b.last.share(); known {
		line["done"] = done
	}
	text, err := json.Marshal(line)
	if err == nil {
		fmt.Fprintf(b.w, "%s\n", text)
	}
}

// line returns the progress in words.
func (b *Bar) line(n Now, now time.Time) string {
	took := now.Sub(b.start)
	line := fmt.Sprintf("%s rows, %s rows/s", words.Thousands(n.Rows), Rate(n.Rows, took))
	if done, known := n.share(); known {
		line = fmt.Sprintf("%3.0f %%  %s", math.Floor(100*done), line)
		if done > 0 && took > time.Second {
			left := time.Duration(float64(took) * (1 - done) / done)
			line += ", " + left.Round(time.Second).String() + " left"
		}
	}
	if n.Bad > 0 {
		line += ", " + words.Thousands(n.Bad) + " bad"
	}
	if n.Waste >= 0.005 {
		line += fmt.Sprintf(", %.0f %% padding", 100*n.Waste)
	}
	return line
}

// Done ends the bar: on a terminal the line is removed, and for JSON the last object is written.
func (b *Bar) Done() {
	switch {
	case b == nil:
	case b.kind == JSON:
		b.writeLine(b.now())
	case b.drawn:
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// Rate returns rows per second with three significant digits.
func Rate(rows int64, d time.Duration) string {
	if d <= 0 {
		return "–"
	}
	r := float64(rows) / d.Seconds()
	switch {
	case r >= 100:
		return words.Thousands(int64(r + 0.5))
	case r >= 10:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.2f", r)
}
