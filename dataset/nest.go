package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Nest is a structure of T in tf.nest's sense: a single leaf, a tuple of nests, or a dictionary of
// nests. Specs, padded shapes and padding values are nests; an [Element] holds its components flat,
// in the order of [Nest.Flatten].
//
// The zero Nest is "not given": where Python would take None for the whole argument or for a part
// of it. Nests are immutable.
type Nest[T any] struct {
	kind  nestKind
	leaf  T
	keys  []string // of a dictionary, sorted
	items []Nest[T]
}

type nestKind uint8

const (
	nestNone nestKind = iota
	nestLeaf
	nestTuple
	nestDict
)

// Leaf returns the nest that is just v.
func Leaf[T any](v T) Nest[T] { return Nest[T]{kind: nestLeaf, leaf: v} }

// Tuple returns a tuple of nests.
func Tuple[T any](items ...Nest[T]) Nest[T] {
	return Nest[T]{kind: nestTuple, items: slices.Clone(items)}
}

// Dict returns a dictionary of nests. It is flattened in the order of its sorted keys, as tf.nest
// does.
func Dict[T any](items map[string]Nest[T]) Nest[T] {
	n := Nest[T]{kind: nestDict, keys: slices.Sorted(maps.Keys(items))}
	for _, k := range n.keys {
		n.items = append(n.items, items[k])
	}
	return n
}

// IsZero reports whether the nest was not given.
func (n Nest[T]) IsZero() bool { return n.kind == nestNone }

// IsLeaf reports whether the nest is a single leaf.
func (n Nest[T]) IsLeaf() bool { return n.kind == nestLeaf }

// Leaf returns the value of a nest that is a single leaf; the zero T for any other.
func (n Nest[T]) Leaf() T { return n.leaf }

// Keys returns the sorted keys of a dictionary, nil for any other nest.
func (n Nest[T]) Keys() []string { return slices.Clone(n.keys) }

// Items returns the parts of a tuple, or of a dictionary in the order of its sorted keys; nil for a
// leaf.
func (n Nest[T]) Items() []Nest[T] { return slices.Clone(n.items) }

// Flatten returns the leaves: tuples left to right, dictionaries in the order of their sorted keys.
// The index of a leaf is the component number that error messages use. A part that was not given
// counts as one leaf, the zero T.
func (n Nest[T]) Flatten() []T {
	var out []T
	n.walk("", func(_ string, leaf Nest[T]) { out = append(out, leaf.leaf) })
	return out
}

// Paths returns the leaves' addresses in the order of [Nest.Flatten]: "." for a bare leaf,
// otherwise keys and indices joined by slashes ("0", "1/x").
func (n Nest[T]) Paths() []string {
	var out []string
	n.walk("", func(path string, _ Nest[T]) { out = append(out, path) })
	return out
}

// Index returns the component number of the leaf with the given path, or -1.
func (n Nest[T]) Index(path string) int { return slices.Index(n.Paths(), path) }

func (n Nest[T]) walk(prefix string, visit func(path string, leaf Nest[T])) {
	if n.kind != nestTuple && n.kind != nestDict {
		if prefix == "" {
			prefix = "."
		}
		visit(prefix, n)
		return
	}
	if prefix != "" {
		prefix += "/"
	}
	for i, item := range n.items {
		if n.kind == nestDict {
			item.walk(prefix+n.keys[i], visit)
		} else {
			item.walk(prefix+strconv.Itoa(i), visit)
		}
	}
}

// String writes the nest as Python writes a structure: "(a, {'k': b})".
func (n Nest[T]) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

// write writes the nest as Python shows it: leaves, tuples in parentheses, dictionaries in braces.
func (n Nest[T]) write(b *strings.Builder) {
	switch n.kind {
	case nestNone:
		b.WriteString("None")
	case nestLeaf:
		fmt.Fprint(b, n.leaf)
	case nestTuple:
		b.WriteByte('(')
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			item.write(b)
		}
		if len(n.items) == 1 {
			b.WriteByte(',')
		}
		b.WriteByte(')')
	case nestDict:
		b.WriteByte('{')
		for i, item := range n.items {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "'%s': ", n.keys[i])
			item.write(b)
		}
		b.WriteByte('}')
	}
}

// mapNest returns the nest with the same structure whose leaves are f of n's, with their component
// numbers.
func mapNest[T, U any](n Nest[T], f func(i int, v T) U) Nest[U] {
	i := 0
	var rec func(n Nest[T]) Nest[U]
	rec = func(n Nest[T]) Nest[U] {
		u := Nest[U]{kind: n.kind, keys: n.keys}
		if n.kind == nestLeaf {
			u.leaf = f(i, n.leaf)
			i++
			return u
		}
		for _, item := range n.items {
			u.items = append(u.items, rec(item))
		}
		return u
	}
	return rec(n)
}

// nested reports whether the nest is a tuple or a dictionary.
func (n Nest[T]) nested() bool { return n.kind == nestTuple || n.kind == nestDict }

// typeName is Python's name for the nest's outermost type; leaf names that of a leaf.
func (n Nest[T]) typeName(leaf func(T) string) string {
	switch n.kind {
	case nestTuple:
		return "tuple"
	case nestDict:
		return "dict"
	case nestNone:
		return "NoneType"
	}
	return leaf(n.leaf)
}

// assertShallow is tf.nest's assert_shallow_structure: input must have shallow's structure, but may
// go deeper where shallow has a leaf.
func assertShallow[S, T any](shallow Nest[S], input Nest[T], leafName func(T) string) *Error {
	if !shallow.nested() {
		return nil
	}
	shallowName := shallow.typeName(nil)
	switch {
	case !input.nested():
		return buildErr(TypeError, "", "structure: want a %s, got a single value of type '%s'", shallowName, input.typeName(leafName))
	case shallow.kind != input.kind:
		return buildErr(TypeError, "", "the two structures don't have the same sequence type: input has type '%s', want '%s'",
			input.typeName(leafName), shallowName)
	case len(shallow.items) != len(input.items):
		return buildErr(ValueError, "", "the two structures don't have the same sequence length: input has length %d, want length %d",
			len(input.items), len(shallow.items))
	case !slices.Equal(shallow.keys, input.keys):
		return buildErr(ValueError, "", "the two structures don't have the same keys: input has keys %q, want %q", input.keys, shallow.keys)
	}
	for i := range shallow.items {
		if err := assertShallow(shallow.items[i], input.items[i], leafName); err != nil {
			return err
		}
	}
	return nil
}

// flattenUpTo returns the parts of input that stand where shallow has its leaves; see
// [assertShallow].
func flattenUpTo[S, T any](shallow Nest[S], input Nest[T], leafName func(T) string) ([]Nest[T], *Error) {
	if err := assertShallow(shallow, input, leafName); err != nil {
		return nil, err
	}
	var out []Nest[T]
	var rec func(s Nest[S], n Nest[T])
	rec = func(s Nest[S], n Nest[T]) {
		if !s.nested() {
			out = append(out, n)
			return
		}
		for i := range s.items {
			rec(s.items[i], n.items[i])
		}
	}
	rec(shallow, input)
	return out, nil
}
