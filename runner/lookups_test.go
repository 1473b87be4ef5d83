//go:build cgo && !notf

package runner

import (
	"fmt"
	"math"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/internal/rewrite"
)

// A loop that looks up products gives the answers of one that multiplies, and the same error for an
// id beyond the table, compiled or not.
func TestLookups(t *testing.T) {
	for _, model := range modeltest.Sample([]string{"k3_seed", "k2_seed", "k2_stacked", "k3_masked", "k2_gru", "full_seed/k2"}) {
		_, plain := loadXLA(t, model, Options{Optimizer: OptimizerNone})
		for _, o := range []Options{{}, {XLA: XLAOn}} {
			s, f := loadXLA(t, model, o)
			if has, err := rewrite.HasLookups(s.MetaGraph()); err != nil || !has {
				t.Fatalf("%s has lookups: %v, %v", model, has, err)
			}
			for _, n := range []int{1, 2, 7, 40} {
				ids := make([]float32, n)
				for i := range ids {
					ids[i] = float32((7*i + n) % 40)
				}
				want, err := runIDs(t, plain, ids...)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := runIDs(t, f, ids...); err != nil || math.Abs(float64(got-want)) > 1e-6 {
					t.Errorf("%s, XLA %q, %d ids: %v, %v, want %v", model, o.XLA, n, got, err, want)
				}
			}
			_, want := runIDs(t, plain, 1, 2, 1e6, 3)
			if _, err := runIDs(t, f, 1, 2, 1e6, 3); err == nil || fmt.Sprint(err) != fmt.Sprint(want) {
				t.Errorf("%s, XLA %q, an id beyond the table: %v, want %v", model, o.XLA, err, want)
			}
		}
	}
}
