//go:build cgo && !notf

package runner

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/padding"
)

// truth is what testdata/padding/make_padding.py found out about a model by running it.
type truth struct {
	Outputs map[string]struct {
		Padding *bool // nil: nothing can be padded
		Company bool
	}
	Rows []json.RawMessage
}

const truthDir = "../testdata/padding"

func readTruth(t *testing.T) map[string]truth {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(truthDir, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]truth{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	sampleUnderRace(all)
	return all
}

// sampleUnderRace leaves one of eight cases that are alike: the detector of races takes ten times
// as long, and looks at code, not at models.
func sampleUnderRace[T any](all map[string]T) {
	if !underRace {
		return
	}
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if i%8 > 0 {
			delete(all, name)
		}
	}
}

// lines writes the rows as a file of JSON has them.
func (c truth) lines() string {
	var b strings.Builder
	for _, row := range c.Rows {
		b.Write(row)
		b.WriteByte('\n')
	}
	return b.String()
}

// TestTrialsFindTheTruth: for each model whose truth is known, trials on its rows show an effect of
// padding, and of other rows, where there is one, and none where there is none.
func TestTrialsFindTheTruth(t *testing.T) {
	for name, c := range readTruth(t) {
		if len(c.Rows) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p, err := load(t, "../padding/"+name).NewPredictor(PredictOptions{})
			if err != nil {
				t.Fatal(err)
			}
			rows, err := jsonRows(p, c.lines()).Collect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			v, err := p.Try(t.Context(), rows)
			if err != nil {
				t.Fatal(err)
			}
			for i, out := range slices.Sorted(maps.Keys(c.Outputs)) {
				want := c.Outputs[out]
				if got := v.Company.Effects[i]; v.Company.Trials == 0 || got.Depends == want.Company {
					t.Errorf("output %s: %d trials: other rows change it: %v (%v), want %v", out, v.Company.Trials, got.Depends, got, !want.Company)
				}
				if v.Company.Depends() {
					continue // what padding does cannot be told from that
				}
				if want.Padding == nil {
					if !v.Fixed {
						t.Errorf("output %s: something can be padded", out)
					}
					continue
				}
				if got := v.Padding.Effects[i]; v.Padding.Trials == 0 || got.Depends == *want.Padding {
					t.Errorf("output %s: %d trials: padding changes it: %v (%v), want %v", out, v.Padding.Trials, got.Depends, got, !*want.Padding)
				}
			}
			t.Log(v)
		})
	}
}

// TestTrialsAreKept: what trials have shown of other rows holds for later runs of as few rows, as
// for the streams of one process; more rows are tried anew.
func TestTrialsAreKept(t *testing.T) {
	tried := 0
	for name, c := range readTruth(t) {
		if len(c.Rows) < 2 {
			continue
		}
		p, err := load(t, "../padding/"+name).NewPredictor(PredictOptions{Batching: Exact})
		if err != nil {
			t.Fatal(err)
		}
		if company, _ := p.proofs(); company.Answer != padding.Unknown || p.twin != nil {
			continue
		}
		tried++
		rows, err := jsonRows(p, c.lines()).Collect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var found []Finding
		for _, n := range []int{1, len(rows), 1, len(rows)} {
			again, err := p.With(func(o *PredictOptions) { o.BatchSize = 64 })
			if err != nil {
				t.Fatal(err)
			}
			v, err := again.find(t.Context(), rows[:n], wanted{twin: true})
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, v.Company)
		}
		kept := func(i, j int) bool { return &found[i].Effects[0] == &found[j].Effects[0] }
		if !found[0].Depends() && kept(0, 1) || !kept(1, 2) || !kept(1, 3) {
			t.Errorf("%s: %d, %d, %d and %d trials; want those of all rows to be kept, and those of one not", name, found[0].Trials, found[1].Trials, found[2].Trials, found[3].Trials)
		}
	}
	if tried == 0 && !underRace {
		t.Error("no model asks for trials")
	}
}
