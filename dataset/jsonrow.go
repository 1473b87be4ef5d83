package dataset

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset/internal/jsonscan"
	"github.com/tfrun/tfrun/dataset/internal/jsontext"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/tensor"
)

// rowDecoder reads the components of a row.
type rowDecoder struct {
	jsonscan.Scanner
	spec   Spec
	cols   []jsonColumn
	keep   []string
	keepAt map[string]int // the place of a key in keep
	extra  [][]byte       // by the index of keep, within the line
	most   int64          // bytes of the kept values
	arena  jsonscan.Arena
	limit  int64  // most values of a component
	length int64  // most values of an array in an axis that the spec leaves open
	field  string // path of the component being read
	single bool   // the spec is a dictionary of one component, whose value may stand alone
	root   jsonNode
}

// jsonNode is a part of the spec, and the component that its value goes to.
type jsonNode struct {
	col   int // component number of a leaf, otherwise -1
	path  string
	dict  bool
	keys  []jsonKey // of a dictionary
	items []jsonNode
	seen  []bool // by key of a dictionary: the row has it
}

// jsonKey is a key of an object.
type jsonKey struct {
	name string
	path string
	item int // index among the node's items
	slot int // which of several values of the item's row; -1: the only one
}

func newRowDecoder(spec Spec, opts JSONLOptions) (*rowDecoder, error) {
	d := &rowDecoder{spec: spec, keep: opts.Keep, extra: make([][]byte, len(opts.Keep)), limit: opts.MaxValues, length: opts.MaxLength, most: Limits{RowBytes: int64(opts.MaxLine)}.KeptBytes()}
	for i := len(opts.Keep) - 1; i >= 0; i-- { // the first of equal keys stays
		if d.keepAt == nil {
			d.keepAt = make(map[string]int, len(opts.Keep))
		}
		d.keepAt[opts.Keep[i]] = i
	}
	if d.MaxDepth = opts.MaxDepth; d.MaxDepth == 0 {
		d.MaxDepth = 64
	}
	if d.limit == 0 {
		d.limit = 1 << 62
	}
	if d.length == 0 {
		d.length = 1 << 62
	}
	fill, err := opts.Nulls.For(spec)
	if err != nil {
		return nil, err
	}
	for i, c := range spec.Flatten() {
		s, err := jsonscan.NewSink(c.DType, fill[i])
		if err != nil {
			return nil, fmt.Errorf("component %q: %w", spec.Paths()[i], err)
		}
		one, _ := c.Side(1)
		d.cols = append(d.cols, jsonColumn{Component: c, sink: s, one: one})
	}
	n := 0
	d.root = jsonTree(spec, "", opts.Keys, &n)
	for _, k := range d.root.keys {
		if k.slot < 0 {
			continue
		}
		item, names := d.root.items[k.item], opts.Keys[spec.keys[k.item]]
		if item.col < 0 {
			return nil, fmt.Errorf("component %q: a structure is not made of several keys", item.path)
		}
		c, ok := &d.cols[item.col], false
		if c.side, ok = c.Side(len(names)); !ok {
			return nil, fmt.Errorf("component %q: %d values do not fill the shape %v of a row", item.path, len(names), c.Shape)
		}
	}
	d.single = d.root.dict && len(d.root.items) == 1 && d.root.items[0].col == 0
	return d, nil
}

// jsonTree lays out the spec, numbering its leaves from *n on. keys lists, by component at the top,
// the keys that it is read from, where those are several or have another name.
func jsonTree(spec Spec, path string, keys map[string][]string, n *int) jsonNode {
	node := jsonNode{col: -1, path: path, dict: spec.kind == nestDict}
	if !spec.nested() {
		node.col = *n
		*n++
		return node
	}
	for i, item := range spec.items {
		name := strconv.Itoa(i)
		if node.dict {
			name = spec.keys[i]
			own, ok := keys[name]
			if !ok || path != "" {
				own = []string{name}
			}
			for slot, key := range own {
				if len(own) == 1 {
					slot = -1
				}
				node.keys = append(node.keys, jsonKey{name: key, path: strings.TrimPrefix(path+"/"+key, "/"), item: i, slot: slot})
			}
			name = strings.Join(own, ",")
		}
		node.items = append(node.items, jsonTree(item, strings.TrimPrefix(path+"/"+name, "/"), keys, n))
	}
	node.seen = make([]bool, len(node.keys))
	return node
}

// bareBytes matches a row that is only the bytes of a string: {"b64": "…"}.
var bareBytes = regexp.MustCompile(`^\s*\{\s*"b64"\s*:\s*"[^"\\]*"\s*\}\s*$`)

// decode reads one row into e. On an error, d.field says where it is.
func (d *rowDecoder) decode(line []byte, e *Element) error {
	d.B, d.I, d.field = line, 0, ""
	clear(d.extra)
	root := &d.root
	if d.single && (d.Peek() != '{' || d.cols[0].DType == tensor.String && d.root.keys[0].name != "b64" && bareBytes.Match(line)) {
		root = &d.root.items[0]
	}
	if err := d.node(root, 1, root == &d.root); err != nil {
		return err
	}
	d.field = ""
	if d.Peek(); d.I < len(d.B) {
		return fmt.Errorf("want the end of the line after the row, got %s", d.Found())
	}
	for i := range d.cols {
		d.finish(i, e)
	}
	return d.kept(e)
}

// salvage returns what is kept of a row that could not be read, as far as it is JSON.
func (d *rowDecoder) salvage(line []byte) []Field {
	if len(d.keep) == 0 {
		return nil
	}
	d.B, d.I = line, 0
	clear(d.extra)
	if d.Peek() == '{' {
		// The row's error is known already.
		_ = d.Scanner.Object(func(key []byte) error {
			keep := d.keepIndex(key)
			d.Peek()
			start := d.I
			err := d.Skip(2)
			if err == nil && keep >= 0 {
				d.extra[keep] = line[start:d.I]
			}
			return err
		})
	}
	var e Element
	// A kept key that is not UTF-8 is left out.
	_ = d.kept(&e)
	return e.Extra
}

// kept adds the row's kept values to e, as the row has them.
func (d *rowDecoder) kept(e *Element) error {
	size := int64(0)
	for _, raw := range d.extra {
		size += int64(len(raw))
	}
	if size > d.most {
		return KeptError(d.most)
	}
	for i, raw := range d.extra {
		if raw == nil {
			continue
		}
		valid, ok := jsontext.ValidUTF8(raw)
		if !ok {
			d.field = d.keep[i]
			return fmt.Errorf("a key that is not UTF-8")
		}
		e.Extra = append(e.Extra, Field{Key: d.keep[i], Value: slices.Clone(valid)})
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
	if d.Peek() != '[' {
		return fmt.Errorf("want an array of %d parts, got %s", len(n.items), d.Found())
	}
	i := 0
	_, err := d.List(func() error {
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
	if d.Peek() != '{' {
		return fmt.Errorf("want an object with the %s, got %s", keysText(n.keys), d.Found())
	}
	for _, k := range n.keys {
		if k.slot == 0 {
			c := &d.cols[n.items[k.item].col]
			c.sink.Reset()
			c.slots = c.slots[:0]
		}
	}
	// Rows mostly have their keys in one order, so the key after the last one found is tried first.
	next := 0
	err := d.Scanner.Object(func(key []byte) error {
		k, keep := n.find(key, next), -1
		if top {
			keep = d.keepIndex(key)
		}
		d.Peek()
		start := d.I
		if k < 0 {
			if keep >= 0 {
				d.field = d.keep[keep]
			}
			if err := d.Skip(depth + 1); errors.Is(err, jsonscan.ErrTooDeep) {
				return tooDeep(d.MaxDepth)
			} else if err != nil {
				return err
			}
		} else {
			next = k + 1
			if err := d.part(n, k, depth); err != nil {
				return err
			}
		}
		if keep >= 0 {
			d.extra[keep] = d.B[start:d.I]
		}
		d.field = n.path
		return nil
	})
	if err != nil {
		return err
	}
	return d.missing(n)
}

// noKey returns the error of a row that lacks a key. It names the keys that the row has.
func (d *rowDecoder) noKey(n *jsonNode, name string) error {
	const most, longest = 12, 40
	var have []string
	if n.path != "" {
		return errors.New("there is no such key")
	}
	at := d.I
	d.I = 0
	// An error was reported when the row was read before.
	_ = d.Scanner.Object(func(key []byte) error {
		if len(have) <= most && len(key) <= longest {
			have = append(have, string(key))
		}
		d.Peek()
		return d.Skip(1)
	})
	d.I = at
	msg := "the row has no such key"
	switch {
	case len(have) == 0:
		return &KeyError{Msg: msg}
	case len(have) > most:
		msg += fmt.Sprintf("; it has %s and others", quotedKeys(have[:most]))
	default:
		msg += "; it has " + quotedKeys(have)
	}
	if near := words.Nearest(name, have); near != "" && (len(name) > 2 || strings.EqualFold(near, name)) {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return &KeyError{Msg: msg}
}

// find returns the index of a key, or -1. It looks first at the expected index.
func (n *jsonNode) find(key []byte, expected int) int {
	if expected < len(n.keys) && n.keys[expected].name == string(key) {
		return expected
	}
	for i := range n.keys {
		if n.keys[i].name == string(key) {
			return i
		}
	}
	return -1
}

// part reads the value of key k of an object.
func (d *rowDecoder) part(n *jsonNode, k, depth int) error {
	key := &n.keys[k]
	item := &n.items[key.item]
	if n.seen[k] {
		d.field = key.path
		return fmt.Errorf("the key stands twice in the row")
	}
	n.seen[k] = true
	if key.slot < 0 {
		return d.node(item, depth+1, false)
	}
	d.field = key.path
	c := &d.cols[item.col]
	if d.Peek() == '[' && !c.sink.IsScalar(&d.Scanner) {
		return fmt.Errorf("want a single value to stand beside the others, got an array")
	}
	c.slots = append(c.slots, key.slot)
	return c.sink.Scalar(&d.Scanner)
}

// missing fills in the keys that an object lacks. It also orders the values of components that are
// read from several keys.
func (d *rowDecoder) missing(n *jsonNode) error {
	for i, seen := range n.seen {
		if seen {
			continue
		}
		key := &n.keys[i]
		d.field = key.path
		item := &n.items[key.item]
		if item.col < 0 {
			return d.noKey(n, key.name)
		}
		c := &d.cols[item.col]
		if key.slot < 0 {
			c.begin()
		}
		if !c.sink.Null() {
			return d.noKey(n, key.name)
		}
		if key.slot >= 0 {
			c.slots = append(c.slots, key.slot)
		} else if err := c.end(); err != nil {
			return err
		}
	}
	for _, key := range n.keys {
		if key.slot != 0 {
			continue
		}
		c := &d.cols[n.items[key.item].col]
		c.dims = append(c.dims[:0], c.side...)
		if !slices.IsSorted(c.slots) {
			c.sink.Arrange(c.slots)
		}
	}
	return nil
}

func (d *rowDecoder) keepIndex(key []byte) int {
	if i, ok := d.keepAt[string(key)]; ok {
		return i
	}
	return -1
}

func keysText(keys []jsonKey) string {
	if len(keys) == 1 {
		return fmt.Sprintf("key %q", keys[0].name)
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return "keys " + quotedKeys(names)
}

func quotedKeys(keys []string) string {
	quoted := make([]string, len(keys))
	for i, k := range keys {
		quoted[i] = strconv.Quote(k)
	}
	return strings.Join(quoted, ", ")
}

// finish adds component i of the row to e.
func (d *rowDecoder) finish(i int, e *Element) {
	c := &d.cols[i]
	if !c.Ragged {
		e.Tensors = append(e.Tensors, c.sink.Tensor(c.dims, &d.arena))
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
	e.Tensors = append(e.Tensors, c.sink.Tensor(flat, &d.arena))
}
