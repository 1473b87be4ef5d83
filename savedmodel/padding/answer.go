package padding

import "fmt"

// Answer is what a proof gives.
type Answer uint8

// The answers.
const (
	Unknown     Answer = iota // it does not follow from the graph
	Independent               // the answer for a row is what it is alone
	Depends                   // it changes with what else is in the batch
)

// String returns the answer as a word.
func (a Answer) String() string {
	return [...]string{"unknown", "independent", "depends"}[a]
}

// Result is an answer with its reasons.
type Result struct {
	Answer Answer
	// Chain leads from where an effect arises to where it shows, a line each; where the answer is
	// Unknown, to what is not known. It is empty for Independent.
	Chain []string
	// Needs are what rows must be like for Independent to hold. Others may depend.
	Needs []Need
}

// Need is a condition on a row.
type Need struct {
	Input string
	// Other is an input whose axis OtherAxis has as many entries in each row as the axis Axis of
	// Input; "" where the need is one of those below. Axes are those of a row.
	Other           string
	Axis, OtherAxis int
	// Least, where it is not 0, is how many entries the axis Axis has at least.
	Least int64
	// Padless says that no step of the row holds nothing but the padding value, and that no whole
	// number is below a padding value of 0. Ones says that all values are 1.
	Padless, Ones bool
}

// String says what the need is.
func (n Need) String() string {
	switch {
	case n.Other != "":
		return fmt.Sprintf("axis %d of %q is as long as axis %d of %q", n.Axis, n.Input, n.OtherAxis, n.Other)
	case n.Least > 0:
		return fmt.Sprintf("axis %d of %q has %d entries or more", n.Axis, n.Input, n.Least)
	case n.Ones:
		return fmt.Sprintf("the values of %q are 1", n.Input)
	}
	return fmt.Sprintf("no step of %q is a padding value", n.Input)
}

// Output is what is known of an output.
type Output struct {
	Name string
	// Company is about the other rows of a batch whose rows have the same shape; texts may be of
	// any length. Padding is about rows that are padded, whatever rows come with them.
	Company, Padding Result
}
