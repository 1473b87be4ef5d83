package runner

import (
	"fmt"
	"math"
	"strings"

	"github.com/tfrun/tfrun/savedmodel/padding"
)

// Verdict says what the answer for a row depends on beside the row itself: on the other rows of the
// batch, or on how far the row is padded.
type Verdict struct {
	// Fixed says that no input has an open axis: all rows have one shape, and none is ever padded.
	Fixed bool
	// Twin says that padding is kept out of the answers, by a twin of the signature that takes the
	// rows' lengths.
	Twin bool
	// Company is the effect of the other rows of a batch, where all have the same shape. Padding is
	// the effect of how far a row is padded, whatever rows come with it.
	Company, Padding Finding
}

// Finding is what is known of one effect: what follows from the graph, and what running rows
// showed.
type Finding struct {
	// Proof is what follows from the graph. Where it is not Unknown, there may be no trials.
	Proof Proof
	// Trials is how many answers were compared with what their rows give alone. Refused is how many
	// could not be compared, because the model does not run such a batch; Err is the last reason.
	Trials, Refused int
	Err             error
	// Rows is how many rows of the data were tried: each as it is, and as beginnings of 1, 2, 4, …
	// steps. PaddedTo is the number of steps that the longest padded row had.
	Rows     int
	PaddedTo int64
	// Effects has an entry for each output, in their order.
	Effects []Effect
}

// Effect is the difference that other rows, or padding, made to one output.
type Effect struct {
	Output string
	// MaxAbs is the largest absolute difference of a number; infinite where an integer, a string, a
	// bool, an infinity or a NaN changed. Scale, to compare it with, is the largest finite number,
	// without its sign, among the answers.
	MaxAbs, Scale float64
	// Rows are the numbers of the rows whose answers changed, in order, from 0. Worst is the row
	// with the largest difference, or -1. Of its WorstSteps steps, the first Steps were run, padded
	// to PaddedTo.
	Rows              []int64
	Worst             int64
	Steps, WorstSteps int64
	PaddedTo          int64
	// Shape says that the output's own shape changed, as that of an answer for each time step does.
	Shape bool
	// Depends says that the difference is more than rounding: above 1e-5 + 1e-4 of the value, or
	// 1e-2 of it for 16-bit floats.
	Depends bool
}

// Depends reports whether answers depend on the effect: trials showed it, or the graph proves it.
func (f Finding) Depends() bool {
	return depends(f.Effects) || f.Proof.Answer == padding.Depends
}

// Free reports whether answers may be taken to be free of the effect: the graph proves it, or
// trials were made and none showed the effect.
func (f Finding) Free() bool {
	return !f.Depends() && (f.Trials > 0 || f.Proof.Answer == padding.Independent)
}

func depends(effects []Effect) bool {
	for _, e := range effects {
		if e.Depends {
			return true
		}
	}
	return false
}

// Alone reports whether rows of one shape may share a batch: each gets the answer that it gets
// alone.
func (v Verdict) Alone() bool { return v.Company.Free() }

// Paddable reports whether rows of any shapes may share a batch.
func (v Verdict) Paddable() bool { return v.Alone() && (v.Fixed || v.Padding.Free()) }

// String says in one line why rows may share a batch, or why they may not.
func (v Verdict) String() string {
	switch {
	case v.Company.Depends():
		return "other rows of a batch change " + v.Company.shown()
	case v.Fixed:
		return "nothing is ever padded: rows have one shape, or are ragged"
	case v.Padding.Depends():
		return "padding changes " + v.Padding.shown()
	case !v.Company.Free():
		return v.Company.nothingTried()
	case !v.Padding.Free():
		return v.Padding.nothingTried()
	case v.Company.Proof.Answer == padding.Independent && v.Padding.Proof.Answer == padding.Independent:
		return "proven: neither padding nor other rows change an answer"
	}
	return fmt.Sprintf("no effect of padding or of other rows in %d trials (%d rows and beginnings of them, padded up to %d)",
		v.Company.Trials+v.Padding.Trials, v.Padding.Rows, v.Padding.PaddedTo)
}

// shown names the output that the effect shows in, with its size where that was seen, else with the
// reason.
func (f Finding) shown() string {
	if depends(f.Effects) {
		return f.worst().String()
	}
	chain := f.Proof.Chain
	return fmt.Sprintf("output %q: %s", f.Proof.Output, strings.Join(chain[max(0, len(chain)-1):], ""))
}

// nothingTried says why there is nothing to compare.
func (f Finding) nothingTried() string {
	if f.Err != nil {
		return "what padding and other rows do cannot be tried: " + lineOf(f.Err)
	}
	return "what padding and other rows do cannot be tried with these rows"
}

// lineOf is the first line of an error's text.
func lineOf(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// worst returns the effect that matters most.
func (f Finding) worst() Effect {
	worst := f.Effects[0]
	for _, e := range f.Effects {
		if e.Depends && !worst.Depends || e.Depends == worst.Depends && e.MaxAbs > worst.MaxAbs {
			worst = e
		}
	}
	return worst
}

// String names the output, the difference and the row where it is largest, counted from 1.
func (e Effect) String() string {
	if e.Shape {
		return fmt.Sprintf("the shape of output %q: %s", e.Output, e.Where())
	}
	if math.IsInf(e.MaxAbs, 0) {
		return fmt.Sprintf("output %q: %s", e.Output, e.Where())
	}
	return fmt.Sprintf("output %q by up to %.2g: %s", e.Output, e.MaxAbs, e.Where())
}

// Where says which row shows the effect most, counted from 1.
func (e Effect) Where() string {
	s := fmt.Sprintf("row %d", e.Worst+1)
	if e.Steps < e.WorstSteps {
		s += fmt.Sprintf(", its first %d of %d steps", e.Steps, e.WorstSteps)
	}
	if e.PaddedTo > e.Steps {
		s += fmt.Sprintf(", padded to %d", e.PaddedTo)
	}
	return s
}

// PaddingError says that rows of like length may not share batches, because the model's answers
// depend on padding or on other rows, or because that could not be tried.
type PaddingError struct {
	Verdict Verdict
}

// Error gives the measurement.
func (e *PaddingError) Error() string { return "batching bucket: " + e.Verdict.String() }

// Hints says what to type instead.
func (e *PaddingError) Hints() []string {
	return []string{
		"--batching exact gives what each row gives alone; --batching arrival what padded_batch gives",
		"to take the difference for the speed: --padding-may-change-results",
	}
}
