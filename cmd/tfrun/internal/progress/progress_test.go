package progress

import (
	"strings"
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 598209: "598,209", -1234567: "-1,234,567", -123: "-123"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
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

func TestBarDrawsSeldomAndCleansUp(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := New(&out, 20)
	clock := b.start
	b.now = func() time.Time { return clock }
	for range 100 { // 5 ms each: half a second
		clock = clock.Add(5 * time.Millisecond)
		b.Add(1000)
	}
	b.Done()
	if n := strings.Count(out.String(), "rows"); n < 4 || n > 6 {
		t.Errorf("%d drawings in half a second, want about 5: %q", n, out.String())
	}
	for _, line := range strings.Split(out.String(), "\r\x1b[K") {
		if len(line) >= 20 {
			t.Errorf("%q is wider than the terminal", line)
		}
	}
	if !strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("the line was left on the terminal: %q", out.String())
	}
}

func TestNilBar(t *testing.T) {
	t.Parallel()
	var b *Bar
	b.Add(1)
	b.Done()
}
