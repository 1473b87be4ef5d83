package shapes

import (
	"testing"

	"github.com/tfrun/tfrun/internal/words"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 65: "65", 999: "999", 1000: "1,000", 523840: "523,840", 598209: "598,209", -1234567: "-1,234,567"} {
		if got := words.Thousands(n); got != want {
			t.Errorf("words.Thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 216: "216 B", 1023: "1023 B", 1024: "1.00 KiB", 2392836: "2.28 MiB", 1<<20 - 1: "1.00 MiB", 5 << 30: "5.00 GiB",
		1 << 62: "4096.00 PiB", -2048: "-2.00 KiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"dense_1": "dense_1", "層 é": "層 é", "a\x1b[31mb": `a\x1b[31mb`, "a\nb": `a\nb`, "a\u202eb": `a\u202eb`, "a\u0085": `a\u0085`,
		"a\xffb": `a�b`, "\u00a0": `\u00a0`,
	} {
		if got := clean(s); got != want {
			t.Errorf("clean(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestCompareNames(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "a", "a/2", "a/10", "a/10/x", "a/b", "b1", "b01x", "b2"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := compareNames(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compareNames(%q, %q) = %d", a, b, got)
			}
		}
	}
}

func TestLayerOf(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{"dense[0][0]": "dense", "a[1]b[0][2]": "a[1]b", "plain": "plain", "[0][0]": "[0]", "": ""} {
		if got := layerOf(s); got != want {
			t.Errorf("layerOf(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{0: "0 %", 1e-9: "<0.1 %", 0.25: "25.0 %", 0.99999: ">99.9 %", 1: "100 %"} {
		if got := percent(share); got != want {
			t.Errorf("percent(%v) = %q, want %q", share, got, want)
		}
	}
}
