package padding

import "fmt"

// Answer is the result of a proof.
type Answer uint8

// The answers.
const (
	Unknown     Answer = iota // it does not follow from the graph
	Independent               // the answer for a row is the row's answer alone
	Depends                   // it changes with what else is in the batch
)

// String returns the answer as a word.
func (a Answer) String() string {
	return [...]string{"unknown", "independent", "depends"}[a]
}

// Result is an answer with the reasons for it.
type Result struct {
	Answer Answer
	// Chain lists, a line each, the operations from where an effect arises to where it shows in the
	// output. If the answer is Unknown, it leads to the operation that is not known. It is empty
	// for Independent.
	Chain []string
	// Needs are conditions on rows under which Independent holds. A row that does not meet them may
	// depend.
	Needs []Need
}

// Need is a condition on a row.
type Need struct {
	Input string
	// Other, if not "", says that axis OtherAxis of input Other has as many entries as axis Axis of
	// Input, in each row. Axes are those of a row, without the batch.
	Other           string
	Axis, OtherAxis int
	// Least, if not 0, is the least number of entries along axis Axis.
	Least int64
	// Padless says that no step of a row consists of the padding value alone, and that, for a
	// padding value of 0, no whole number is negative. Ones says that all values are 1.
	Padless, Ones bool
}

// String describes the need.
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
	// Company is about other rows in the batch, of the same shape; texts may have any length.
	// Padding is about rows that are padded, whichever other rows are in the batch.
	Company, Padding Result
}
