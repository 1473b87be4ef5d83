package parquet

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/files"
	"github.com/tfrun/tfrun/dataset/internal/kept"
	"github.com/tfrun/tfrun/dataset/internal/message"
)

// shape is the structure of the values of a part of the schema: a single value, a list, a map or a
// structure. It follows the format's rules for lists and maps, the old ones too.
type shape struct {
	kind     shapeKind
	name     string
	nullable bool
	def      int   // definition level of a value that is not null
	leaf     *leaf // only of a single value
	// Levels of an entry, of a list or a map.
	entryDef int
	entryRep int
	parts    []shape // the entry of a list, key and value of a map, the fields of a structure
}

type shapeKind uint8

const (
	single shapeKind = iota
	listShape
	mapShape
	groupShape
)

// shape returns the shape of a node's values.
func (n *node) shape() shape {
	if n.repetition == repeated { // a list without an annotation
		entry := n.value()
		return shape{kind: listShape, name: n.element.name, def: n.def - 1, entryDef: n.def, entryRep: n.rep, parts: []shape{entry}}
	}
	s := n.value()
	s.nullable = n.repetition == optional
	return s
}

// value returns the shape of the node's values that are not null.
func (n *node) value() shape {
	s := shape{name: n.element.name, def: n.def, leaf: n.leaf}
	switch {
	case n.leaf != nil:
	case n.entries() && n.saysList():
		n.parts[0].list(&s, n)
	case n.entries() && n.saysMap() && n.parts[0].leaf == nil && len(n.parts[0].parts) == 2:
		s.kind, s.entryDef, s.entryRep = mapShape, n.parts[0].def, n.parts[0].rep
		s.parts = []shape{n.parts[0].parts[0].shape(), n.parts[0].parts[1].shape()}
	case n.entries() && n.saysMap():
		n.parts[0].list(&s, n) // a map without values
	default:
		s.kind = groupShape
		for _, p := range n.parts {
			s.parts = append(s.parts, p.shape())
		}
	}
	return s
}

// entries reports whether a group has one part, which is repeated.
func (n *node) entries() bool { return len(n.parts) == 1 && n.parts[0].repetition == repeated }

// saysMap reports whether a group is annotated as a map.
func (e *element) saysMap() bool {
	return e.logical.kind == logicalMap || e.logical.kind == 0 && (e.converted == convertedMap || e.converted == convertedMapKeyValue)
}

// list makes s the shape of a list whose entries are in n, the repeated part of the group around.
// In old files n is the entry itself.
func (n *node) list(s *shape, around *node) {
	s.kind, s.entryDef, s.entryRep = listShape, n.def, n.rep
	itself := n.leaf != nil || len(n.parts) != 1 || n.saysList() || n.saysMap() || n.parts[0].repetition == repeated ||
		n.element.name == "array" || n.element.name == around.element.name+"_tuple"
	if itself {
		s.parts = []shape{n.value()}
	} else {
		s.parts = []shape{n.parts[0].shape()}
	}
}

// projected returns the shape of a node on its own: if it lies inside lists, lists of its values.
func (n *node) projected() shape {
	s := n.shape()
	lists := n.lists
	if n.repetition == repeated {
		lists = lists[:len(lists)-1]
	}
	for i, def := range slices.Backward(lists) {
		if i == len(lists)-1 {
			s.nullable = s.nullable || n.def > def
		}
		s = shape{kind: listShape, name: n.element.name, nullable: true, def: def - 1, entryDef: def, entryRep: i + 1, parts: []shape{s}}
	}
	return s
}

// field returns Arrow's field for the values of a shape.
func (s *shape) field() ar.Field {
	f := ar.Field{Name: s.name, Nullable: s.nullable}
	switch s.kind {
	case listShape:
		f.Type = ar.ListOfField(s.parts[0].field())
	case mapShape:
		key, value := s.parts[0].field(), s.parts[1].field()
		key.Nullable = false
		f.Type = ar.MapOfFields(key, value)
	case groupShape:
		var fields []ar.Field
		for i := range s.parts {
			fields = append(fields, s.parts[i].field())
		}
		f.Type = ar.StructOf(fields...)
	default:
		f.Type, f.Metadata = s.leaf.arrowType()
	}
	return f
}

// keptReader reads the values of a kept column.
type keptReader struct {
	name    string
	t       *kept.Type
	root    keptNode
	readers []*reader
	pending [][]byte // values that were read, but not returned yet
	maxSize int      // most bytes of a value
	stop    int      // length of the buffer at which the value being read exceeds maxSize
	passed  int      // bytes of that value that were passed over once it did
}

// mostPassed is how many times the limit of a value is passed over to find its end.
const mostPassed = 16

// keptBytes is how many bytes of kept columns are read at a time: a text of a megabyte in a
// dictionary may stand in every row.
var keptBytes = 16 << 20

// keptNode is a part of a kept column, with the readers of the columns in it.
type keptNode struct {
	*shape
	column  *keptReader
	readers []*reader // the levels of the first one say which values are null, and where lists end
	parts   []keptNode
	size    int // number of entries that each list must have; -1: any
}

// newKept returns a reader of a node's values. original is the node's field in the file's schema of
// Arrow's, or nil; most bounds the bytes of a value.
func newKept(n *node, original *ar.Field, most int) (*keptReader, error) {
	s := n.projected()
	f := s.field()
	if original != nil {
		f = restored(f, *original)
	}
	t, err := kept.Of(f)
	if err != nil {
		return nil, err
	}
	k := &keptReader{name: n.name, t: t, maxSize: most}
	k.root, err = k.node(&s, t)
	return k, err
}

// node makes the readers of a part.
func (k *keptReader) node(s *shape, t *kept.Type) (keptNode, error) {
	n := keptNode{shape: s, column: k, size: t.Size()}
	if s.kind == single {
		v, err := s.leaf.keptValues(t.Field().Type)
		if err != nil {
			return n, err
		}
		r := newReader(s.leaf, v)
		n.readers = []*reader{r}
		k.readers = append(k.readers, r)
		return n, nil
	}
	parts := t.Parts()
	for i := range s.parts {
		p, err := k.node(&s.parts[i], parts[i])
		if err != nil {
			return n, err
		}
		n.parts, n.readers = append(n.parts, p), append(n.readers, p.readers...)
	}
	return n, nil
}

var errLevels = errors.New("levels that make no values")

// read reads the values of n rows, nil for null. It stops earlier once the values take more than
// size bytes. A value that is longer than maxSize is [tooLongValue]. One that goes on for more than
// [mostPassed] times as long is an error: its end is not looked for. sum adds up what all columns
// that are read at the same time take. The caller puts the values that it does not use into
// pending.
func (k *keptReader) read(n, size int, sum *atomic.Int64) ([][]byte, error) {
	out := k.pending[:min(n, len(k.pending))]
	if k.pending = k.pending[len(out):]; len(out) > 0 {
		return out, nil
	}
	out = make([][]byte, 0, n)
	all := make([]byte, 0, 8*n)
	ends := make([]int, 0, n)
	for len(ends) < n && len(all) <= size {
		for _, r := range k.readers {
			err := r.more()
			if errors.Is(err, io.EOF) {
				return nil, r.early(err)
			}
			if err != nil {
				return nil, err
			}
			if len(r.rep) > 0 && r.rep[0] != 0 {
				return nil, fmt.Errorf("column %q: %w", k.name, errLevels)
			}
		}
		before := len(all)
		k.stop, k.passed = before+k.maxSize, 0
		var null bool
		var err error
		if all, null, err = k.root.value(all); err != nil {
			return nil, fmt.Errorf("column %q: %w", k.name, err)
		}
		if len(all) > k.stop || k.passed > 0 {
			all = append(make([]byte, 0, before), all[:before]...) // the memory is not kept either
			ends = append(ends, tooLong)
			continue
		}
		if sum.Add(int64(len(all)-before)) > int64(keptBytes)+2*int64(k.maxSize) {
			return nil, fmt.Errorf("column %q: %w", k.name, kept.TooLong(k.maxSize))
		}
		end := len(all)
		if null {
			end = noValue
		}
		ends = append(ends, end)
	}
	at := 0
	for _, end := range ends {
		switch end {
		case noValue:
			out = append(out, nil)
		case tooLong:
			out = append(out, tooLongValue)
		default:
			out, at = append(out, all[at:end:end]), end
		}
	}
	return out, nil
}

// What stands in the place of a value's end where there is none.
const (
	noValue = -1 - iota
	tooLong
)

// tooLongValue stands for a value that is too long, which makes its row a bad one.
var tooLongValue = []byte("too long")

func isTooLong(v []byte) bool { return len(v) > 0 && &v[0] == &tooLongValue[0] }

// value appends the next value; null says that there is none.
func (n *keptNode) value(dst []byte) (_ []byte, null bool, err error) {
	lead := n.readers[0]
	if lead.left() == 0 {
		return dst, false, errLevels
	}
	if n.nullable && lead.level() < n.def {
		return dst, true, n.pass()
	}
	switch n.kind {
	case listShape, mapShape:
		dst, err = n.entries(dst, lead)
	case groupShape:
		for i := range n.parts {
			if dst, err = n.parts[i].part(dst); err != nil {
				return dst, false, err
			}
		}
	default:
		dst, null = lead.next(dst)
	}
	return dst, null, err
}

// entries appends the entries of a list or a map.
func (n *keptNode) entries(dst []byte, lead *reader) (_ []byte, err error) {
	if lead.level() < n.entryDef {
		if n.size > 0 {
			return dst, fmt.Errorf("want lists of %d entries, got an empty one", n.size)
		}
		return dst, n.pass()
	}
	for count := 1; ; count++ {
		for i := range n.parts {
			if dst, err = n.parts[i].part(dst); err != nil {
				return dst, err
			}
		}
		again, err := lead.goesOn(n.entryRep)
		if err != nil {
			return dst, err
		}
		for _, r := range n.readers[1:] {
			if same, err := r.goesOn(n.entryRep); err != nil || same != again {
				return dst, errors.Join(err, errLevels)
			}
		}
		switch {
		case again:
		case n.size >= 0 && n.size != count:
			return dst, fmt.Errorf("want lists of %d entries, got one of %d", n.size, count)
		default:
			return dst, nil
		}
	}
}

// part appends the next value, as a part of another value. Of a value that has become too long it
// appends nothing more.
func (n *keptNode) part(dst []byte) ([]byte, error) {
	at := len(dst)
	dst, null, err := n.value(kept.Begin(dst))
	if err == nil && !null {
		kept.End(dst, at)
	}
	if k := n.column; err == nil && len(dst) > k.stop {
		k.passed += len(dst) - at
		dst = dst[:at]
		if k.passed > mostPassed*k.maxSize {
			err = kept.TooLong(k.maxSize)
		}
	}
	return dst, err
}

// pass passes over a null: the entry that each column has for it.
func (n *keptNode) pass() error {
	for _, r := range n.readers {
		if r.left() == 0 || r.def == nil || int(r.def[0]) == r.maxDef() {
			return errLevels
		}
		r.skip()
	}
	return nil
}

// level returns the definition level of the next entry.
func (r *reader) level() int {
	if r.def == nil {
		return r.maxDef()
	}
	return int(r.def[0])
}

// skip passes over the levels of the next entry.
func (r *reader) skip() {
	if r.def != nil {
		r.def = r.def[1:]
	}
	if r.rep != nil {
		r.rep = r.rep[1:]
	}
}

// next appends the value of the next entry; null reports that it has none.
func (r *reader) next(dst []byte) (_ []byte, null bool) {
	null = r.level() < r.maxDef()
	r.skip()
	switch {
	case null:
		return dst, true
	case r.width == 0:
		dst, r.strs = append(dst, r.strs[0]...), r.strs[1:]
	default:
		dst, r.data = append(dst, r.data[:r.width]...), r.data[r.width:]
	}
	return dst, false
}

// goesOn reports whether the next entry continues the list of repetition level rep.
func (r *reader) goesOn(rep int) (bool, error) {
	err := r.more()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil || len(r.rep) == 0 {
		return false, err
	}
	return int(r.rep[0]) >= rep, nil
}

// arrowSchema returns the schema of Arrow's that the file was written from; nil where the file has
// none, or none that can be read.
func (m *metadata) arrowSchema() *ar.Schema {
	b, err := base64.StdEncoding.AppendDecode(nil, m.arrow)
	if len(m.arrow) == 0 || err != nil {
		return nil
	}
	var s *ar.Schema
	if files.Guard("", func() (err error) { s, err = message.Schema(b); return err }) != nil {
		return nil
	}
	return s
}

// keptValues returns how values of Arrow's type d are made out of physical ones.
func (l *leaf) keptValues(d ar.DataType) (values, error) {
	if dict, ok := d.(*ar.DictionaryType); ok {
		d = dict.ValueType
	}
	own := values{width: (&reader{leaf: l}).size()}
	switch d := d.(type) {
	case *ar.NullType:
		return values{width: 1, convert: func(dst, _ []byte) ([]byte, error) { return append(dst, 0), nil }}, nil
	case ar.DecimalType:
		return l.keptDecimal(d)
	case *ar.TimestampType:
		switch {
		case l.physical == int96s && d.Unit == ar.Microsecond:
			return values{width: 8, convert: microseconds}, nil
		case l.physical == int96s:
			return values{width: 8, convert: nanoseconds}, nil
		}
	}
	fixed, ok := d.(ar.FixedWidthDataType)
	switch {
	case !ok || l.physical == byteArrays:
		return values{}, nil // strings stay as they are
	case l.physical == boolean:
		return own, nil
	case fixed.Bytes() < own.width:
		return values{width: fixed.Bytes(), convert: narrowed(d)}, nil
	}
	return own, nil
}

// narrowed returns a function that makes small integers of type d out of the larger ones that they
// are stored as. An integer out of range is an error: no writer stores one, and cutting it would
// make another number.
func narrowed(d ar.DataType) func(dst, v []byte) ([]byte, error) {
	n := d.(ar.FixedWidthDataType).Bytes() //nolint:forcetypeassert // integers are
	return func(dst, v []byte) ([]byte, error) {
		sign := byte(0)
		if v[n-1] >= 0x80 && (v[n] != 0 || ar.IsSignedInteger(d.ID())) {
			sign = 0xff // some writers extend the sign of unsigned integers too
		}
		for _, b := range v[n:] {
			if b != sign {
				return dst, fmt.Errorf("the file is damaged: an integer that is larger than any %s", d)
			}
		}
		return append(dst, v[:n]...), nil
	}
}

// keptDecimal returns how decimals of Arrow's are made: unscaled integers, the lowest byte first.
func (l *leaf) keptDecimal(d ar.DecimalType) (values, error) {
	fixed, ok := d.(ar.FixedWidthDataType)
	if !ok {
		return values{}, fmt.Errorf("decimals of type %s", d)
	}
	return l.wide(fixed.Bytes()), nil
}

// wide returns how a decimal of any number of bytes is made into an integer of n bytes, the lowest
// byte first.
func (l *leaf) wide(n int) values {
	little := l.physical == int32s || l.physical == int64s
	return values{width: n, convert: func(dst, v []byte) ([]byte, error) {
		v = slices.Clone(v)
		if !little {
			slices.Reverse(v)
		}
		sign := byte(0)
		if len(v) > 0 && v[len(v)-1] >= 0x80 {
			sign = 0xff
		}
		for len(v) > n && v[len(v)-1] == sign && (v[len(v)-2] >= 0x80) == (sign != 0) {
			v = v[:len(v)-1]
		}
		if len(v) > n {
			return dst, errors.New("a decimal of more digits than its type has")
		}
		return append(append(dst, v...), slices.Repeat([]byte{sign}, n-len(v))...), nil
	}}
}
