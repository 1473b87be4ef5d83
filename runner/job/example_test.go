//go:build cgo && !notf

package job_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/dataset/text"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// A whole job: a file of rows in, a file of results out, with all that is left open chosen to suit.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	in, out := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "scores.csv")
	if err := os.WriteFile(in, []byte("[12, 7, 431]\n[5]\n[88, 3]\n"), 0o600); err != nil {
		log.Fatal(err)
	}

	scores := job.Job{Source: job.Source{Files: []string{in}}, Output: out}
	sum, err := job.Run(context.Background(), "../../testdata/models/full_seed/k3/model", runner.Options{}, runner.PredictOptions{}, scores)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Rows, "rows")
	// Output: 3 rows
}

// What a run would do, from the model's files and the first rows: TensorFlow is not needed.
func ExampleJob_Describe() {
	m, err := savedmodel.Open("../../testdata/models/full_seed/k3/model")
	if err != nil {
		log.Fatal(err)
	}
	p, err := runner.DryPredictor(m, runner.Options{}, runner.PredictOptions{BatchSize: 2})
	if err != nil {
		log.Fatal(err)
	}
	rows := job.Source{Files: []string{"-"}, Format: "jsonl", Stdin: strings.NewReader("[12, 7, 431]\n[5]\n[88, 3]\n")}
	plan, err := job.Job{Source: rows}.Describe(context.Background(), p, 1000)
	if err != nil {
		log.Fatal(err)
	}
	in := plan.Inputs[0]
	fmt.Println(in.Name, in.DType, in.Shape, "of", in.Least, "to", in.Most, "steps")
	fmt.Println(plan.Sample.Rows, "rows in", plan.Sample.Batches, "batches")
	// Output:
	// keras_tensor float32 (None,) of 1 to 3 steps
	// 3 rows in 2 batches
}

// Texts, which a vocabulary outside the model's graph turns into ids.
func ExampleSource_Rows() {
	const reviews = "../../examples/reviews/"
	vocabulary, err := text.Open(reviews+"vocab.subwords", text.Auto)
	if err != nil {
		log.Fatal(err)
	}
	s, err := runner.Load(context.Background(), reviews+"model", runner.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	p, err := s.NewPredictor(runner.PredictOptions{})
	if err != nil {
		log.Fatal(err)
	}
	lines := strings.NewReader("A wonderful film, with a great cast.\nDull, and far too long.\n")
	rows, err := job.Source{Files: []string{"-"}, Stdin: lines, Format: "txt", Encoder: vocabulary}.Rows(p)
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range p.Predict(context.Background(), rows) {
		if err != nil {
			log.Fatal(err)
		}
		score, _ := tensor.Values[float32](r.Values[0].Tensor)
		fmt.Println("liked:", score[0] > 0.5)
	}
	// Output:
	// liked: true
	// liked: false
}
