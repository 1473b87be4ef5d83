package progress

import (
	"strings"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/words"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 598209: "598,209", -1234567: "-1,234,567", -123: "-123"} {
		if got := words.Thousands(n); got != want {
			t.Errorf("words.Thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rows int64
		d    time.Duration
		want string
	}{{0, 0, "–"}, {1, 3 * time.Second, "0.33"}, {30, 2 * time.Second, "15.0"}, {123456, time.Second, "123,456"}}
	for _, tt := range tests {
		if got := Rate(tt.rows, tt.d); got != tt.want {
			t.Errorf("Rate(%d, %v) = %q, want %q", tt.rows, tt.d, got, tt.want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		columns    int
		after      time.Duration
		rows       int64
		read, size int64
		waste      float64
		total      int64
		want       string
	}{
		{"pipe", 80, 2 * time.Second, 3000, 5, 0, 0, 0, "3,000 rows, 1,500 rows/s"},
		{"file", 80, 10 * time.Second, 1000, 25, 100, 0.2, 0, " 25 %  1,000 rows, 100 rows/s, 30s left, 20 % padding"},
		{"early", 80, time.Millisecond, 1, 25, 100, 0, 0, " 25 %  1 rows, 1,000 rows/s"},
		{"known rows", 80, 10 * time.Second, 1000, 100, 100, 0, 4000, " 25 %  1,000 rows, 100 rows/s, 30s left"},
		{"narrow", 12, 2 * time.Second, 3000, 5, 0, 0, 0, "3,000 rows,"},
	}
	for _, tt := range tests {
		var out strings.Builder
		b := New(&out, Terminal, tt.columns)
		b.now = func() time.Time { return b.start.Add(tt.after) }
		b.Show(Now{Rows: tt.rows, Read: tt.read, Size: tt.size, Waste: tt.waste, Total: tt.total})
		if want := "\r\x1b[K" + tt.want; out.String() != want {
			t.Errorf("%s: %q, want %q", tt.name, out.String(), want)
		}
		b.Done()
		if !strings.HasSuffix(out.String(), "\r\x1b[K") {
			t.Errorf("%s: the line was left on the terminal", tt.name)
		}
	}
}

func TestNilBar(t *testing.T) {
	t.Parallel()
	var b *Bar
	b.Show(Now{Rows: 1})
	b.Done()
}

// The bar's moments have a reading of the monotonic clock, which does not jump when somebody sets
// the time.
func TestMonotonic(t *testing.T) {
	t.Parallel()
	b := New(&strings.Builder{}, Terminal, 80)
	for _, m := range []time.Time{b.start, b.now()} {
		if !strings.Contains(m.String(), " m=") {
			t.Errorf("%v has no reading of the monotonic clock", m)
		}
	}
}

// TestLines shows progress in a log: a line every half minute, and of JSON one at the end.
func TestLines(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]string{
		Plain: "tfrun: 30 %  300 rows, 10.0 rows/s, 1m10s left, 3 bad\ntfrun: 60 %  600 rows, 10.0 rows/s, 40s left, 3 bad\n",
		JSON: `{"bad_rows":3,"done":0.3,"padding":0,"rows":300,"seconds":30,"total":1000}` + "\n" +
			`{"bad_rows":3,"done":0.6,"padding":0,"rows":600,"seconds":60,"total":1000}` + "\n" +
			`{"bad_rows":3,"done":0.7,"padding":0,"rows":700,"seconds":70,"total":1000}` + "\n",
	} {
		var out strings.Builder
		b := New(&out, kind, 0)
		for s := range 8 {
			b.now = func() time.Time { return b.start.Add(time.Duration(s) * 10 * time.Second) }
			b.Show(Now{Rows: int64(s) * 100, Total: 1000, Bad: 3})
		}
		b.Done()
		if out.String() != want {
			t.Errorf("%s:\n%swant\n%s", kind, out.String(), want)
		}
	}
}
