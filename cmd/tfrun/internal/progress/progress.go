// Package progress shows how far a run has come: one line on a terminal, redrawn at most ten times a second, and nothing anywhere else.
package progress

import (
	"fmt"
	"io"
	"time"
)

// Bar is a line of progress. The zero Bar, and a nil one, shows nothing.
type Bar struct {
	w       io.Writer
	columns int
	start   time.Time
	drawn   time.Time
	rows    int64
	now     func() time.Time
}

// New returns a bar on w, a terminal of the given width.
func New(w io.Writer, columns int) *Bar {
	return &Bar{w: w, columns: columns, start: time.Now(), now: time.Now}
}

// redraw is the time between two drawings of the line.
const redraw = 100 * time.Millisecond

// Add counts n rows more.
func (b *Bar) Add(n int64) {
	if b == nil || b.w == nil {
		return
	}
	b.rows += n
	now := b.now()
	if now.Sub(b.drawn) < redraw {
		return
	}
	b.drawn = now
	line := fmt.Sprintf("%s rows, %s rows/s", Count(b.rows), Rate(b.rows, now.Sub(b.start)))
	if len(line) > b.columns-1 {
		line = line[:max(b.columns-1, 0)]
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s", line)
}

// Done takes the line away.
func (b *Bar) Done() {
	if b != nil && b.w != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// Count writes a number with its thousands apart: 598,209.
func Count(n int64) string {
	s := fmt.Sprint(n)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(s) - 3; i > first; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Rate writes rows per second with three digits that matter.
func Rate(rows int64, d time.Duration) string {
	if d <= 0 {
		return "–"
	}
	r := float64(rows) / d.Seconds()
	switch {
	case r >= 100:
		return Count(int64(r + 0.5))
	case r >= 10:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.2f", r)
}
