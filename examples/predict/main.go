// Command predict runs the rows of a file through a model and writes a file of results:
//
//	predict MODEL rows.jsonl scores.csv
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: predict MODEL ROWS RESULTS")
	}
	files := job.Job{Source: job.Source{Files: os.Args[2:3]}, Output: os.Args[3]}
	sum, err := job.Run(context.Background(), os.Args[1], runner.Options{}, runner.PredictOptions{}, files)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Rows, "rows in", sum.Duration)
}
