package parquet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ar "github.com/apache/arrow-go/v18/arrow"

	"github.com/tfrun/tfrun/dataset/internal/nested"
	"github.com/tfrun/tfrun/tensor"
)

// node is a node of the schema's tree.
type node struct {
	*element
	// name is the path of the node's names from the root down, without the groups that only make
	// lists.
	name   string
	parent *node
	parts  []*node
	leaf   *leaf // only of a node without parts
	// def and rep are the levels of a value that is not null: how many of the nodes from the root
	// to this one are optional or repeated, and how many are repeated.
	def, rep int
	lists    []int // of each list around the node, the definition level of an entry
}

// leaf is a column of a file.
type leaf struct {
	nested.Type
	*node
	index int // index of its chunk in a row group
	values
}

// values says how values of a column are made out of physical ones. With width 0 they are strings.
type values struct {
	width int
	// convert appends the value of a physical one. nil: they are the same.
	convert func(dst, physical []byte) ([]byte, error)
}

// maxDepth bounds how deep a schema may nest.
const maxDepth = 128

// tree makes the tree of a schema, and lists its leaves in the order of their chunks.
func tree(schema []element) (root *node, leaves []*leaf, err error) {
	if len(schema) == 0 {
		return nil, nil, errors.New("the file is damaged: it has no schema")
	}
	root = &node{element: &schema[0]}
	rest := schema[1:]
	var grow func(n *node, depth int) error
	grow = func(n *node, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("the schema nests deeper than %d levels", maxDepth)
		}
		if n.children < 0 || int(n.children) > len(rest) {
			return fmt.Errorf("the file is damaged: group %q has %d children, and there are %d more elements", n.element.name, n.children, len(rest))
		}
		for range n.children {
			if len(rest) == 0 {
				return fmt.Errorf("the file is damaged: group %q has %d children, and there are no more elements", n.element.name, n.children)
			}
			child := &node{element: &rest[0], parent: n, def: n.def, rep: n.rep, lists: n.lists}
			rest = rest[1:]
			if child.repetition < required || child.repetition > repeated {
				return fmt.Errorf("the file is damaged: element %q has the unknown repetition %d", child.element.name, child.repetition)
			}
			n.parts = append(n.parts, child)
			child.place(n)
			if child.physical == noPhysical || child.children > 0 {
				if err := grow(child, depth+1); err != nil {
					return err
				}
				continue
			}
			l := &leaf{node: child, index: len(leaves)}
			child.leaf = l
			if err := l.describe(); err != nil {
				return err
			}
			leaves = append(leaves, l)
		}
		return nil
	}
	if err := grow(root, 0); err != nil {
		return nil, nil, err
	}
	if len(leaves) == 0 {
		return nil, nil, errors.New("the file has no columns")
	}
	return root, leaves, nil
}

// place sets a node's levels and name.
func (n *node) place(parent *node) {
	if n.repetition != required {
		n.def++
	}
	if n.repetition == repeated {
		n.rep++
		n.lists = append(slices.Clone(n.lists), n.def)
	}
	entry := parent.repetition == repeated && parent.children == 1 && isEntry(n.element.name)
	switch {
	case parent.name == "":
		n.name = n.element.name
	case entry, n.repetition == repeated && parent.isList():
		n.name = parent.name
	default:
		n.name = parent.name + "." + n.element.name
	}
}

// isEntry reports whether a name only says that the node is an entry of a list.
func isEntry(name string) bool {
	return slices.Contains([]string{"element", "item", "array", "array_element"}, name)
}

// isList reports whether a group of one part is a list: by its annotation, or by the name of its
// part.
func (n *node) isList() bool {
	if n.children != 1 {
		return false
	}
	byName := n.parts[0].repetition == repeated && slices.Contains([]string{"list", "bag", "array"}, n.parts[0].element.name)
	return byName || n.saysList()
}

// saysList reports whether a group is annotated as a list.
func (e *element) saysList() bool {
	return e.logical.kind == logicalList || e.logical.kind == 0 && e.converted == convertedList
}

// maxDef returns the definition level of a value that is not null.
func (l *leaf) maxDef() int { return l.def }

// describe works out the type of the column's values.
func (l *leaf) describe() error {
	l.Depth = len(l.lists)
	l.Name = strings.Repeat("list<", l.Depth) + l.typeName() + strings.Repeat(">", l.Depth)
	switch l.physical {
	case boolean:
		l.DType, l.width = tensor.Bool, 1
	case int32s:
		l.DType, l.width = tensor.Int32, 4
	case int64s:
		l.DType, l.width = tensor.Int64, 8
	case int96s:
		l.DType, l.width, l.convert = tensor.Int64, 8, nanoseconds
	case floats:
		l.DType, l.width = tensor.Float32, 4
	case doubles:
		l.DType, l.width = tensor.Float64, 8
	case byteArrays:
		l.DType = tensor.String
	case fixedArrays:
		l.DType = tensor.String
		if l.length < 0 {
			return fmt.Errorf("the file is damaged: column %q holds byte arrays of %d bytes", l.node.name, l.length)
		}
	default:
		return fmt.Errorf("column %q: values of %s are not known", l.node.name, l.physical)
	}
	switch scale, decimal := l.decimal(); {
	case decimal && l.physical != boolean && l.physical != int96s:
		return l.describeDecimal(scale)
	case l.logical.kind == logicalFloat16 && l.physical == fixedArrays && l.length == 2:
		l.DType, l.width = tensor.Float16, 2
	case l.logical.kind == logicalNull:
		l.DType, l.width = tensor.Int32, 4
		l.convert = func(dst, _ []byte) ([]byte, error) { return append(dst, 0, 0, 0, 0), nil }
	case l.unsigned() && l.physical == int32s:
		l.DType = tensor.Uint32
	case l.unsigned() && l.physical == int64s:
		l.DType = tensor.Uint64
	}
	return nil
}

// describeDecimal is describe for decimals.
func (l *leaf) describeDecimal(scale int) error {
	if scale < -nested.MaxScale || scale > nested.MaxScale {
		return fmt.Errorf("the file is damaged: column %q holds decimals of the scale %d", l.node.name, scale)
	}
	l.DType = tensor.Float64
	switch l.physical {
	case int32s, int64s: // integers are stored as they are
	case fixedArrays:
		l.values = l.wide(max(int(l.length), 1))
	default:
		const most = 32 // bytes of the widest decimal of Arrow's
		l.values = l.wide(most)
	}
	l.Decimal = nested.Decimal{Bytes: l.width, Scale: scale}
	return nil
}

func (e *element) typeName() string {
	switch {
	case e.logical.kind == logicalFloat16:
		return "float16"
	case e.logical.kind == logicalNull:
		return "null"
	case e.physical == fixedArrays:
		return fmt.Sprintf("%s(%d)", e.physical, e.length)
	}
	return e.physical.String()
}

// decimal returns the scale of a decimal; ok is false for other types.
func (e *element) decimal() (scale int, ok bool) {
	if e.logical.kind == logicalDecimal {
		return int(e.logical.scale), true
	}
	return int(e.scale), e.logical.kind == 0 && e.converted == convertedDecimal
}

// unsigned reports whether the integers of the column are unsigned.
func (e *element) unsigned() bool {
	if e.logical.kind != 0 {
		return e.logical.kind == logicalInteger && !e.logical.signed
	}
	return e.converted >= convertedUint8 && e.converted <= convertedUint64
}

// named lists the nodes below the root with their names, without the groups that only make lists.
func (n *node) named() (nodes []*node, names []string) {
	var walk func(n *node)
	walk = func(n *node) {
		for _, p := range n.parts {
			if n.parent == nil || p.name != n.name {
				nodes, names = append(nodes, p), append(names, p.name)
			}
			walk(p)
		}
	}
	walk(n)
	return nodes, names
}

// original returns the node's field in the schema of Arrow's that the file was written from. It is
// nil for a node inside a list, or where the schema has no such field.
func (n *node) original(s *ar.Schema) *ar.Field {
	if s == nil {
		return nil
	}
	// Schemas and structures both have fields by name, and copy the list of all fields.
	var fields interface {
		FieldIndices(name string) []int
		Field(i int) ar.Field
	} = s
	for path := n.path(); ; path = path[1:] {
		at := fields.FieldIndices(path[0])
		if len(at) == 0 {
			return nil
		}
		f := fields.Field(at[0])
		if len(path) == 1 {
			return &f
		}
		st, ok := f.Type.(*ar.StructType)
		if !ok {
			return nil
		}
		fields = st
	}
}

// path returns the names of the nodes from below the root down to this one.
func (n *node) path() []string {
	if n.parent == nil {
		return nil
	}
	return append(n.parent.path(), n.element.name)
}
