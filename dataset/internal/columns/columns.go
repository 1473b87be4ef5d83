// Package columns finds the columns of a file that the components of a spec are read from.
package columns

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/tensor"
)

// Options says which columns are read.
type Options struct {
	// Map maps a component, by its path in the spec, to the column it is read from. Several columns
	// give the component several values, side by side. A name with *, ? or [ that is no column's is
	// a pattern for all columns that match it, in the order of the file.
	Map map[string][]string
	// Keep lists the columns whose values go to Element.Extra.
	Keep []string
	// Nulls holds the values that take the place of nulls.
	Nulls dataset.Nulls
	// Keepable lists the names that Keep may have. Structures can be kept too, by the names that
	// their columns begin with. nil: only columns can be kept.
	Keepable []string
}

// Pick is the result of [Match].
type Pick struct {
	// Components holds for each component the indices of its columns.
	Components [][]int
	// Keep holds the indices of what is kept: in Keepable, or among the columns if Keepable is nil.
	Keep []int
}

// Match finds the columns that the components are read from. A component without an entry in Map is
// read from the column of its name. Where there is no such column, a spec of one component is read
// from the file's only column, or from all columns that are left, in their order, if the
// component's shape holds as many values. Errors are of type *[dataset.ColumnError].
func Match(file string, spec dataset.Spec, have []string, o Options) (Pick, error) {
	paths := spec.Paths()
	p := Pick{Components: make([][]int, len(paths))}
	for name := range o.Map {
		if !slices.Contains(paths, name) {
			return p, &dataset.ColumnError{File: file, Msg: fmt.Sprintf("column %q is for input %q, which there is not", strings.Join(o.Map[name], ","), name), Near: Near(name, paths)}
		}
	}
	m := newMatcher(file, have)
	keepable := m
	if o.Keepable != nil {
		keepable = newMatcher(file, o.Keepable)
	}
	for _, name := range o.Keep {
		i, err := keepable.find("", name)
		if err != nil {
			return p, err
		}
		p.Keep = append(p.Keep, i)
	}
	missing := -1
	for i, name := range paths {
		columns, mapped := o.Map[name]
		var err error
		switch {
		case mapped:
			p.Components[i], err = m.list(name, columns)
		case m.has(name):
			p.Components[i], err = m.list(name, []string{name})
		case m.has(strings.ReplaceAll(name, "/", ".")):
			p.Components[i], err = m.list(name, []string{strings.ReplaceAll(name, "/", ".")})
		case missing >= 0:
			err = m.missing(name, name)
		default:
			missing = i
		}
		if err != nil {
			return p, err
		}
	}
	if missing >= 0 {
		rest := m.rest(p, o.Keep)
		if !fill(spec.Flatten()[missing], rest, len(paths)) {
			return p, m.missing(paths[missing], paths[missing])
		}
		p.Components[missing] = rest
	}
	return p, nil
}

// fill reports whether a component without a column of its name takes the columns that are left.
func fill(c dataset.Component, rest []int, components int) bool {
	if len(rest) == 1 && components == 1 {
		return true
	}
	n, ok := c.Shape.NumElements()
	return ok && !c.Ragged && n > 1 && n == int64(len(rest))
}

// matcher finds columns by their names. It keeps the names in a map, since a file may have a
// hundred thousand columns, and all of them be asked for.
type matcher struct {
	file string
	have []string
	at   map[string]int // index of a name's column; twice for a name that several columns have
}

const twice = -1

func newMatcher(file string, have []string) *matcher {
	m := &matcher{file: file, have: have, at: make(map[string]int, len(have))}
	for i, name := range have {
		if _, ok := m.at[name]; ok {
			i = twice
		}
		m.at[name] = i
	}
	return m
}

func (m *matcher) has(name string) bool {
	_, ok := m.at[name]
	return ok
}

// find returns the index of the column with the given name.
func (m *matcher) find(component, name string) (int, error) {
	i, ok := m.at[name]
	switch {
	case !ok:
		return 0, m.missing(component, name)
	case i == twice:
		return 0, &dataset.ColumnError{File: m.file, Component: component, Column: name, Msg: "the file has several columns of this name"}
	}
	return i, nil
}

// list returns the columns with the given names or patterns.
func (m *matcher) list(component string, names []string) ([]int, error) {
	var out []int
	for _, name := range names {
		if !m.has(name) && strings.ContainsAny(name, "*?[") {
			matches := m.matching(name)
			if len(matches) == 0 {
				return nil, &dataset.ColumnError{File: m.file, Component: component, Column: name, Have: m.have, Msg: "no column matches the pattern"}
			}
			out = append(out, matches...)
			continue
		}
		i, err := m.find(component, name)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	if len(out) == 0 {
		return nil, &dataset.ColumnError{File: m.file, Component: component, Have: m.have, Msg: "it is mapped to no column"}
	}
	return out, nil
}

func (m *matcher) matching(pattern string) []int {
	var out []int
	for i, name := range m.have {
		if ok, err := path.Match(pattern, strings.ReplaceAll(name, "/", ".")); ok && err == nil {
			out = append(out, i)
		}
	}
	return out
}

// rest returns the columns that are neither picked nor an index that pandas wrote.
func (m *matcher) rest(p Pick, keep []string) []int {
	picked, kept := map[int]bool{}, map[string]bool{}
	for _, c := range p.Components {
		for _, i := range c {
			picked[i] = true
		}
	}
	for _, k := range keep {
		kept[k] = true
	}
	var out []int
	for i, name := range m.have {
		if name != "" && name != "__index_level_0__" && !picked[i] && !within(kept, name) {
			out = append(out, i)
		}
	}
	return out
}

// within reports whether a column is one of names, or inside a structure that is: "a" is one around
// "a.b.c".
func within(names map[string]bool, column string) bool {
	for i, c := range column {
		if c == '.' && names[column[:i]] {
			return true
		}
	}
	return names[column]
}

func (m *matcher) missing(component, name string) error {
	return &dataset.ColumnError{File: m.file, Component: component, Column: name, Have: slices.Clone(m.have), Near: Near(name, m.have)}
}

// Error returns the *[dataset.ColumnError] in err, nil if there is none.
func Error(err error) error {
	if c, ok := errors.AsType[*dataset.ColumnError](err); ok {
		return c
	}
	return nil
}

// Near returns the name most like the given one, or "" if none is similar.
func Near(name string, have []string) string {
	best, most := "", max(1, len(name)/3)
	if len(name) < 2 {
		most = 0
	}
	for _, h := range have {
		if strings.EqualFold(h, name) {
			return h
		}
		if d := words.Distance(strings.ToLower(name), strings.ToLower(h)); d <= most {
			best, most = h, d-1
		}
	}
	if best != "" || len(name) < 3 {
		return best
	}
	for _, h := range have {
		if len(h) >= 3 && (strings.HasPrefix(h, name) || strings.HasPrefix(name, h)) {
			return h
		}
	}
	return ""
}

// CheckSide is [dataset.Component.Side] with an error for sizes that do not fit.
func CheckSide(file, component string, c dataset.Component, n int) ([]int64, error) {
	dims, ok := c.Side(n)
	if ok {
		return dims, nil
	}
	return nil, &dataset.ColumnError{File: file, Component: component, Msg: fmt.Sprintf("%s values do not fill the shape %v of a row", strconv.Itoa(n), c.Shape)}
}

// Names returns the names of a writer's columns: those of the components, given or else their
// paths, then those of the kept columns. Two equal names are an error.
func Names(spec dataset.Spec, given, keep []string) ([]string, error) {
	names := spec.Paths()
	if given != nil {
		if len(given) != len(names) {
			return nil, fmt.Errorf("want %d names, one for each component, got %d", len(names), len(given))
		}
		names = slices.Clone(given)
	}
	names = append(names, keep...)
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		if name == "." {
			names[i] = "value"
		}
		if seen[names[i]] {
			return nil, fmt.Errorf("two columns are called %q; rename or leave out one", names[i])
		}
		seen[names[i]] = true
	}
	return names, nil
}

// CheckRow returns what is wrong with an element that is to be written, or nil. An element without
// tensors is a row without values, and right.
func CheckRow(comps []dataset.Component, e dataset.Element) error {
	if e.Tensors == nil {
		return nil
	}
	if len(e.Tensors) != len(comps) {
		return fmt.Errorf("row %d: %d components, the spec has %d", e.Row, len(e.Tensors), len(comps))
	}
	for i, c := range comps {
		t := e.Tensors[i]
		switch {
		case t.DType() != c.DType:
			return fmt.Errorf("row %d: component %d: want %s, got %s", e.Row, i, c.DType, t.DType())
		case c.Ragged && len(Splits(e, i)) != c.RaggedRank:
			return fmt.Errorf("row %d: component %d: want %d row splits", e.Row, i, c.RaggedRank)
		case !c.Ragged && !c.Shape.Admits(t.Dims()):
			return fmt.Errorf("row %d: component %d: want the shape %v, got %v", e.Row, i, c.Shape, t.Shape())
		}
	}
	return nil
}

// CheckBlock is CheckRow for rows in which each component has one shape.
func CheckBlock(comps []dataset.Component, b dataset.RowBlock) error {
	if len(b.Tensors) == 0 {
		return fmt.Errorf("row %d: a block without components", b.Row)
	}
	for i, t := range b.Tensors {
		if t.Rank() == 0 || t.Dims()[0] == 0 || t.Dims()[0] != b.Tensors[0].Dims()[0] {
			return fmt.Errorf("row %d: component %d: want rows along the first axis, as many of each component, got %v", b.Row, i, t)
		}
	}
	if b.Extra != nil && len(b.Extra) != b.Len() {
		return fmt.Errorf("row %d: %d rows, and kept columns of %d", b.Row, b.Len(), len(b.Extra))
	}
	var e dataset.Element
	b.Get(0, &e)
	return CheckRow(comps, e)
}

// Splits returns the row splits of component i of an element, nil where it is dense.
func Splits(e dataset.Element, i int) []tensor.Tensor {
	if e.Splits == nil {
		return nil
	}
	return e.Splits[i]
}

// Extra returns a kept column of an element, without a value if the element does not have it. k is
// the column's place in the list of kept columns; mostly the element has it at the same place,
// which spares a search among thousands.
func Extra(e dataset.Element, k int, key string) dataset.Field {
	if k >= 0 && k < len(e.Extra) && e.Extra[k].Key == key {
		return e.Extra[k]
	}
	for _, f := range e.Extra {
		if f.Key == key {
			return f
		}
	}
	return dataset.Field{Key: key}
}

// ExtraText returns the JSON text of a kept column, empty if the element does not have it.
func ExtraText(e dataset.Element, k int, key string) []byte {
	return Extra(e, k, key).AppendJSON(nil)
}
