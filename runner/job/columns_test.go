//go:build cgo && !notf

package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/runner"
)

// formed is what rows of JSON with the signature's shapes become: single values without their axes,
// and a key for each value where wide is set. The axes are looked for in the values, not in the
// signature's shapes.
func formed(t *testing.T, p *runner.Predictor, rows []string, squeeze, wide bool) []string {
	t.Helper()
	single := map[string]int{} // axes of outputs of one value a row
	for _, e := range p.Function().Outputs() {
		if shape := outputComponent(p, e).Shape; e.Role == "" {
			if n, ok := shape.NumElements(); ok && n == 1 {
				single[e.Value] = shape.Rank()
			}
		}
	}
	var out []string
	for _, row := range rows {
		var fields map[string]any
		d := json.NewDecoder(strings.NewReader(row))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		flat := map[string]any{}
		for name, v := range fields {
			axes, one := single[name]
			if wide && !one {
				spread(flat, name, v)
				continue
			}
			for squeeze && axes > 0 {
				v, axes = v.([]any)[0], axes-1
			}
			flat[name] = v
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(flat); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(b.String()))
	}
	return out
}

// spread gives each value of nested lists a key of its own.
func spread(to map[string]any, name string, v any) {
	list, ok := v.([]any)
	if !ok {
		to[name] = v
		return
	}
	for i, x := range list {
		spread(to, fmt.Sprintf("%s.%d", name, i), x)
	}
}

// TestColumnsOfEveryFormat writes outputs of one and of several values a row to every format, with
// single values as numbers or as lists, and others as lists or as columns.
func TestColumnsOfEveryFormat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		model string
		o     runner.PredictOptions
	}{
		{"own_k3_multi_io", runner.PredictOptions{}},
		{"k3_autoencoder", runner.PredictOptions{Outputs: []string{"code=output_0"}}},
		{"k3_autoencoder", runner.PredictOptions{Outputs: []string{"best=output_0_labels", "p=output_0_scores"}, Heads: []runner.Head{{TopK: 3, Labels: strings.Split("abcdefgh", "")}}}},
		{"k3_autoencoder", runner.PredictOptions{Heads: []runner.Head{{ArgMax: true}}}},
		{"k3_masked", runner.PredictOptions{}},
		{"full_seed/k3", runner.PredictOptions{Batching: runner.Exact, Outputs: []string{"score=output_0"}}},
		{"full_seed/k3", runner.PredictOptions{Batching: runner.Exact, Outputs: []string{"i=output_0_indices"}, Heads: []runner.Head{{TopK: 1}}}},
		{"k3_masked", runner.PredictOptions{NoBatch: true}},
	} {
		t.Run(fmt.Sprint(test.model, test.o.Outputs, len(test.o.Heads), test.o.NoBatch), func(t *testing.T) {
			t.Parallel()
			p, err := load(t, test.model+"/model").NewPredictor(test.o)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			made, err := MakeUpRows(t.Context(), p, 5, []int64{3})
			if err != nil {
				t.Fatal(err)
			}
			in := filepath.Join(dir, "in.jsonl")
			writeRowsAs(t, in, p, made.Rows)
			run := func(j Job) []string {
				t.Helper()
				j.Source.Files = []string{in}
				if _, err := j.Run(t.Context(), p); err != nil {
					var option *runner.OptionError
					if test.o.NoBatch && j.Wide == WideColumns && errors.As(err, &option) {
						return nil // outputs of any number of rows are no number of columns
					}
					t.Fatalf("%+v: %v", j, err)
				}
				return readBack(t, p, j)
			}
			plain := run(Job{Output: filepath.Join(dir, "plain.jsonl")})
			for _, form := range []string{"jsonl", "csv", "tsv", "npz", "tfrecord", "parquet", "arrow"} {
				for _, squeeze := range []Squeeze{SqueezeTables, SqueezeAll, SqueezeNone} {
					for _, wide := range []Wide{WideList, WideColumns} {
						single := squeeze == SqueezeAll || squeeze == SqueezeTables && slices.Contains([]string{"csv", "tsv", "parquet", "arrow"}, form)
						got := run(Job{Output: filepath.Join(dir, fmt.Sprintf("%s%s.%s", squeeze, wide, form)), Squeeze: squeeze, Wide: wide})
						if got == nil {
							continue
						}
						if diff := cmp.Diff(formed(t, p, plain, single, wide == WideColumns), got); diff != "" {
							t.Errorf("%s, squeeze %q, wide %q (-want +got):\n%s", form, squeeze, wide, diff)
						}
					}
				}
			}
		})
	}
}

// What a format has no room for is refused as an option that does not fit, before the run.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	s := load(t, "k3_multi_io/model")
	for name, test := range map[string]struct {
		o    runner.PredictOptions
		j    Job
		want string // "": there is room
	}{
		"two arrays in npy":       {runner.PredictOptions{}, Job{Output: "x.npy"}, "one array, there are 2: output_0, output_1"},
		"one":                     {runner.PredictOptions{Outputs: []string{"output_1"}}, Job{Output: "x.npy"}, ""},
		"one, spread":             {runner.PredictOptions{Outputs: []string{"output_1"}}, Job{Output: "x.npy", Wide: WideColumns}, "one array, there are 4: output_1.0"},
		"kept columns in npy":     {runner.PredictOptions{Outputs: []string{"output_1"}}, Job{Output: "x.npy", Source: Source{Keep: []string{"id"}}}, `no room for column "id"`},
		"errors in npy":           {runner.PredictOptions{Outputs: []string{"output_1"}, SkipBadRows: true}, Job{Output: "x.npy"}, "no room for the errors of bad rows"},
		"an output called error":  {runner.PredictOptions{Outputs: []string{"error=output_0"}, SkipBadRows: true}, Job{Output: "x.csv"}, "says why a bad row was skipped"},
		"the same in JSON":        {runner.PredictOptions{Outputs: []string{"error=output_0"}, SkipBadRows: true}, Job{Output: "x.jsonl"}, "says why a bad row was skipped"},
		"where no row is skipped": {runner.PredictOptions{Outputs: []string{"error=output_0"}}, Job{Output: "x.csv"}, ""},
	} {
		p, err := s.NewPredictor(test.o)
		if err != nil {
			t.Fatal(err)
		}
		form, err := test.j.outputFormat()
		if err != nil {
			t.Fatal(err)
		}
		_, err = test.j.columns(p, form)
		if option := (*runner.OptionError)(nil); test.want == "" && err != nil || test.want != "" && (!errors.As(err, &option) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
