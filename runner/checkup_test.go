//go:build cgo && !notf

package runner

import (
	"slices"
	"testing"

	"github.com/tfrun/tfrun/dataset"
)

// checkUp runs a check on rows of JSON.
func checkUp(t *testing.T, model, rows string, o PredictOptions) Checkup {
	t.Helper()
	p, err := load(t, model).NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	all, err := jsonRows(p, rows).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.CheckUp(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCheckUp tells padding, chance and state apart.
func TestCheckUp(t *testing.T) {
	const ids = "[1,2,3]\n[4,5,6,7,8]\n[9]\n"
	for _, tt := range []struct {
		model, rows   string
		o             PredictOptions
		steady, alone bool
		depends       bool
		rowsThat      []int64 // depend on padding
	}{
		{"full_seed/k3/model", ids, PredictOptions{}, true, true, true, []int64{0, 1, 2}},
		{"k3_masked/model", ids, PredictOptions{BatchSize: 2}, true, true, false, nil},
		{"mod_random/model", "1\n2\n", PredictOptions{Outputs: []string{"noise"}}, false, false, false, nil},
		{"mod_counter/model", "[1]\n", PredictOptions{NoBatch: true}, false, true, false, nil},
	} {
		t.Run(tt.model, func(t *testing.T) {
			c := checkUp(t, tt.model, tt.rows, tt.o)
			if c.Steady() != tt.steady || (c.Verdict.Company.Depends() == tt.alone) || c.Verdict.Padding.Depends() != tt.depends || c.FirstRun <= 0 {
				t.Errorf("steady %v, alone %v, padding %v, first run %v; want %v, %v, %v", c.Steady(), !c.Verdict.Company.Depends(), c.Verdict, c.FirstRun, tt.steady, tt.alone, tt.depends)
			}
			if len(c.Verdict.Padding.Effects) > 0 && !slices.Equal(c.Verdict.Padding.Effects[0].Rows, tt.rowsThat) {
				t.Errorf("rows %v depend on padding, want %v", c.Verdict.Padding.Effects[0].Rows, tt.rowsThat)
			}
		})
	}
}

// TestTryNamesRows: of rows whose padding cannot show, none is named.
func TestTryNamesRows(t *testing.T) {
	p, err := load(t, "full_seed/k3/model").NewPredictor(PredictOptions{From: 100})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := jsonRows(p, "[1,2,3]\n[4,5]\n").Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows[0].Row, rows[1].Row = 100, 101
	report, err := p.Try(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	e := report.Padding.Effects[0]
	if !slices.Equal(e.Rows, []int64{100, 101}) || e.Worst < 100 || e.Scale < 0.3 || e.Scale > 0.7 {
		t.Errorf("rows %v, the worst %d, scale %g; want rows 100 and 101 and a scale near 0.5", e.Rows, e.Worst, e.Scale)
	}
}

// TestCheckUpNeedsRows: without rows there is nothing to say.
func TestCheckUpNeedsRows(t *testing.T) {
	p, err := load(t, "k3_masked/model").NewPredictor(PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CheckUp(t.Context(), []dataset.Element{}); err == nil {
		t.Error("no error")
	}
}
