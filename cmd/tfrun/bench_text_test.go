package main

import (
	"bytes"
	"encoding/csv"
	"math"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/bench"
)

// benchReport is a report with a bit of everything.
func benchReport() *bench.Report {
	unknown := bench.Number(math.NaN())
	best := bench.Throughput{Batching: runner.Bucket, Workers: 2, BatchSize: 256, Rate: 12345.6, Waste: 0.04, Cores: 1.93, Resident: 400 << 20, Windows: 3, Stable: true}
	return &bench.Report{
		Model: "model", Signature: "serving_default",
		Machine:   bench.Machine{Processor: "Some Processor with a long name @ 2.10GHz", Cores: 2, Load: 0.4},
		Rows:      bench.Rows{Files: []string{"rows.jsonl"}, Count: 4096, Lengths: bench.Lengths{Least: 3, Median: 55, P95: 180, Most: 1325}},
		ColdStart: &bench.ColdStart{Runs: 5, MedianMS: 412, LeastMS: 401.2, MostMS: 1455.5, Peak: 350 << 20},
		LibraryMS: 201.4, LoadMS: 98.7654, FirstMS: 9.996,
		Memory:  bench.Memory{Before: 20 << 20, Loaded: 300 << 20, Peak: 2 << 30},
		Reading: 9000, Padding: bench.Padding{Possible: true, Says: "padding does not change the answers"},
		Latency: []bench.Latency{
			{BatchSize: 1, Length: 55, P50: 1.234, P95: 2.5, P99: 9.99, P999: unknown, Calls: 800, Outliers: 7, Stable: true},
			{BatchSize: 1024, Length: 1325, P50: 12345, P95: unknown, P99: unknown, P999: unknown, Calls: 3},
		},
		Throughput: []bench.Throughput{
			{Batching: runner.Arrival, Workers: 1, BatchSize: 64, Rate: 4000, Waste: 0.78, Cores: 1.4, Resident: 310 << 20, Stable: true},
			best,
			{Batching: runner.Bucket, Workers: 2, BatchSize: 4096, Problem: "run:\nout of memory"},
		},
		Choices: []bench.Choice{{Throughput: best, Speedup: 3.09, Gives: "the same answers as any other batching"}},
		Noise:   bench.Noise{Own: 1.5, Others: 0.4, Steal: 0.01},
		LeftOut: 2, Problems: []string{"cold start: exit status 1"},
	}
}

// TestBenchText: what must be said is there, and fits a terminal; commands alone may be longer,
// since a broken one cannot be copied.
func TestBenchText(t *testing.T) {
	t.Parallel()
	o := benchOptions{predict: predictOptions{model: "my model", inputs: []string{"rows.jsonl"}}, flags: [][]string{{"--pad", "x=1"}}}
	r := benchReport()
	text := benchText(r, o.commands(r), 80)
	for _, want := range []string{
		"the first 4,096 rows of rows.jsonl; 3 to 1,325 entries long,\n",
		"cold start     412 ms from a new process to its answer for one row, the median\n               of 5 from 401 to 1,456; peak of its memory 350.0 MiB\n",
		"open libtensorflow 201 ms, load 98.8 ms, first call 10.0 ms",
		"     1        55      1.23      2.50      9.99         –      800\n",
		"  1024     1,325    12,345         –         –         –        3  not stable\n",
		"bucket         2        256    12,346      4 %    1.9  400.0 MiB\n",
		"bucket         2       4096  run:; out of memory\n",
		"\n  tfrun predict 'my model' rows.jsonl --pad x=1 --batch-size 256 --workers 2 --batching bucket\n",
		"12,346 rows/s, 3.1 times as many as without these flags",
		"other programs kept 0.4 of 2 cores busy",
		"1 of 5 figures are not stable",
		"7 of 803 calls took more than three times the median",
		"There was no time for 2 more measurements",
		"reading bounds the run",
		"cold start: exit status 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if len([]rune(line)) > 80 && !strings.HasPrefix(line, "  tfrun ") {
			t.Errorf("%d columns: %s", len([]rune(line)), line)
		}
	}
}

// TestBenchCSV: every line has the header's columns, and what is not known is empty.
func TestBenchCSV(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := writeBenchCSV(&b, benchReport()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+1+3+2+3 {
		t.Errorf("%d lines", len(rows))
	}
	if got := strings.Join(rows[5], ","); got != "latency,arrival,1,1,55,,1.234,2.5,9.99,,0,,,,true" {
		t.Errorf("latency: %s", got)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"a/b.c": "a/b.c", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "x=[1,null]": "'x=[1,null]'"} {
		if got := shellQuote(word); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", word, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for want, list := range map[string][]int64{
		"":                               {},
		"7":                              {7},
		"1-3, 7":                         {1, 2, 3, 7},
		"1, 3, 5, 7, 9, 11, 13, 15, …":   {1, 3, 5, 7, 9, 11, 13, 15, 17, 19},
		"1-2, 4-5, 7, 9, 11, 13, 15, 17": {1, 2, 4, 5, 7, 9, 11, 13, 15, 17},
	} {
		if got := numbers(list); got != want {
			t.Errorf("numbers(%v) = %q, want %q", list, got, want)
		}
	}
}
