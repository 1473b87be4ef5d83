package shapes

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// Variables lists the tensors of a model's checkpoint. Users write scripts against its JSON form.
type Variables struct {
	Model     string     `json:"model"`
	Version   string     `json:"version,omitempty"`
	Shards    int        `json:"shards"`
	Variables []Variable `json:"variables"`
	Bytes     int64      `json:"bytes"` // of all tensors
}

// Variable is a tensor of the checkpoint.
type Variable struct {
	Name  string       `json:"name"`
	Key   string       `json:"key"` // in the checkpoint, without the suffix that all have
	DType tensor.DType `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
	Bytes int64        `json:"bytes"`
	Shard int          `json:"shard"` // number of the data file
	Parts int          `json:"parts,omitempty"`
	Stats *Stats       `json:"stats,omitempty"` // if asked for; nil for other types than numbers
}

// Stats are statistics of a variable's values. Zeros, NaNs and Infinities are shares of all values,
// from 0 to 1.
type Stats struct {
	Min        jsonFloat `json:"min"`
	Max        jsonFloat `json:"max"`
	Mean       jsonFloat `json:"mean"`
	Zeros      float64   `json:"zeros"`
	NaNs       float64   `json:"nans"`
	Infinities float64   `json:"infinities"`
}

// jsonFloat is a number that is written as null if it is NaN, and as a string if it is infinite:
// JSON has no numbers for these.
type jsonFloat float64

// MarshalJSON writes the number.
func (f jsonFloat) MarshalJSON() ([]byte, error) {
	switch x := float64(f); {
	case math.IsNaN(x):
		return []byte("null"), nil
	case math.IsInf(x, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(x, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(x)
	}
}

// newStats turns counts into shares.
func newStats(s savedmodel.Stats) *Stats {
	n := float64(max(s.Count, 1))
	return &Stats{
		Min: jsonFloat(s.Min), Max: jsonFloat(s.Max), Mean: jsonFloat(s.Mean),
		Zeros: float64(s.Zeros) / n, NaNs: float64(s.NaNs) / n, Infinities: float64(s.Infs) / n,
	}
}

// isNumber reports whether there are statistics for values of a type.
func isNumber(d tensor.DType) bool {
	return d.IsFloat() || d.IsInteger() || d.IsComplex() || d == tensor.Bool
}

// ListVariables reads the checkpoint's index, and with stats the values too. Entries about the
// checkpoint itself are left out.
func ListVariables(ctx context.Context, m *savedmodel.Model, stats bool) (*Variables, error) {
	c, err := m.Checkpoint()
	if errors.Is(err, fs.ErrNotExist) && !restores(m) {
		return &Variables{Model: m.Dir, Version: m.Version, Variables: []Variable{}}, nil
	}
	if err != nil {
		return nil, err
	}
	if stats {
		if err := cmp.Or(c.CheckShards(), c.CheckValues(ctx, nil)); err != nil {
			return nil, err
		}
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
		if stats && isNumber(t.DType) {
			sum, err := c.Stats(ctx, t)
			if err != nil {
				return nil, err
			}
			x.Stats = newStats(sum)
		}
		v.Variables = append(v.Variables, x)
	}
	slices.SortStableFunc(v.Variables, func(a, b Variable) int { return compareNames(a.Key, b.Key) })
	return v, nil
}

// restores reports whether a graph of the model restores variables, so that the model needs a
// checkpoint.
func restores(m *savedmodel.Model) bool {
	return slices.ContainsFunc(m.MetaGraphs, func(mg *savedmodel.MetaGraph) bool {
		keys, err := mg.RestoredKeys()
		return err != nil || len(keys) > 0
	})
}

// compareNames compares names with numbers in them by the numbers: "variables/2" comes before
// "variables/10".
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

// variableFormats are the formats for lists of variables.
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

// writeText writes the list as a table for people.
func (v *Variables) writeText(w io.Writer, look Look) error {
	p := &printer{Writer: bufio.NewWriter(w), Look: look}
	p.line(p.paint(bold, clean(v.Model)))
	p.line("")
	if len(v.Variables) == 0 {
		p.line("No variables: this model has none.")
		return p.Flush()
	}
	t := &grid{right: []bool{false, false, false, true}}
	head := []cell{cellOf(bold, "Variable"), cellOf(bold, "Type"), cellOf(bold, "Shape"), cellOf(bold, "Size")}
	stats := v.summed()
	if stats {
		t.right = append(t.right, true, true, true, true, true)
		head = append(head, cellOf(bold, "Min"), cellOf(bold, "Max"), cellOf(bold, "Mean"), cellOf(bold, "Zeros"), cellOf(bold, "NaNs"))
	}
	keys := v.repeats()
	if keys {
		t.right, head = append(t.right, false), append(head, cellOf(bold, "Key"))
	}
	t.add(head...)
	t.rule()
	for _, x := range v.Variables {
		row := []cell{cellOf(plain, clean(x.Name)), cellOf(dim, x.DType.String()), cellOf(plain, x.Shape.String()), cellOf(plain, size(x.Bytes))}
		if stats {
			row = append(row, x.Stats.cells()...)
		}
		if keys {
			row = append(row, cellOf(dim, clean(x.Key)))
		}
		t.add(row...)
	}
	t.rule()
	t.add(cellOf(bold, words.Thousands(int64(len(v.Variables))), "variables"), nil, nil, cellOf(bold, size(v.Bytes)))
	t.write(p, 2, p.Width)
	return p.Flush()
}

// summed reports whether there are statistics.
func (v *Variables) summed() bool {
	return slices.ContainsFunc(v.Variables, func(x Variable) bool { return x.Stats != nil })
}

// cells returns the columns with statistics.
func (s *Stats) cells() []cell {
	if s == nil {
		return []cell{cellOf(dim, "-"), cellOf(dim, "-"), cellOf(dim, "-"), cellOf(dim, "-"), cellOf(dim, "-")}
	}
	bad := plain
	if s.NaNs > 0 {
		bad = red
	}
	return []cell{
		cellOf(plain, short(s.Min)), cellOf(plain, short(s.Max)), cellOf(plain, short(s.Mean)), cellOf(plain, percent(s.Zeros)), cellOf(bad, percent(s.NaNs)),
	}
}

func short(f jsonFloat) string { return strconv.FormatFloat(float64(f), 'g', 4, 64) }

// percent returns a share. Only an exact 0 is written 0 %, and only an exact 1 is 100 %.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0 %"
	case share < 0.0005:
		return "<0.1 %"
	case share == 1:
		return "100 %"
	case share >= 0.9995:
		return ">99.9 %"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

func (v *Variables) writeCSV(w io.Writer, _ Look) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"name", "key", "dtype", "shape", "bytes", "shard", "min", "max", "mean", "zeros", "nans"}}
	for _, x := range v.Variables {
		row := []string{csvCell(x.Name), csvCell(x.Key), x.DType.String(), x.Shape.String(), strconv.FormatInt(x.Bytes, 10), strconv.Itoa(x.Shard)}
		stats := make([]string, 5)
		if s := x.Stats; s != nil {
			for i, f := range []float64{float64(s.Min), float64(s.Max), float64(s.Mean), s.Zeros, s.NaNs} {
				stats[i] = strconv.FormatFloat(f, 'g', -1, 64)
			}
		}
		rows = append(rows, append(row, stats...))
	}
	if err := c.WriteAll(rows); err != nil {
		return err
	}
	return c.Error()
}

// repeats reports whether two variables have one name, as in an export of Keras 3, which has a
// second copy of each. The keys then tell them apart.
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
