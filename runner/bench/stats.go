package bench

import (
	"math"
	"slices"
	"time"
)

// percentile returns the least of the sorted samples that a share q of them, between 0 and 1, does
// not exceed (the nearest-rank method). It is NaN if there are too few samples, fewer than 1/(1-q):
// 500 samples have no 99.9th percentile.
func percentile(sorted []float64, q float64) float64 {
	n := len(sorted)
	// 1/(1-q) is not exact, so a little less than a whole sample is enough.
	if n == 0 || q < 1 && float64(n)*(1-q) < 1-1e-9 {
		return math.NaN()
	}
	at := int(math.Ceil(q*float64(n)-1e-9)) - 1
	return sorted[min(max(at, 0), n-1)]
}

const (
	// stableWindows windows in a row must lie within stableWithin of their mean.
	stableWindows = 3
	stableWithin  = 0.10
)

// stable reports whether the last three windows lie within 10 % of their mean.
func stable(windows []float64) bool {
	if len(windows) < stableWindows {
		return false
	}
	last := windows[len(windows)-stableWindows:]
	m := mean(last)
	for _, w := range last {
		if math.Abs(w-m) > stableWithin*math.Abs(m) {
			return false
		}
	}
	return true
}

// settled returns the result of windows: the mean of the last three, or of all if there are fewer.
func settled(windows []float64) float64 {
	return mean(windows[max(len(windows)-stableWindows, 0):])
}

// mean returns the arithmetic mean, NaN for no values.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// outliers returns how many of the sorted samples exceed three times the median.
func outliers(sorted []float64) int {
	if len(sorted) == 0 {
		return 0
	}
	limit := 3 * sorted[(len(sorted)-1)/2]
	at, _ := slices.BinarySearchFunc(sorted, limit, func(x, limit float64) int {
		if x > limit {
			return 1
		}
		return -1
	})
	return len(sorted) - at
}

func since(start time.Time) Number { return ms(time.Since(start)) }

func ms(d time.Duration) Number { return Number(float64(d.Nanoseconds()) / 1e6) }
