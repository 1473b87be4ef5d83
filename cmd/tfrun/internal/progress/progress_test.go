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
		want       string
	}{
		{"pipe", 80, 2 * time.Second, 3000, 5, 0, 0, "3,000 rows, 1,500 rows/s"},
		{"file", 80, 10 * time.Second, 1000, 25, 100, 0.2, " 25 %  1,000 rows, 100 rows/s, 30s left, 20 % padding"},
		{"early", 80, time.Millisecond, 1, 25, 100, 0, " 25 %  1 rows, 1,000 rows/s"},
		{"narrow", 12, 2 * time.Second, 3000, 5, 0, 0, "3,000 rows,"},
	}
	for _, tt := range tests {
		var out strings.Builder
		b := New(&out, tt.columns)
		b.now = func() time.Time { return b.start.Add(tt.after) }
		b.Show(tt.rows, tt.read, tt.size, tt.waste)
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
	b.Show(1, 1, 1, 0)
	b.Done()
}

// The bar's moments have a reading of the monotonic clock, which does not jump when somebody sets
// the time.
func TestMonotonic(t *testing.T) {
	t.Parallel()
	b := New(&strings.Builder{}, 80)
	for _, m := range []time.Time{b.start, b.now()} {
		if !strings.Contains(m.String(), " m=") {
			t.Errorf("%v has no reading of the monotonic clock", m)
		}
	}
}
