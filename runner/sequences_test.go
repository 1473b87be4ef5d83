package runner

import (
	stdcmp "cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// padSequences is Keras' pad_sequences for one row, written from its documentation.
func padSequences(row []float32, maxLen int, padding, truncating Side, value float32) []float32 {
	if len(row) > maxLen {
		if truncating == Pre {
			row = row[len(row)-maxLen:]
		} else {
			row = row[:maxLen]
		}
	}
	out := slices.Repeat([]float32{value}, maxLen)
	if padding == Pre {
		copy(out[maxLen-len(row):], row)
	} else {
		copy(out, row)
	}
	return out
}

// TestSequencesAsKeras feeds rows of any length with every choice of sides, padded to a given
// length or to the longest of the batch, and looks at what the engine is fed.
func TestSequencesAsKeras(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // the same rows every time
	for n := range 60 {
		var rows [][]float32
		var text strings.Builder
		longest := 0
		for range 1 + rng.IntN(7) {
			row := make([]float32, rng.IntN(9))
			words := make([]string, len(row))
			for k := range row {
				row[k] = float32(1 + rng.IntN(9))
				words[k] = fmt.Sprint(row[k])
			}
			longest = max(longest, len(row))
			rows = append(rows, row)
			fmt.Fprintf(&text, "[%s]\n", strings.Join(words, ","))
		}
		s := Sequences{PadSide: []Side{"", Pre, Post}[n%3], Truncate: []Side{Pre, Post}[n/3%2]}
		length := longest
		if n%4 > 0 {
			length = 1 + rng.IntN(6)
			s.MaxLen = map[string]int64{"": int64(length)}
		}
		value := float32(rng.IntN(2) * 7)
		var fed [][]float32
		e := &fakeEngine{refuse: func(rows [][]float32) error {
			for _, r := range rows {
				fed = append(fed, slices.Clone(r))
			}
			return nil
		}}
		p, err := fakeSession(t, e).NewPredictor(PredictOptions{
			Sequences: s, Workers: 1, BatchSize: 64, Pad: map[string]tensor.Tensor{"keras_tensor": tensor.Scalar(value)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.collect(t.Context(), jsonRows(p, text.String())); err != nil {
			if length == 0 {
				continue // rows of no entries
			}
			t.Fatal(err)
		}
		var want [][]float32
		for _, r := range rows {
			want = append(want, padSequences(r, length, s.PadSide, s.Truncate, value))
		}
		if diff := cmp.Diff(want, fed); diff != "" && length > 0 {
			t.Fatalf("%+v, pad %v, rows %v (-want +fed):\n%s", s, value, rows, diff)
		}
	}
}

// TestTooLongForMaxLen is an error of its row, unless it is to be cut.
func TestTooLongForMaxLen(t *testing.T) {
	t.Parallel()
	p, err := fakeSession(t, &fakeEngine{}).NewPredictor(PredictOptions{Sequences: Sequences{MaxLen: map[string]int64{"": 2}}, SkipBadRows: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.collect(t.Context(), jsonRows(p, "[1]\n[1,2,3]\n[1,2]\n"))
	if err != nil || len(got) != 3 || got[0].Err != nil || got[2].Err != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := `stdin:2: field "keras_tensor": 3 entries are more than 2; --truncate pre or post cuts them`; fmt.Sprint(got[1].Err) != want {
		t.Errorf("%v, want %s", got[1].Err, want)
	}
}

// TestNamesOfOptions gives every option that names inputs or outputs a name that there is not, the
// empty one among them: an error, before any row.
func TestNamesOfOptions(t *testing.T) {
	t.Parallel()
	const in = "keras_tensor"
	for _, name := range []string{"", "x", in + ":0", " "} {
		for option, o := range map[string]PredictOptions{
			"Outputs":      {Outputs: []string{name}},
			"Pad":          {Pad: map[string]tensor.Tensor{name: tensor.Scalar(float32(1))}},
			"PadTo":        {PadTo: map[string]int64{name: 3}},
			"PaddedShapes": {PaddedShapes: map[string]dataset.Dims{name: {3}}},
			"Lengths":      {Sequences: Sequences{Lengths: map[string]string{name: in}}},
			"Masks":        {Sequences: Sequences{Masks: map[string]string{name: in}}},
			"Set":          {Sequences: Sequences{Set: map[string]tensor.Tensor{name: tensor.Scalar(float32(1))}}},
			"Masks of":     {Sequences: Sequences{Masks: map[string]string{in: name}}},
			// For MaxLen "" is all inputs.
			"MaxLen": {Sequences: Sequences{MaxLen: map[string]int64{stdcmp.Or(name, "x"): 2}}},
		} {
			p, err := fakeSession(t, &fakeEngine{}).NewPredictor(o)
			if err == nil {
				t.Errorf("%s of %q: no error, and %+v", option, name, p.Options())
			}
		}
	}
	both := Sequences{Lengths: map[string]string{in: ""}, Masks: map[string]string{in: ""}}
	if _, err := fakeSession(t, &fakeEngine{}).NewPredictor(PredictOptions{Sequences: both}); err == nil {
		t.Error("a length and a mask for one input: no error")
	}
}
