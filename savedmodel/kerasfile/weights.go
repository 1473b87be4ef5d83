package kerasfile

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/hdf5"
	"github.com/tfrun/tfrun/tensor"
)

// Bounds on a file's groups.
const (
	maxObjects = 1 << 18
	maxDepth   = 64
)

// Variable is one array of numbers in the file.
type Variable struct {
	// Key is the path in the file.
	Key string
	// Name is Keras' name where the file holds one or the class of the layer tells it:
	// "dense/kernel"; else the key.
	Name  string
	DType tensor.DType // Invalid for what is no number
	Shape tensor.Shape
	Bytes int64 // in memory

	data *hdf5.Dataset
}

// kind is the type and the shape of a variable.
func (v *Variable) kind() string { return fmt.Sprintf("%v %v", v.DType, v.Shape) }

// object is one Python object of the newer layout: its own variables and the objects in its
// attributes.
type object struct {
	name     string // Keras' name of it, "" in older files
	path     string
	vars     []*Variable
	hasVars  bool
	group    *hdf5.Group
	children map[string]*object
	names    []string // of the children that stand for objects, in the file's order
	byName   map[string]*object
}

// legacyLayer is a layer of the older layout.
type legacyLayer struct {
	name string
	vars []*Variable
}

// weightTree is what an HDF5 file of Keras' holds. The newer layout is a tree of objects; the older
// one is a list of layers, each with a list of variables.
type weightTree struct {
	all       []*Variable
	root      *object
	legacy    []legacyLayer
	top       []*Variable // older layout: the variables that are the model's own
	optimizer []*Variable
	named     bool               // the objects carry names
	version   string             // of Keras, where the list of layers says
	again     map[*Variable]bool // older layout: copies of variables that another layer lists too
	maybe     []string           // older layout: layers that may have such copies
	// odd lists links out of the file and the like.
	odd []oddity

	objects int
	byKey   map[string]*Variable
	seen    map[uint64]bool
}

// oddity is something in an HDF5 file that Keras never writes.
type oddity struct {
	path, what string
	outside    bool // it leads to another file
}

// readTree reads the names, shapes and types of all variables.
func readTree(f *hdf5.File) (*weightTree, error) {
	t := &weightTree{byKey: map[string]*Variable{}, seen: map[uint64]bool{}}
	root, err := t.group(f.Root(), "", 0)
	if err != nil {
		return nil, err
	}
	t.root = root
	slices.SortStableFunc(t.all, func(a, b *Variable) int { return compareKeys(a.Key, b.Key) })
	if err := t.readLegacy(); err != nil {
		return nil, err
	}
	return t, nil
}

// group reads a group and all below it.
func (t *weightTree) group(g *hdf5.Group, path string, depth int) (*object, error) {
	o := &object{path: path, group: g, children: map[string]*object{}}
	links, err := g.Links()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("groups within groups, more than %d deep", maxDepth)
	}
	for _, l := range links {
		if t.objects++; t.objects > maxObjects {
			return nil, fmt.Errorf("more than %d groups and arrays", maxObjects)
		}
		at := join(path, strings.ReplaceAll(l.Name, "\\", "/"))
		switch {
		case l.Kind != hdf5.Hard:
			t.odd = append(t.odd, oddity{at, fmt.Sprintf("%s link to %s", l.Kind, l.Target), l.Kind == hdf5.External})
			continue
		case t.seen[l.ID()]:
			t.odd = append(t.odd, oddity{path: at, what: "a second link to one object"})
			continue
		}
		t.seen[l.ID()] = true
		child, err := g.Open(l)
		if err != nil {
			return nil, err
		}
		switch child := child.(type) {
		case *hdf5.Dataset:
			t.dataset(o, child, at)
		case *hdf5.Group:
			parent, name := o.within(l.Name)
			if err := t.child(parent, child, name, at, depth); err != nil {
				return nil, err
			}
		}
	}
	slices.SortStableFunc(o.vars, func(a, b *Variable) int { return compareKeys(a.Key, b.Key) })
	o.sortNames()
	return o, nil
}

// within returns the object that a group lies in, below o, and its name there. Keras 2 on Windows
// wrote "layers\dense" for the group dense in layers.
func (o *object) within(name string) (parent *object, last string) {
	for range maxDepth {
		before, after, more := strings.Cut(name, `\`)
		if !more || before == "" || after == "" {
			return o, name
		}
		c := o.children[before]
		if c == nil {
			c = &object{path: join(o.path, before), group: o.group, children: map[string]*object{}}
			o.children[before] = c
			o.names = append(o.names, before)
		}
		o, name = c, after
	}
	return o, name
}

// sortNames sorts the names of an object, and of those below it that have no group of their own.
func (o *object) sortNames() {
	slices.SortStableFunc(o.names, compareKeys)
	for _, c := range o.children {
		if c.group == o.group {
			c.sortNames()
		}
	}
}

// child reads a group within a group. One that is called vars holds the variables of the object
// that the group around it stands for.
func (t *weightTree) child(o *object, g *hdf5.Group, name, path string, depth int) error {
	c, err := t.group(g, path, depth+1)
	if err != nil {
		return err
	}
	if before := o.children[name]; before != nil { // groups within it came first, by longer names
		for _, n := range before.names {
			if c.children[n] == nil {
				c.children[n] = before.children[n]
				c.names = append(c.names, n)
			}
		}
		o.names = slices.DeleteFunc(o.names, func(n string) bool { return n == name })
	}
	o.children[name] = c
	if name != "vars" || len(c.children) > 0 {
		o.names = append(o.names, name)
		return nil
	}
	attrs, err := g.Attributes()
	if err != nil {
		return err
	}
	o.vars, o.hasVars = c.vars, true
	if o.name = t.attr(attrs, "name"); o.name != "" {
		t.named = true
	}
	return nil
}

// dataset notes an array.
func (t *weightTree) dataset(o *object, d *hdf5.Dataset, path string) {
	shape := tensor.MakeShape(d.Shape...)
	v := &Variable{Key: path, Name: path, DType: dtypeOf(d), Shape: shape, data: d}
	if n, ok := d.Shape.Count(); ok && n <= math.MaxInt64/int64(max(d.Type.Size, 1)) {
		v.Bytes = n * int64(d.Type.Size)
	}
	for _, file := range d.External {
		t.odd = append(t.odd, oddity{path, fmt.Sprintf("values in the file %q", file), true})
	}
	if d.Virtual {
		t.odd = append(t.odd, oddity{path, "values that are put together from other files", true})
	}
	o.vars = append(o.vars, v)
	t.all = append(t.all, v)
	t.byKey[path] = v
}

// dtypeOf returns the type of an array's numbers.
func dtypeOf(d *hdf5.Dataset) tensor.DType {
	switch t := d.Type; t.Class {
	case hdf5.Float:
		return map[int]tensor.DType{2: tensor.Float16, 4: tensor.Float32, 8: tensor.Float64}[t.Size]
	case hdf5.Integer:
		if t.Signed {
			return map[int]tensor.DType{1: tensor.Int8, 2: tensor.Int16, 4: tensor.Int32, 8: tensor.Int64}[t.Size]
		}
		return map[int]tensor.DType{1: tensor.Uint8, 2: tensor.Uint16, 4: tensor.Uint32, 8: tensor.Uint64}[t.Size]
	case hdf5.Enum:
		if t.Values["TRUE"] != nil {
			return tensor.Bool
		}
	case hdf5.Opaque: // bfloat16, which HDF5 does not know
		if t.Size == 2 {
			return tensor.Bfloat16
		}
	case hdf5.Compound:
		if len(t.Members) == 2 && t.Members[0].Name == "r" && t.Members[1].Name == "i" {
			return map[int]tensor.DType{8: tensor.Complex64, 16: tensor.Complex128}[t.Size]
		}
	case hdf5.String, hdf5.Variable:
		return tensor.String
	}
	return tensor.Invalid
}

// attr returns an attribute of one text; "" where it is missing or no text.
func (t *weightTree) attr(attrs []hdf5.Attribute, name string) string {
	if list := textsOf(attrs, name); len(list) == 1 {
		return list[0]
	}
	return ""
}

// textsOf returns an attribute's texts.
func textsOf(attrs []hdf5.Attribute, name string) []string {
	for _, a := range attrs {
		if a.Name == name {
			texts, err := a.Strings()
			if err == nil {
				return texts
			}
		}
	}
	return nil
}

// splitTexts returns the texts of an attribute that Keras splits into name0, name1 and so on where
// it is larger than 64,512 bytes.
func splitTexts(attrs []hdf5.Attribute, name string) []string {
	texts := textsOf(attrs, name)
	for i := 0; ; i++ {
		part := textsOf(attrs, name+strconv.Itoa(i))
		if part == nil {
			return texts
		}
		texts = append(texts, part...)
	}
}

func has(attrs []hdf5.Attribute, name string) bool {
	return slices.ContainsFunc(attrs, func(a hdf5.Attribute) bool { return a.Name == name || a.Name == name+"0" })
}

// readLegacy reads the older layout, if the file has it: a list of layers in an attribute of the
// root, or of the group model_weights.
func (t *weightTree) readLegacy() error {
	for _, path := range []string{"", "model_weights"} {
		o := t.root.descend(path)
		if o == nil {
			continue
		}
		attrs, err := o.group.Attributes()
		if err != nil {
			return err
		}
		if !has(attrs, "layer_names") {
			continue
		}
		t.version = t.attr(attrs, "keras_version")
		t.legacy = []legacyLayer{}
		for _, name := range splitTexts(attrs, "layer_names") {
			vars, err := t.listed(o, name)
			if err != nil {
				return err
			}
			t.legacy = append(t.legacy, legacyLayer{name, vars})
		}
		if t.top, err = t.listed(o, "top_level_model_weights"); err != nil {
			return err
		}
	}
	// An optimizer within another is saved twice: in the newer layout the outer one has it all.
	for _, v := range t.all {
		if strings.HasPrefix(v.Key, "optimizer_weights/") || strings.HasPrefix(v.Key, "optimizer/vars/") {
			t.optimizer = append(t.optimizer, v)
		}
	}
	return nil
}

// maxTwins bounds the arrays whose values are compared.
const maxTwins = 4096

// sameValues reports whether two variables begin with the same values, and whether these are not
// all one number.
func sameValues(a, b *Variable) (same, told bool) {
	x, y := a.head(), b.head()
	if len(x) == 0 || !bytes.Equal(x, y) {
		return false, false
	}
	return true, !bytes.Equal(x[a.data.Type.Size:], x[:len(x)-a.data.Type.Size])
}

var errEnough = errors.New("enough was read")

// head returns the first values of a variable of numbers; nil where they cannot be read.
func (v *Variable) head() []byte {
	var head []byte
	if v.DType == tensor.Invalid || v.DType == tensor.String {
		return nil
	}
	err := v.data.Values(context.Background(), func(_ int64, data []byte) error {
		head = slices.Clone(data)
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		return nil
	}
	return head
}

// listed returns the variables that the group of a layer lists.
func (t *weightTree) listed(parent *object, name string) ([]*Variable, error) {
	o := parent.descend(name)
	if o == nil {
		return nil, nil
	}
	attrs, err := o.group.Attributes()
	if err != nil {
		return nil, err
	}
	var vars []*Variable
	for _, w := range splitTexts(attrs, "weight_names") {
		v := t.byKey[join(join(parent.path, name), w)]
		if v == nil {
			return nil, fmt.Errorf("layer %q lists %q, which is not there", name, w)
		}
		v.Name = w
		vars = append(vars, v)
	}
	return vars, nil
}

// descend returns the object at a path below o; nil where there is none.
func (o *object) descend(path string) *object {
	for _, name := range strings.Split(path, "/") {
		if name == "" {
			continue
		}
		if o = o.children[name]; o == nil {
			return nil
		}
	}
	return o
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// compareKeys compares paths with numbers as people count: vars/2 stands before vars/10, and dense
// before dense_1.
func compareKeys(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(x), len(y)) {
		if x[i] == y[i] {
			continue
		}
		m, nameX := cutNumber(x[i])
		n, nameY := cutNumber(y[i])
		return cmp.Or(cmp.Compare(nameX, nameY), cmp.Compare(m, n), cmp.Compare(x[i], y[i]))
	}
	return cmp.Compare(len(x), len(y))
}

// cutNumber takes the number off a name's end: 10 of dense_10; -1 where there is none.
func cutNumber(name string) (number int, rest string) {
	rest = strings.TrimRight(name, "0123456789")
	n, err := strconv.Atoi(name[len(rest):])
	if err != nil {
		return -1, name
	}
	return n, strings.TrimSuffix(rest, "_")
}
