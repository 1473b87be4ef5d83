package runner

import (
	"context"

	"github.com/tfrun/tfrun/dataset"
)

// MadeUpRows is job.MakeUpRows, for the tests of this package, which job imports: tests from
// outside hand it in.
var MadeUpRows func(ctx context.Context, p *Predictor, n int, lengths []int64) ([]dataset.Element, error)
