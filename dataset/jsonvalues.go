package dataset

import (
	"fmt"

	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
	"github.com/tfrun/tfrun/tensor"
)

// jsonColumn holds the values of one component while a row is read.
type jsonColumn struct {
	Component
	sink   jsonscan.Sink
	dims   []int64
	splits [][]int64 // of a ragged component, by depth
	one    []int64   // sizes of a row of one value; nil: a row has more
	// side and the fields after it are for a component that is read from several keys: the sizes of
	// its row, and which slot of the row each value that was read belongs to.
	side  []int64
	slots []int
}

// column reads one component's value.
func (d *rowDecoder) column(c *jsonColumn, depth int) error {
	c.begin()
	if err := d.value(c, 0, depth); err != nil {
		return err
	}
	return c.end()
}

// begin clears what the row before left.
func (c *jsonColumn) begin() {
	c.sink.Reset()
	c.dims = c.dims[:0]
	for i := range c.splits {
		c.splits[i] = c.splits[i][:0]
	}
}

// end checks that the values read make a value of the component.
func (c *jsonColumn) end() error {
	c.fillEmpty()
	if c.Ragged {
		return c.checkRagged()
	}
	switch {
	case c.Shape.Admits(c.dims):
		return nil
	case c.one != nil && (len(c.dims) == 0 || len(c.dims) == 1 && c.dims[0] == 1):
		c.dims = append(c.dims[:0], c.one...)
		return nil
	case c.Shape.Rank() == 0:
		return &NestingError{fmt.Sprintf("want a single value, got an array of %d", c.dims[0])}
	}
	return fmt.Errorf("want the shape %v, got %v", c.Shape, tensor.MakeShape(c.dims...))
}

// wanted describes a value of the component for errors: "an array of numbers".
func (c *jsonColumn) wanted() string {
	switch rank := c.Shape.Rank(); {
	case rank == 1:
		return "an array of " + c.sink.Want()
	case rank > 1:
		return fmt.Sprintf("arrays of %s, %d levels deep", c.sink.Want(), rank)
	}
	return c.sink.Want()
}

// value reads a value that stands in so many arrays (level) of the component.
func (d *rowDecoder) value(c *jsonColumn, level, depth int) error {
	if d.Peek() != '[' || c.sink.IsScalar(&d.Scanner) {
		return d.leaf(c, level)
	}
	if depth+level > d.MaxDepth {
		return tooDeep(d.MaxDepth)
	}
	if rank := c.Shape.Rank(); rank >= 0 && level >= max(rank, 1) { // [5] may stand for 5
		if rank == 0 {
			return &NestingError{"want a single value, got arrays"}
		}
		return &NestingError{fmt.Sprintf("want %s, got arrays nested deeper", c.wanted())}
	}
	n, err := d.array(c, level, depth)
	if err != nil {
		return err
	}
	return c.sized(level, n)
}

// leaf reads a value that is no array.
func (d *rowDecoder) leaf(c *jsonColumn, level int) error {
	if level < len(c.dims) {
		return fmt.Errorf("a value stands beside an array")
	}
	if level > 0 || c.Shape.Rank() <= 0 {
		return c.sink.Scalar(&d.Scanner)
	}
	found, at := d.Found(), d.I
	if c.one == nil {
		return fmt.Errorf("want %s, got %s", c.wanted(), found)
	}
	err := c.sink.Scalar(&d.Scanner)
	if err != nil && d.I == at {
		return fmt.Errorf("want %s, got %s", c.wanted(), found)
	}
	return err
}

// array reads the array at the scanner's place and returns its length.
func (d *rowDecoder) array(c *jsonColumn, level, depth int) (int64, error) {
	for len(c.dims) <= level {
		c.dims = append(c.dims, -1)
	}
	d.I++ // '['
	switch next := d.Peek(); {
	case next == ']':
		d.I++
		return 0, nil
	case next != '[' && level+1 == len(c.dims) || next == '[' && c.sink.IsScalar(&d.Scanner):
		return d.values(c, level)
	}
	for n := int64(1); ; n++ {
		if err := d.value(c, level+1, depth); err != nil {
			return n, err
		}
		if more, err := d.More(']'); !more {
			return n, err
		}
		if n == d.length && c.openAxis(level) {
			return n, tooLong(d.length)
		}
	}
}

func tooDeep(limit int) error {
	return &LimitError{Limit: LimitDepth, Msg: fmt.Sprintf("nested deeper than %d levels", limit)}
}

// values reads an array of scalars.
func (d *rowDecoder) values(c *jsonColumn, level int) (int64, error) {
	most := d.limit
	if open := int64(c.sink.Len()) + d.length; c.openAxis(level) && open < most {
		most = open
	}
	n, err := c.sink.Values(&d.Scanner, most)
	switch {
	case err != jsonscan.ErrTooMany: //nolint:errorlint // values returns it bare
		return n, err
	case most == d.limit:
		return n, tooManyValues(d.limit)
	}
	return n, tooLong(d.length)
}

// openAxis reports whether the spec leaves the size of an axis open.
func (c *jsonColumn) openAxis(level int) bool {
	return level >= c.Shape.Rank() || c.Shape.Dim(level) == tensor.Unknown
}

func tooManyValues(limit int64) error {
	return &LimitError{Limit: LimitElements, Msg: fmt.Sprintf("more than %d values", limit)}
}

func tooLong(limit int64) error {
	return &LimitError{Limit: LimitLength, Msg: fmt.Sprintf("a sequence of more than %d entries", limit)}
}

// sized checks and notes the size of an array at a level.
func (c *jsonColumn) sized(level int, n int64) error {
	if c.Ragged {
		for len(c.splits) <= level {
			c.splits = append(c.splits, nil)
		}
		c.splits[level] = append(c.splits[level], n)
		if level <= c.RaggedRank || c.dims[level] < 0 {
			c.dims[level] = n
		}
		if c.dims[level] != n {
			return fmt.Errorf("arrays of unequal lengths, %d and %d, inside the ragged dimensions", c.dims[level], n)
		}
		return nil
	}
	if c.dims[level] >= 0 && c.dims[level] != n {
		return fmt.Errorf("arrays of unequal lengths, %d and %d: the component is not ragged", c.dims[level], n)
	}
	c.dims[level] = n
	return nil
}

// fillEmpty gives sizes to the dimensions that an empty array hides: [] is of shape (0, 64) where
// (None, 64) is wanted.
func (c *jsonColumn) fillEmpty() {
	if c.sink.Len() > 0 || len(c.dims) == 0 {
		return
	}
	for i := len(c.dims); i < c.Shape.Rank(); i++ {
		c.dims = append(c.dims, max(c.Shape.Dim(i), 0))
	}
}

// checkRagged checks that the value of a ragged component has the right depth and, inside, the
// right sizes.
func (c *jsonColumn) checkRagged() error {
	if len(c.dims) <= c.RaggedRank || c.Shape.Ranked() && len(c.dims) != c.Shape.Rank() {
		return fmt.Errorf("want %s, got %d", c.wanted(), len(c.dims))
	}
	inner := c.dims[c.RaggedRank+1:]
	if c.Shape.Ranked() && !c.Shape.Drop(c.RaggedRank+1).Admits(inner) {
		return fmt.Errorf("want the inner shape %v, got %v", c.Shape.Drop(c.RaggedRank+1), tensor.MakeShape(inner...))
	}
	return nil
}
