package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel/padding"
)

// effectDiagnosis is a [runner.Finding].
type effectDiagnosis struct {
	Depends bool `json:"depends"`
	// Proof is "independent", "depends" or "unknown": what follows from the graph. With it come the
	// reasons, and conditions on rows under which it holds.
	Proof    string             `json:"proof"`
	Chain    []string           `json:"why"`
	Needs    []string           `json:"needs"`
	Trials   int                `json:"trials"`  // compared answers
	Refused  int                `json:"refused"` // batches that the model does not run
	Why      string             `json:"refused_why,omitempty"`
	Rows     int                `json:"rows"`      // tried rows, and beginnings of them
	PaddedTo int64              `json:"padded_to"` // 0: no input has an open axis
	Outputs  []outputDifference `json:"outputs"`
}

// outputDifference is a [runner.Effect].
type outputDifference struct {
	Output  string   `json:"output"`
	Depends bool     `json:"depends"`
	Grows   bool     `json:"shape_grows"`
	MaxAbs  *float64 `json:"max_abs"` // nil: a changed value has no distance, as strings
	Scale   float64  `json:"largest_answer"`
	Rows    []int64  `json:"rows"`      // with changed answers, from 1
	Worst   int64    `json:"worst_row"` // 0: none

	effect runner.Effect
}

func diagnose(f runner.Finding) *effectDiagnosis {
	d := &effectDiagnosis{
		Depends: f.Depends(), Proof: f.Proof.Answer.String(), Chain: append([]string{}, f.Proof.Chain...), Needs: []string{},
		Trials: f.Trials, Refused: f.Refused, Rows: f.Rows, PaddedTo: f.PaddedTo, Outputs: []outputDifference{},
	}
	for _, n := range f.Proof.Needs {
		d.Needs = append(d.Needs, n.String())
	}
	if f.Err != nil {
		d.Why = oneLine(message(f.Err))
	}
	for _, e := range f.Effects {
		out := outputDifference{Output: e.Output, Depends: e.Depends, Grows: e.Shape, Scale: e.Scale, Rows: []int64{}, Worst: e.Worst + 1, effect: e}
		if !math.IsInf(e.MaxAbs, 0) {
			out.MaxAbs = &e.MaxAbs
		}
		for _, row := range e.Rows {
			out.Rows = append(out.Rows, row+1)
		}
		d.Outputs = append(d.Outputs, out)
	}
	return d
}

// effectWords are words for a cause of effects, with the verbs that go with it.
type effectWords struct{ cause, not, loud string }

// describe writes how a cause, such as padding, changes each output: first what is proven, then
// what was tried. unclear says that answers differ even without the cause.
func (f *effectDiagnosis) describe(line func(what, format string, args ...any), what string, w effectWords, unclear bool) {
	if f.Depends && unclear {
		line(what, "cannot be told from what differs without it")
		return
	}
	tried := fmt.Sprintf("%s trials", words.Thousands(int64(f.Trials)))
	if f.PaddedTo > 0 {
		tried += fmt.Sprintf(": %s and beginnings of them, padded up to %s entries", rowCount(int64(f.Rows)), words.Thousands(f.PaddedTo))
	}
	seen := false
	for _, o := range f.Outputs {
		seen = seen || o.Depends
	}
	switch {
	case seen:
		line(what, "%s the answers, in %s", w.loud, tried)
	case f.Proof == padding.Depends.String():
		line(what, "%s the answers, as follows from the graph; it does not show in %s", w.loud, tried)
	case f.Proof == padding.Independent.String():
		line(what, "proven: %s %s the answers; no effect in %s", w.cause, w.not, tried)
	case f.Trials == 0:
		line(what, "cannot be tried: the model runs no batch of these rows (%s)", f.Why)
	default:
		line(what, "no effect of %s in %s", w.cause, tried)
	}
	for _, o := range f.Outputs {
		o.describe(line)
	}
	switch {
	case f.Proof == padding.Depends.String():
		line("", "because %s", strings.Join(f.Chain, "; "))
	case f.Proof == padding.Unknown.String() && len(f.Chain) > 0:
		line("", "It is not proven: %s.", strings.Join(f.Chain, "; "))
	case len(f.Needs) > 0:
		line("", "Other rows are run by themselves than those of which %s.", strings.Join(f.Needs, ", and "))
	}
	if f.Refused > 0 {
		line("", "%d batches were refused: %s", f.Refused, f.Why)
	}
}

// describe writes the difference to one output.
func (o outputDifference) describe(line func(what, format string, args ...any)) {
	rows := fmt.Sprintf("in row %s", numbers(o.Rows))
	if len(o.Rows) > 1 {
		rows = fmt.Sprintf("in %d rows (%s)", len(o.Rows), numbers(o.Rows))
	}
	if o.Depends {
		rows += ", most in " + o.effect.Where()
	}
	switch {
	case o.Grows:
		line("", "%s has another shape, %s", o.Output, rows)
	case o.MaxAbs == nil && o.Depends:
		line("", "%s has values that are not the same, %s", o.Output, rows)
	case o.Depends:
		line("", "%s by up to %.2g, where answers reach %.2g, %s", o.Output, *o.MaxAbs, o.Scale, rows)
	case *o.MaxAbs == 0:
		line("", "%s not at all", o.Output)
	default:
		line("", "%s by %.1g at most, which is rounding", o.Output, *o.MaxAbs)
	}
}
