//go:build cgo && !notf

package bench_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/bench"
	"github.com/tfrun/tfrun/savedmodel"
)

// How quick is a model, and with which options? Over rows that are made up, of two lengths.
func ExampleRun() {
	m, err := savedmodel.Open("../../testdata/models/full_seed/k3/model")
	if err != nil {
		log.Fatal(err)
	}
	report, err := bench.Run(context.Background(), m, bench.Options{
		Lengths:    []int64{2, 8},
		BatchSizes: []int{1, 8},
		Workers:    []int{1},
		Batchings:  []runner.Batching{runner.Arrival},
		Duration:   time.Second,
		Quick:      true,
	})
	if err != nil {
		log.Fatal(err)
	}
	best := report.Throughput[0]
	for _, t := range report.Throughput {
		if t.Rate > best.Rate {
			best = t // of BatchSize, Workers and Batching
		}
	}
	fmt.Println("rows of", report.Rows.Lengths.Least, "to", report.Rows.Lengths.Most, "steps:", best.Rate > 0)
	// Output: rows of 2 to 8 steps: true
}
