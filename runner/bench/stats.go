package bench

import (
	"math"
	"slices"
	"time"
)

// percentile returns the least of the sorted samples that a share q of them, between 0 and 1, does
// not exceed: the nearest-rank method. It is NaN where the samples are too few to tell, that is,
// fewer than one in 1-q: the 99.9th percentile of 500 samples is not known.
func percentile(sorted []float64, q float64) float64 {
	n := len(sorted)
	// 1/(1-q) is not exact: a little less than a whole sample is enough.
	if n == 0 || q < 1 && float64(n)*(1-q) < 1-1e-9 {
		return math.NaN()
	}
	at := int(math.Ceil(q*float64(n)-1e-9)) - 1
	return sorted[min(max(at, 0), n-1)]
}

const (
	// stableWindows have to agree, to within stableWithin of their mean.
	stableWindows = 3
	stableWithin  = 0.10
)

// stable reports whether the last three of the windows lie within 10 % of their mean.
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

// settled is the value that windows give: the mean of the last three, or of all where there are
// fewer.
func settled(windows []float64) float64 {
	return mean(windows[max(len(windows)-stableWindows, 0):])
}

// mean is the arithmetic mean, NaN of nothing.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// outliers counts the sorted samples of more than three times the median.
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
