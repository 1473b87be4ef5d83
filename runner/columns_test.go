//go:build cgo && !notf

package runner

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
)

// formed is what rows of JSON with the signature's shapes become: single values without their axes,
// and a key for each value where wide is set. The axes are looked for in the values, not in the
// signature's shapes.
func formed(t *testing.T, p *Predictor, rows []string, squeeze, wide bool) []string {
	t.Helper()
	single := map[string]int{} // axes of outputs of one value a row
	for _, e := range p.f.outputs {
		if shape := p.outputComponent(e).Shape; e.Role == "" {
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
		o     PredictOptions
	}{
		{"own_k3_multi_io", PredictOptions{}},
		{"k3_autoencoder", PredictOptions{Outputs: []string{"code=output_0"}}},
		{"k3_autoencoder", PredictOptions{Outputs: []string{"best=output_0_labels", "p=output_0_scores"}, Heads: []Head{{TopK: 3, Labels: strings.Split("abcdefgh", "")}}}},
		{"k3_autoencoder", PredictOptions{Heads: []Head{{ArgMax: true}}}},
		{"k3_masked", PredictOptions{}},
		{"full_seed/k3", PredictOptions{Batching: Exact, Outputs: []string{"score=output_0"}}},
		{"full_seed/k3", PredictOptions{Batching: Exact, Outputs: []string{"i=output_0_indices"}, Heads: []Head{{TopK: 1}}}},
		{"k3_masked", PredictOptions{NoBatch: true}},
	} {
		t.Run(fmt.Sprint(test.model, test.o.Outputs, len(test.o.Heads), test.o.NoBatch), func(t *testing.T) {
			t.Parallel()
			p, err := load(t, test.model+"/model").NewPredictor(test.o)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			made, err := p.MakeUpRows(t.Context(), 5, []int64{3})
			if err != nil {
				t.Fatal(err)
			}
			in := filepath.Join(dir, "in.jsonl")
			writeRowsAs(t, in, p, made.Rows)
			run := func(j Job) []string {
				t.Helper()
				j.Source.Files = []string{in}
				if _, err := p.Run(t.Context(), j); err != nil {
					var option *OptionError
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

// TestOutputNames holds what outputs may be asked for, and what is refused.
func TestOutputNames(t *testing.T) {
	t.Parallel()
	s := load(t, "k3_autoencoder/model")
	top := []Head{{TopK: 2}}
	for _, test := range []struct {
		outputs []string
		heads   []Head
		want    string // the outputs, or what the error holds
	}{
		{nil, nil, "output_0"},
		{[]string{"x=output_0"}, nil, "x"},
		{[]string{"x=output_0"}, top, "x_scores x_indices"},
		{[]string{"x=output_0"}, []Head{{TopK: 2, Output: "output_0"}}, "x_scores x_indices"},
		{[]string{"i=output_0_indices"}, top, "i"},
		{[]string{"i=output_0_indices", "output_0_scores"}, top, "i output_0_scores"},
		{[]string{"a=output_0", "b=output_0"}, nil, "a b"},
		{[]string{"output_0", "output_0"}, nil, `two outputs would be called "output_0"`},
		{[]string{"a=output_1"}, nil, `output "output_1": the signature has no such output`},
		{[]string{"a=output_0_labels"}, top, `output "output_0_labels": the signature has no such output`},
		{nil, []Head{{TopK: 9}}, "topk=9: output \"output_0\" has 8 classes"},
		{nil, []Head{{TopK: 3, Labels: []string{"a", "b"}}}, "2 labels for the 8 classes"},
		{nil, []Head{{ArgMax: true, Labels: strings.Split("abcdefghi", "")}}, "9 labels for the 8 classes"},
	} {
		p, err := s.NewPredictor(PredictOptions{Outputs: test.outputs, Heads: test.heads})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join(p.OutputNames(), " ")
		}
		if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
			t.Errorf("outputs %v, heads %+v: %s, want %s", test.outputs, test.heads, got, test.want)
		}
	}
}
