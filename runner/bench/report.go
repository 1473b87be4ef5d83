package bench

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/tfrun/tfrun/runner"
)

// Number is a measured number. NaN, in JSON null, means that it is not known.
type Number float64

// MarshalJSON writes null for NaN.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// Report is the result of [Run]. Times are in milliseconds, sizes in bytes.
type Report struct {
	Model     string     `json:"model"`
	Signature string     `json:"signature"`
	Machine   Machine    `json:"machine"`
	Rows      Rows       `json:"rows"`
	ColdStart *ColdStart `json:"cold_start"` // nil: not measured
	LibraryMS Number     `json:"open_library_ms"`
	LoadMS    Number     `json:"load_ms"`
	FirstMS   Number     `json:"first_call_ms"`
	Memory    Memory     `json:"memory"`
	// Reading is the speed of reading the source without running rows; NaN for made-up rows.
	Reading    Number       `json:"reading_rows_per_second"`
	Padding    Padding      `json:"padding"`
	Latency    []Latency    `json:"latency"`
	Throughput []Throughput `json:"throughput"`
	Choices    []Choice     `json:"choices"`
	Noise      Noise        `json:"noise"`
	LeftOut    int          `json:"left_out"` // measurements that there was no time for
	Problems   []string     `json:"problems"`
	NoBatch    bool         `json:"no_batch"`
	XLA        *XLA         `json:"xla"` // nil: XLA was off
}

// XLA is what XLA did for the measured session. Throughput is measured with XLA, latency with and
// without.
type XLA struct {
	Mode      runner.XLA `json:"mode"`
	Shapes    int        `json:"shapes"` // compiled shapes
	CompileMS Number     `json:"compile_ms"`
	Runs      int64      `json:"runs"`
	PlainRuns int64      `json:"plain_runs"` // runs of the same signature without XLA
	Fallback  string     `json:"fallback,omitempty"`
}

func xlaOf(mode runner.XLA, r runner.XLAReport) *XLA {
	x := &XLA{Mode: mode, Shapes: r.Shapes, CompileMS: ms(r.CompileTime), Runs: r.Runs, PlainRuns: r.PlainRuns}
	if r.Fallback != nil {
		x.Fallback = r.Fallback.Error()
	}
	return x
}

// Rows describes the rows that were run.
type Rows struct {
	Files   []string `json:"files"` // empty: the rows were made up
	Count   int      `json:"count"`
	Lengths Lengths  `json:"lengths"`
}

// Lengths sums up the lengths of rows, as [runner.BatchInfo] counts them.
type Lengths struct {
	Least  int64 `json:"least"`
	Median int64 `json:"median"`
	P95    int64 `json:"p95"`
	Most   int64 `json:"most"`
}

func lengthsOf(sorted []int64) Lengths {
	n := len(sorted)
	at := func(q float64) int64 { return sorted[min(max(int(math.Ceil(q*float64(n)))-1, 0), n-1)] }
	return Lengths{Least: sorted[0], Median: at(0.5), P95: at(0.95), Most: sorted[n-1]}
}

// ColdStart is the time that a new process takes for one row, from its start to its answer. The
// files are in the system's cache.
type ColdStart struct {
	Runs     int    `json:"runs"`
	MedianMS Number `json:"median_ms"`
	LeastMS  Number `json:"least_ms"`
	MostMS   Number `json:"most_ms"`
	Peak     int64  `json:"peak_bytes"` // largest resident memory; 0: not known
}

// Memory is the process's resident memory; 0: not known.
type Memory struct {
	Before int64 `json:"before_bytes"` // libtensorflow is opened
	Loaded int64 `json:"loaded_bytes"`
	End    int64 `json:"end_bytes"`
	Peak   int64 `json:"peak_bytes"`
}

// Padding says whether the answers of different batchings differ.
type Padding struct {
	Possible bool   `json:"possible"` // rows differ in length
	Depends  bool   `json:"answers_depend"`
	Says     string `json:"says"`
}

// Latency is the time of one batch, from rows in memory to answers: padding, feeding, running, and
// splitting the answers into rows.
type Latency struct {
	BatchSize int    `json:"batch_size"`
	Length    int64  `json:"length"` // padded length of the batch
	XLA       bool   `json:"xla"`
	Calls     int    `json:"calls"`
	P50       Number `json:"p50_ms"`
	P95       Number `json:"p95_ms"`
	P99       Number `json:"p99_ms"`
	P999      Number `json:"p99_9_ms"`
	Max       Number `json:"max_ms"`
	Outliers  int    `json:"outliers"` // calls that took over three times the median
	Windows   int    `json:"windows"`
	Stable    bool   `json:"stable"`
}

// Throughput is the rows per second of one way of batching.
type Throughput struct {
	Batching  runner.Batching `json:"batching"`
	Workers   int             `json:"workers"`
	BatchSize int             `json:"batch_size"`
	Rate      Number          `json:"rows_per_second"`
	Waste     float64         `json:"padding"` // share of padding in what was fed
	Cores     float64         `json:"cores"`   // cores that the process kept busy
	Resident  int64           `json:"rss_bytes"`
	Windows   int             `json:"windows"`
	Stable    bool            `json:"stable"`
	Problem   string          `json:"problem,omitempty"`
}

// Choice is a recommended way of batching.
type Choice struct {
	Throughput
	// Speedup is its rate divided by that of predict without flags.
	Speedup Number `json:"speedup"`
	Gives   string `json:"gives"`
}

// near is how far, as a share, a rate may be below the best one and still count as equal.
const near = 0.03

// best returns the index of the best measurement of the given batchings: among rates within 3 % of
// the highest, the one with the fewest workers, then the smallest batch. It returns -1 if there is
// none.
func best(list []Throughput, batchings ...runner.Batching) int {
	best := -1
	highest := 0.0
	fits := func(t Throughput) bool {
		return t.Problem == "" && slices.Contains(batchings, t.Batching) && t.Rate > 0
	}
	for _, t := range list {
		if fits(t) {
			highest = max(highest, float64(t.Rate))
		}
	}
	for i, t := range list {
		if !fits(t) || float64(t.Rate) < highest*(1-near) {
			continue
		}
		if best < 0 || less(t, list[best]) {
			best = i
		}
	}
	return best
}

// less reports whether a is lighter than b: fewer workers, then a smaller batch.
func less(a, b Throughput) bool {
	if a.Workers != b.Workers {
		return a.Workers < b.Workers
	}
	if a.BatchSize != b.BatchSize {
		return a.BatchSize < b.BatchSize
	}
	return a.Batching == runner.Arrival && b.Batching != runner.Arrival
}
