package runner_test

import (
	"context"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
)

func init() {
	runner.MadeUpRows = func(ctx context.Context, p *runner.Predictor, n int, lengths []int64) ([]dataset.Element, error) {
		made, err := job.MakeUpRows(ctx, p, n, lengths)
		return made.Rows, err
	}
}
