package dataset

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/tensor"
)

// rowDecoder reads the components of a row.
type rowDecoder struct {
	scanner
	spec   Spec
	cols   []jsonColumn
	keep   []string
	extra  [][]byte // by the index of keep, within the line
	arena  arena
	limit  int64  // of the values of a component
	length int64  // of an array in an axis that the spec leaves open
	field  string // the component being read
	single bool   // a dictionary of one component, whose value may stand alone
	root   jsonNode
}

// jsonNode is a part of the spec: where a value of the row goes.
type jsonNode struct {
	col   int // of a leaf, otherwise -1
	path  string
	dict  bool
	keys  []string // of a dictionary
	items []jsonNode
	seen  []bool
}

// jsonColumn is a component while it is read.
type jsonColumn struct {
	Component
	sink   sink
	dims   []int64
	splits [][]int64 // of a ragged component, by depth
}

func newRowDecoder(spec Spec, opts JSONLOptions) (*rowDecoder, error) {
	d := &rowDecoder{spec: spec, keep: opts.Keep, extra: make([][]byte, len(opts.Keep)), limit: opts.MaxValues, length: opts.MaxLength}
	if d.maxDepth = opts.MaxDepth; d.maxDepth == 0 {
		d.maxDepth = 64
	}
	if d.limit == 0 {
		d.limit = 1 << 62
	}
	if d.length == 0 {
		d.length = 1 << 62
	}
	for i, c := range spec.Flatten() {
		s, err := newSink(c.DType)
		if err != nil {
			return nil, fmt.Errorf("component %q: %w", spec.Paths()[i], err)
		}
		d.cols = append(d.cols, jsonColumn{Component: c, sink: s})
	}
	n := 0
	d.root = jsonTree(spec, "", opts.Keys, &n)
	d.single = d.root.dict && len(d.root.items) == 1 && d.root.items[0].col == 0
	return d, nil
}

// jsonTree lays out the spec, numbering its leaves from *n on.
func jsonTree(spec Spec, path string, keys map[string]string, n *int) jsonNode {
	node := jsonNode{col: -1, path: path, dict: spec.kind == nestDict, seen: make([]bool, len(spec.items))}
	if !spec.nested() {
		node.col = *n
		*n++
		return node
	}
	for i, item := range spec.items {
		name := strconv.Itoa(i)
		if node.dict {
			name = spec.keys[i]
			key := name
			if k, ok := keys[name]; ok && path == "" {
				key = k
			}
			node.keys = append(node.keys, key)
			name = key
		}
		node.items = append(node.items, jsonTree(item, strings.TrimPrefix(path+"/"+name, "/"), keys, n))
	}
	return node
}

// bareBytes matches a row that is a string's bytes and nothing else.
var bareBytes = regexp.MustCompile(`^\s*\{\s*"b64"\s*:\s*"[^"\\]*"\s*\}\s*$`)

// decode reads one row into e. On an error, d.field says where it is.
func (d *rowDecoder) decode(line []byte, e *Element) error {
	d.b, d.i, d.field = line, 0, ""
	clear(d.extra)
	root := &d.root
	if d.single && (d.peek() != '{' || d.cols[0].DType == tensor.String && d.root.keys[0] != "b64" && bareBytes.Match(line)) {
		root = &d.root.items[0]
	}
	if err := d.node(root, 1, root == &d.root); err != nil {
		return err
	}
	d.field = ""
	if d.peek(); d.i < len(d.b) {
		return fmt.Errorf("want the end of the line after the row, got %s", d.found())
	}
	for i := range d.cols {
		d.finish(i, e)
	}
	for i, raw := range d.extra {
		if raw != nil {
			e.Extra = append(e.Extra, Field{Key: d.keep[i], Value: slices.Clone(raw)})
		}
	}
	return nil
}

// node reads the value at the scanner's place into the components of n.
func (d *rowDecoder) node(n *jsonNode, depth int, top bool) error {
	if n.col >= 0 {
		d.field = n.path
		return d.column(&d.cols[n.col], depth)
	}
	clear(n.seen)
	if n.dict {
		return d.object(n, depth, top)
	}
	d.field = n.path
	if d.peek() != '[' {
		return fmt.Errorf("want an array of %d parts, got %s", len(n.items), d.found())
	}
	i := 0
	_, err := d.list(func() error {
		if i == len(n.items) {
			d.field = n.path
			return fmt.Errorf("want an array of %d parts, got more", len(n.items))
		}
		i++
		return d.node(&n.items[i-1], depth+1, false)
	})
	if err == nil && i != len(n.items) {
		d.field = n.path
		err = fmt.Errorf("want an array of %d parts, got %d", len(n.items), i)
	}
	return err
}

// object reads an object's keys into n's parts.
func (d *rowDecoder) object(n *jsonNode, depth int, top bool) error {
	d.field = n.path
	if d.peek() != '{' {
		return fmt.Errorf("want an object with the %s, got %s", keysText(n.keys), d.found())
	}
	err := d.scanner.object(func(key []byte) error {
		part, keep := -1, -1
		for i, k := range n.keys {
			if k == string(key) {
				part = i
			}
		}
		if top {
			keep = d.keepIndex(key)
		}
		d.peek()
		start := d.i
		switch {
		case part < 0:
			if keep >= 0 {
				d.field = d.keep[keep]
			}
			if err := d.skip(depth + 1); err != nil {
				return err
			}
		case n.seen[part]:
			d.field = n.items[part].path
			return fmt.Errorf("the key stands twice in the row")
		default:
			n.seen[part] = true
			if err := d.node(&n.items[part], depth+1, false); err != nil {
				return err
			}
		}
		if keep >= 0 {
			d.extra[keep] = d.b[start:d.i]
		}
		d.field = n.path
		return nil
	})
	if err != nil {
		return err
	}
	for i, seen := range n.seen {
		if !seen {
			d.field = n.items[i].path
			return fmt.Errorf("the row has no such key")
		}
	}
	return nil
}

func (d *rowDecoder) keepIndex(key []byte) int {
	for i, k := range d.keep {
		if k == string(key) {
			return i
		}
	}
	return -1
}

func keysText(keys []string) string {
	if len(keys) == 1 {
		return fmt.Sprintf("key %q", keys[0])
	}
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = strconv.Quote(k)
	}
	return "keys " + strings.Join(quoted, ", ")
}

// column reads one component's value.
func (d *rowDecoder) column(c *jsonColumn, depth int) error {
	c.sink.reset()
	c.dims = c.dims[:0]
	for i := range c.splits {
		c.splits[i] = c.splits[i][:0]
	}
	if err := d.value(c, 0, depth); err != nil {
		return err
	}
	c.fillEmpty()
	if c.Ragged {
		return c.checkRagged()
	}
	if !c.Shape.Admits(c.dims) {
		if c.Shape.Ranked() && c.Shape.Rank() > 0 && len(c.dims) == 0 {
			return fmt.Errorf("want %s, got a single value", c.wanted())
		}
		return fmt.Errorf("want the shape %v, got %v", c.Shape, tensor.MakeShape(c.dims...))
	}
	return nil
}

// wanted describes the component's value: "an array of numbers".
func (c *jsonColumn) wanted() string {
	switch rank := c.Shape.Rank(); {
	case rank == 1:
		return "an array of " + c.sink.want()
	case rank > 1:
		return fmt.Sprintf("arrays of %s, %d levels deep", c.sink.want(), rank)
	}
	return c.sink.want()
}

// value reads a value that stands level arrays deep in the component.
func (d *rowDecoder) value(c *jsonColumn, level, depth int) error {
	if d.peek() != '[' || c.sink.isScalar(&d.scanner) {
		return d.leaf(c, level)
	}
	if depth+level > d.maxDepth {
		return tooDeep(d.maxDepth)
	}
	if rank := c.Shape.Rank(); rank >= 0 && level >= rank {
		if rank == 0 {
			return fmt.Errorf("want a single value, got an array")
		}
		return fmt.Errorf("want %s, got arrays nested deeper", c.wanted())
	}
	n, err := d.array(c, level, depth)
	if err != nil {
		return err
	}
	return c.sized(level, n)
}

// leaf reads a value that is no array.
func (d *rowDecoder) leaf(c *jsonColumn, level int) error {
	if rank := c.Shape.Rank(); rank >= 0 && level < rank && level == 0 {
		return fmt.Errorf("want %s, got %s", c.wanted(), d.found())
	}
	if level < len(c.dims) {
		return fmt.Errorf("a value stands beside an array")
	}
	return c.sink.scalar(&d.scanner)
}

// array reads the array at the scanner's place and returns its length.
func (d *rowDecoder) array(c *jsonColumn, level, depth int) (int64, error) {
	for len(c.dims) <= level {
		c.dims = append(c.dims, -1)
	}
	d.i++ // '['
	switch next := d.peek(); {
	case next == ']':
		d.i++
		return 0, nil
	case next != '[' && level+1 == len(c.dims) || next == '[' && c.sink.isScalar(&d.scanner):
		return d.values(c, level)
	}
	for n := int64(1); ; n++ {
		if err := d.value(c, level+1, depth); err != nil {
			return n, err
		}
		if more, err := d.more(']'); !more {
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
	if open := int64(c.sink.len()) + d.length; c.openAxis(level) && open < most {
		most = open
	}
	n, err := c.sink.values(&d.scanner, most)
	switch {
	case err != errTooMany: //nolint:errorlint // values returns it bare
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

// sized notes that an array of n values stood at the level.
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
	if c.sink.len() > 0 || len(c.dims) == 0 {
		return
	}
	for i := len(c.dims); i < c.Shape.Rank(); i++ {
		c.dims = append(c.dims, max(c.Shape.Dim(i), 0))
	}
}

// checkRagged says whether the value of a ragged component has the right depth and the right sizes
// inside.
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

// finish adds component i of the row to e.
func (d *rowDecoder) finish(i int, e *Element) {
	c := &d.cols[i]
	if !c.Ragged {
		e.Tensors = append(e.Tensors, c.sink.tensor(c.dims, &d.arena))
		return
	}
	if e.Splits == nil {
		e.Splits = make([][]tensor.Tensor, len(d.cols))
	}
	for level := 1; level <= c.RaggedRank; level++ {
		s := splits{narrow: c.SplitsDType == tensor.Int32, v: []int64{0}}
		if level < len(c.splits) {
			for _, n := range c.splits[level] {
				s.add(n)
			}
		}
		e.Splits[i] = append(e.Splits[i], s.tensor())
	}
	flat := c.dims[c.RaggedRank:]
	flat[0] = 0
	if c.RaggedRank < len(c.splits) {
		for _, n := range c.splits[c.RaggedRank] {
			flat[0] += n
		}
	}
	e.Tensors = append(e.Tensors, c.sink.tensor(flat, &d.arena))
}
