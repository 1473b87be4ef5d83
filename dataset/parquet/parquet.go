package parquet

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// Options says how files are read. The zero value is right for most.
type Options struct {
	// Open opens a file. nil: [dataset.OpenFile].
	Open dataset.Opener
	// Columns maps a component, by its path in the spec, to the column that it is read from.
	// Several columns give the component several values, side by side; a name with * stands for all
	// columns that match. A component without an entry is read from the column of its name. Where
	// there is no such column, the only component is read from the only column, or from all columns
	// that are left if a row of it has as many values.
	Columns map[string][]string
	// Keep lists columns whose values go to [dataset.Element.Extra] with their types, in this
	// order. Structures can be kept whole.
	Keep []string
	// Nulls holds the values that take the place of nulls. A null without such a value is an error,
	// as TensorFlow has no nulls.
	Nulls dataset.Nulls
	// MaxKept bounds the bytes of a kept value. 0: [dataset.DefaultKeptBytes].
	MaxKept int64
	// BlockBytes is about how many bytes are read at a time, but at least one row. 0: 4 MiB.
	BlockBytes int64
	// Workers is the number of goroutines that decode columns. 0: one for each processor, up to 4.
	Workers int
	// Part and Parts read only part number Part, from 0, of the Parts parts of a file. A part is a
	// run of row groups, and parts differ by one row group at most. Rows have the places that they
	// have in the whole file. With 0 Parts all row groups are read.
	Part, Parts int
}

const (
	defaultBlock = 4 << 20
	// maxBlock bounds the bytes of lists that are read at a time: the sizes that the file says may
	// be wrong.
	maxBlock = 2 << 30
)

// Rows returns a dataset of the rows of the files, read one after the other. Row numbers go on from
// file to file. The columns of the first file are looked at right away, if the file can be read
// twice: a column that is missing or does not fit is then an error of the dataset, a
// *[dataset.ColumnError].
func Rows(spec dataset.Spec, o Options, names ...string) *dataset.Dataset {
	if o.BlockBytes <= 0 {
		o.BlockBytes = defaultBlock
	}
	if o.MaxKept <= 0 {
		o.MaxKept = dataset.DefaultKeptBytes
	}
	if o.Workers <= 0 {
		o.Workers = ahead.Workers()
	}
	card, err := count(spec, o, names)
	if err != nil {
		return dataset.Failed(err)
	}
	return block.Rows(spec, card, func() *block.Files[job] {
		open := func(name string) (block.File[job], error) { return openTable(name, spec, o) }
		return &block.Files[job]{Names: names, Open: open, Workers: 1, Work: (*job).work, Block: (*job).result}
	})
}

// maxCounted bounds the files that are opened beforehand to count their rows.
const maxCounted = 1000

// count returns the number of rows where the files can be read twice, otherwise
// [dataset.UnknownCardinality].
func count(spec dataset.Spec, o Options, names []string) (int64, error) {
	var sum int64
	for i, name := range names {
		if i == maxCounted {
			return dataset.UnknownCardinality, nil
		}
		f, ok, err := files.Peek(o.Open, name)
		if err == nil && ok {
			var t *table
			if t, err = newTable(name, f, spec, o); err == nil {
				sum += t.size
			}
			err = errors.Join(err, f.Close())
		}
		if err != nil && i == 0 {
			return 0, unwrapped(err)
		}
		if err != nil || !ok {
			return dataset.UnknownCardinality, nil //nolint:nilerr // the iteration comes upon it
		}
	}
	return sum, nil
}

// unwrapped returns the *[dataset.ColumnError] in err without what is around it, or err itself.
func unwrapped(err error) error {
	if c := columns.Error(err); c != nil {
		return c
	}
	return err
}

// table is an open file with the columns that are read.
type table struct {
	*nested.Table
	name  string
	o     Options
	raw   *files.File
	meta  *metadata
	comps []tableColumn
	kept  []*keptReader
	all   []*reader
	// always: see [pages].
	always bool

	group int   // index of the next row group
	last  int   // index after the last row group to read
	size  int64 // rows of the groups to read
	left  int64 // rows left of the open group
	done  int64 // rows of the file before the next row
	rows  int   // rows to read at a time
}

// tableColumn is how a component is read.
type tableColumn struct {
	*nested.Component
	readers []*reader
	direct  bool // values need no conversion, and are read straight to their places
}

// openTable opens a file, and matches its columns with the components.
func openTable(name string, spec dataset.Spec, o Options) (*table, error) {
	raw, err := files.OpenAt(o.Open, name, fileFormat)
	if err != nil {
		return nil, err
	}
	t, err := newTable(name, raw, spec, o)
	if err != nil {
		return nil, unwrapped(errors.Join(err, raw.Close()))
	}
	return t, nil
}

// newTable matches a file's columns with the components.
func newTable(name string, raw *files.File, spec dataset.Spec, o Options) (*table, error) {
	m, err := readFooter(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t := &table{name: name, o: o, raw: raw, meta: m, always: alwaysPacked.MatchString(m.createdBy)}
	t.choosePart(max(o.Part, 0), max(o.Parts, 1))
	return t, t.match(spec)
}

// choosePart sets which row groups are read: those of one of the parts of the file.
func (t *table) choosePart(part, parts int) {
	groups := t.meta.groups
	t.group, t.last = len(groups)*part/parts, len(groups)*(part+1)/parts
	for _, g := range groups[:t.group] {
		t.done += g.rows
	}
	for _, g := range groups[t.group:t.last] {
		t.size += g.rows
	}
}

// alwaysPacked matches writers whose pages of the second version are compressed, although the
// pages' headers say that they are not.
var alwaysPacked = regexp.MustCompile(`^parquet-cpp version [01]\.`)

// match finds the columns of the components and makes their readers.
func (t *table) match(spec dataset.Spec) error {
	root, leaves, err := tree(t.meta.schema)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	for i, g := range t.meta.groups {
		if len(g.chunks) != len(leaves) {
			return fmt.Errorf("%s: the file is damaged: row group %d has %d columns, the schema %d", t.name, i+1, len(g.chunks), len(leaves))
		}
	}
	names, types := make([]string, len(leaves)), make([]nested.Type, len(leaves))
	for i, l := range leaves {
		names[i], types[i] = l.name, l.Type
	}
	nodes, keepable := root.named()
	t.Table, err = nested.Match(t.name, spec, names, types, columns.Options{Map: t.o.Columns, Keep: t.o.Keep, Keepable: keepable, Nulls: t.o.Nulls})
	if err != nil {
		return err
	}
	for c := range t.Components {
		col := tableColumn{Component: &t.Components[c]}
		col.direct = col.DType != tensor.String
		for _, i := range col.Columns {
			r := newReader(leaves[i], leaves[i].values)
			t.all = append(t.all, r)
			col.readers = append(col.readers, r)
			col.direct = col.direct && r.DType == col.DType && r.Depth == 0 && r.Decimal.Bytes == 0
		}
		t.comps = append(t.comps, col)
	}
	return t.matchKept(nodes)
}

// matchKept makes the readers of the kept columns.
func (t *table) matchKept(nodes []*node) error {
	if len(t.Keep) == 0 {
		return nil
	}
	schema := t.meta.arrowSchema()
	for _, i := range t.Keep {
		k, err := newKept(nodes[i], nodes[i].original(schema), int(t.o.MaxKept))
		if err != nil {
			return &dataset.ColumnError{File: t.name, Column: nodes[i].name, Msg: err.Error()}
		}
		t.kept = append(t.kept, k)
		t.all = append(t.all, k.readers...)
	}
	return nil
}

// Close closes the file. It returns no error: nothing was written.
func (t *table) Close() error {
	_ = t.raw.Close() // nothing was written
	return nil
}

// next opens the next row group that has rows. It returns io.EOF after the last.
func (t *table) next() error {
	for t.left == 0 {
		if t.group == t.last {
			return io.EOF
		}
		g := &t.meta.groups[t.group]
		t.group++
		if t.left = g.rows; t.left == 0 {
			continue
		}
		var size int64
		for _, r := range t.all {
			c := &g.chunks[r.index]
			if err := r.open(t.raw, c, t.always); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			size += min(max(c.uncompressed, 0), 1<<40)
		}
		t.rows = int(min(max(t.o.BlockBytes/max(size/t.left, 1), 1), maxRows))
	}
	return nil
}

// maxRows bounds the rows that are read at a time.
const maxRows = 1 << 16

// fileFormat recognises Parquet files.
var fileFormat = files.Format{Name: "Parquet", Magic: magic}

// Columns lists the columns of a file. Of the options it uses Open.
func Columns(o Options, name string) (out []dataset.Column, err error) {
	raw, err := files.OpenAt(o.Open, name, fileFormat)
	if err != nil {
		return nil, err
	}
	defer raw.Close() //nolint:errcheck // nothing was written
	m, err := readFooter(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	_, leaves, err := tree(m.schema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, l := range leaves {
		c := l.Column(l.name)
		if top := l.path()[0]; top != l.name {
			c.Of = top
		}
		out = append(out, c)
	}
	return out, nil
}

// Groups returns the number of a file's row groups. Of the options it uses Open.
func Groups(o Options, name string) (int, error) {
	raw, err := files.OpenAt(o.Open, name, fileFormat)
	if err != nil {
		return 0, err
	}
	defer raw.Close() //nolint:errcheck // nothing was written
	m, err := readFooter(raw)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return len(m.groups), nil
}

// KeptTypes returns the types of the columns that o keeps of a file, also of a file without rows.
// Of the options it uses Open and Keep.
func KeptTypes(o Options, name string) ([]dataset.FieldType, error) {
	o.Columns, o.Nulls = nil, nil
	t, err := openTable(name, dataset.Dict(map[string]dataset.Spec{}), o)
	if err != nil {
		return nil, err
	}
	defer t.Close() //nolint:errcheck // nothing was written
	var types []dataset.FieldType
	for _, k := range t.kept {
		types = append(types, k.t)
	}
	return types, nil
}
