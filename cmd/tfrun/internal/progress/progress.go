// Package progress shows how far a run has come: one line on a terminal.
package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/tfrun/tfrun/internal/words"
)

// Bar is a line of progress. A nil Bar shows nothing.
type Bar struct {
	w       io.Writer
	columns int
	start   time.Time
	drawn   bool
	now     func() time.Time
}

// New returns a bar on w, a terminal of the given width.
func New(w io.Writer, columns int) *Bar {
	return &Bar{w: w, columns: columns, start: time.Now(), now: time.Now}
}

// Show draws the line: so many rows done; read of size bytes of the input, where size is known (not
// 0); and the share of padding in what was fed.
func (b *Bar) Show(rows, read, size int64, waste float64) {
	if b == nil {
		return
	}
	b.drawn = true
	took := b.now().Sub(b.start)
	line := fmt.Sprintf("%s rows, %s rows/s", words.Thousands(rows), Rate(rows, took))
	if size > 0 {
		done := min(float64(read)/float64(size), 1)
		line = fmt.Sprintf("%3.0f %%  %s", 100*done, line)
		if done > 0 && took > time.Second {
			left := time.Duration(float64(took) * (1 - done) / done)
			line += ", " + left.Round(time.Second).String() + " left"
		}
	}
	if waste >= 0.005 {
		line += fmt.Sprintf(", %.0f %% padding", 100*waste)
	}
	if len(line) > b.columns-1 {
		line = line[:max(b.columns-1, 0)]
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
}

// Done takes the line away.
func (b *Bar) Done() {
	if b != nil && b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// Rate writes rows per second with three digits that matter.
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
