//go:build cgo && !notf

package job

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tfrun/tfrun/runner"
)

func TestMain(m *testing.M) {
	runner.IsolateMain()
	goleak.VerifyTestMain(m)
}

// load loads a model of testdata for the length of a test.
func load(t *testing.T, model string) *runner.Session {
	t.Helper()
	return loadDir(t, filepath.Join("../../testdata/models", model), runner.Options{})
}

// loadDir loads a model for the length of a test.
func loadDir(t *testing.T, dir string, o runner.Options) *runner.Session {
	t.Helper()
	s, err := runner.Load(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// predict runs a source and returns all results.
func predict(t *testing.T, s *runner.Session, o runner.PredictOptions, src Source) []runner.Result {
	t.Helper()
	p, err := s.NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	var all []runner.Result
	for r, err := range p.Predict(t.Context(), mustRows(t, p, src)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}
