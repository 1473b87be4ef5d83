//go:build cgo && !notf

package runner

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/tensor"
)

// tableOf writes a CSV file of rows with an id and the values of the only input. Some rows cannot
// be read if bad is set.
func tableOf(t *testing.T, p *Predictor, rows int, bad bool) string {
	t.Helper()
	n, _ := tensor.NumElements(p.components[0].Shape.Dims())
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("id")
	for i := range n {
		fmt.Fprintf(&b, ",v%d", i)
	}
	b.WriteByte('\n')
	for i := range rows {
		fmt.Fprintf(&b, "%d", i)
		for k := range n {
			if bad && i%7 == 3 && k == n-1 {
				b.WriteString(",none")
			} else {
				fmt.Fprintf(&b, ",%d", rng.IntN(3))
			}
		}
		b.WriteByte('\n')
	}
	name := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestBlocksGiveWhatRowsGive(t *testing.T) {
	ran := 0
	for _, model := range []string{"k3_autoencoder", "k3_wide_sequential", "k2_fixed_batch", "mod_fixed_batch"} {
		s := load(t, filepath.Join(model, "model"))
		for _, bad := range []bool{false, true} {
			for _, o := range []PredictOptions{{}, {BatchSize: 5, Workers: 2}, {BatchSize: 64, From: 10}, {From: 1 << 20}, {Batching: Exact}, {Batching: Auto, BatchSize: 7}, {Batching: Bucket}} {
				o.SkipBadRows = bad
				p, err := s.NewPredictor(o)
				if err != nil {
					continue // the signature fixes the batch size
				}
				name := tableOf(t, p, 150, bad)
				rows := func(p *Predictor) *dataset.Dataset { return csv.Rows(p.spec, csv.Options{Keep: []string{"id"}}, name) }
				if f, err := p.blocks(rows(p)); err != nil || f == nil {
					t.Fatalf("%s: blocks() = %v, %v", model, f, err)
				} else {
					f.in.Close()
				}
				got := results(t, p, rows(p))
				o.Stats = &dataset.Stats{} // which wants to see each row
				if p, err = s.NewPredictor(o); err != nil {
					t.Fatal(err)
				}
				want := results(t, p, rows(p))
				if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.Comparer(sameTensor), cmp.Comparer(sameError)); diff != "" {
					t.Errorf("%s, %+v: rows -, blocks +\n%s", model, o, diff)
				}
				ran++
			}
		}
	}
	if ran < 20 {
		t.Errorf("only %d runs", ran)
	}
}

func sameTensor(a, b tensor.Tensor) bool { return a.Equal(b) }

func sameError(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
