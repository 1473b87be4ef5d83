package shapes

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Variables lists the tensors of a model's checkpoint. Its JSON form is the one that users script against.
type Variables struct {
	Model     string     `json:"model"`
	Version   string     `json:"version,omitempty"`
	Shards    int        `json:"shards"`
	Variables []Variable `json:"variables"`
	Bytes     int64      `json:"bytes"` // of all
}

// Variable is a tensor of the checkpoint.
type Variable struct {
	Name  string       `json:"name"`
	Key   string       `json:"key"` // in the checkpoint, without the ending that all have
	DType tensor.DType `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
	Bytes int64        `json:"bytes"`
	Shard int          `json:"shard"` // the data file
	Parts int          `json:"parts,omitempty"`
}

// ListVariables reads the checkpoint's index. The bookkeeping of the checkpoint itself is left out.
func ListVariables(m *savedmodel.Model) (*Variables, error) {
	c, err := m.Checkpoint()
	if err != nil {
		return nil, err
	}
	v := &Variables{Model: m.Dir, Version: m.Version, Shards: c.Shards, Variables: []Variable{}}
	for _, t := range c.Tensors {
		if t.Internal() {
			continue
		}
		x := Variable{Name: t.Name, Key: strings.TrimSuffix(t.Key, "/.ATTRIBUTES/VARIABLE_VALUE"), DType: t.DType, Shape: t.Shape, Bytes: t.Size, Shard: t.Shard, Parts: len(t.Slices)}
		for _, s := range t.Slices {
			x.Bytes += s.Entry.Size
		}
		v.Bytes += x.Bytes
		v.Variables = append(v.Variables, x)
	}
	slices.SortStableFunc(v.Variables, func(a, b Variable) int { return compareNames(a.Key, b.Key) })
	return v, nil
}

// compareNames compares names that hold numbers as people count: "variables/2" stands before "variables/10".
func compareNames(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == "" || y == "" {
			if c := cmp.Compare(a[0], b[0]); c != 0 {
				return c
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, n := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns the digits that s begins with.
func digits(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }

// variableFormats are the forms that the list has.
var variableFormats = map[string]func(*Variables, io.Writer, Look) error{
	"text": (*Variables).writeText,
	"json": func(v *Variables, w io.Writer, _ Look) error { return writeJSON(w, v) },
	"csv":  (*Variables).writeCSV,
}

// ListsVariables reports whether variables can be listed in a format.
func ListsVariables(f Format) bool { return variableFormats[f.Name] != nil }

// Write writes the list in a format for which [ListsVariables] is true.
func (v *Variables) Write(w io.Writer, f Format, look Look) error {
	return variableFormats[f.Name](v, w, look)
}

func (v *Variables) writeText(w io.Writer, look Look) error {
	p := &printer{bufio.NewWriter(w), look}
	p.line(p.paint(bold, clean(v.Model)))
	p.line("")
	t := &grid{right: []bool{false, false, false, true}}
	head := []cell{words(bold, "Variable"), words(bold, "Type"), words(bold, "Shape"), words(bold, "Size")}
	keys := v.repeats()
	if keys {
		t.right, head = append(t.right, false), append(head, words(bold, "Key"))
	}
	t.add(head...)
	t.rule()
	for _, x := range v.Variables {
		row := []cell{words(plain, clean(x.Name)), words(dim, x.DType.String()), words(plain, x.Shape.String()), words(plain, size(x.Bytes))}
		if keys {
			row = append(row, words(dim, clean(x.Key)))
		}
		t.add(row...)
	}
	t.rule()
	t.add(words(bold, number(int64(len(v.Variables))), "variables"), nil, nil, words(bold, size(v.Bytes)))
	t.write(p, 2, p.Width)
	return p.Flush()
}

func (v *Variables) writeCSV(w io.Writer, _ Look) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"name", "key", "dtype", "shape", "bytes", "shard"}}
	for _, x := range v.Variables {
		rows = append(rows, []string{clean(x.Name), clean(x.Key), x.DType.String(), x.Shape.String(), strconv.FormatInt(x.Bytes, 10), strconv.Itoa(x.Shard)})
	}
	if err := c.WriteAll(rows); err != nil {
		return err
	}
	return c.Error()
}

// repeats reports whether two variables have one name, as in an export of Keras 3, which holds a second copy of each: then the keys tell them apart.
func (v *Variables) repeats() bool {
	seen := map[string]bool{}
	for _, x := range v.Variables {
		if seen[x.Name] {
			return true
		}
		seen[x.Name] = true
	}
	return false
}
