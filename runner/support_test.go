package runner

import (
	"strings"

	"github.com/tfrun/tfrun/dataset"
)

// jsonRows reads rows of JSON as a predictor runs them.
func jsonRows(p *Predictor, text string) *dataset.Dataset {
	return p.Complete(dataset.JSONL(strings.NewReader(text), p.GivenSpec(), dataset.JSONLOptions{Name: "stdin"}))
}
