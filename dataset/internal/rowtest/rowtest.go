// Package rowtest compares the rows of a file with the rows that the program that wrote it tells.
//
// A cases.json beside the files, written by the same script, is a list of cases: a file, the spec
// that it is read by, and its rows as JSON, which dataset.JSONL reads by the same spec. A row
// {"$error": "text"} must be a *dataset.SyntaxError with that text.
package rowtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Case is one file with what it holds.
type Case struct {
	Name    string
	File    string
	Spec    map[string]Component
	Columns map[string][]string
	Keep    []string
	Rows    []json.RawMessage
	// Error, if not empty, is part of the error that reading the file gives.
	Error string
	// Nulls holds the values that take the place of nulls, as JSON.
	Nulls map[string]json.RawMessage
	// Options are the format's own.
	Options map[string]string
}

// Component is a component of a spec; a negative size in Shape is unknown, and no Shape an unknown
// rank.
type Component struct {
	DType      tensor.DType
	Shape      *tensor.Shape
	RaggedRank *int `json:"ragged_rank"`
}

// Load reads the cases of a folder.
func Load(t *testing.T, dir string) []Case {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for i := range cases {
		if cases[i].Name == "" {
			cases[i].Name = cases[i].File
		}
		cases[i].File = filepath.Join(dir, cases[i].File)
	}
	return cases
}

// RowSpec returns the case's spec.
func (c Case) RowSpec() dataset.Spec {
	items := map[string]dataset.Spec{}
	for name, comp := range c.Spec {
		out := dataset.Component{DType: comp.DType}
		if comp.Shape != nil {
			out.Shape = *comp.Shape
		}
		if comp.RaggedRank != nil {
			out.Ragged, out.RaggedRank, out.SplitsDType = true, *comp.RaggedRank, tensor.Int64
		}
		items[name] = dataset.Leaf(out)
	}
	return dataset.Dict(items)
}

// NullValues returns the values that take the place of nulls.
func (c Case) NullValues(t *testing.T) dataset.Nulls {
	t.Helper()
	nulls := dataset.Nulls{}
	for path, text := range c.Nulls {
		comp := dataset.Component{DType: c.Spec[path].DType, Shape: tensor.MakeShape()}
		v, err := dataset.ParseTensor(comp, text)
		if err != nil {
			t.Fatal(err)
		}
		nulls[path] = v
	}
	return nulls
}

// Row is an element described as text, or an error.
type Row struct {
	Values []string // tensors and splits
	Extra  []string
	Err    string
}

// Rows iterates over a dataset and returns its rows and bad rows. Any other error fails the test.
func Rows(t *testing.T, ds *dataset.Dataset) []Row {
	t.Helper()
	var out []Row
	for e, err := range ds.All(t.Context()) {
		if bad, ok := errors.AsType[*dataset.SyntaxError](err); ok {
			if bad.Row != int64(len(out)) {
				t.Errorf("%v: row number %d, want %d", err, bad.Row, len(out))
			}
			out = append(out, Row{Err: err.Error()})
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Row != int64(len(out)) {
			t.Errorf("row number %d, want %d", e.Row, len(out))
		}
		out = append(out, RowOf(e))
	}
	return out
}

// RowOf describes an element in full.
func RowOf(e dataset.Element) Row {
	var r Row
	for i, v := range e.Tensors {
		r.Values = append(r.Values, Text(v))
		if e.Splits != nil {
			for _, s := range e.Splits[i] {
				r.Values = append(r.Values, Text(s))
			}
		}
	}
	for _, f := range e.Extra {
		var b bytes.Buffer
		text := f.AppendJSON(nil)
		if json.Compact(&b, text) != nil {
			b.Write(text) // NaN
		}
		r.Extra = append(r.Extra, f.Key+"="+b.String())
	}
	return r
}

// Text describes a tensor bit for bit, but for the bits of NaNs.
func Text(v tensor.Tensor) string {
	data, err := json.Marshal(append([]string{}, v.Strings()...))
	if v.DType() != tensor.String {
		data, err = json.Marshal(oneNaN(v.DType(), append([]byte{}, v.Bytes()...)))
	}
	if err != nil {
		panic(err) // unreachable: both are slices of plain values
	}
	return v.String() + " " + string(data)
}

// Check compares the dataset, made by the case's spec, with the case, in all ways to iterate over
// it.
func (c Case) Check(t *testing.T, ds *dataset.Dataset) {
	t.Helper()
	if c.Error != "" {
		_, err := ds.Collect(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.Error) {
			t.Fatalf("error %v, want %q", err, c.Error)
		}
		return
	}
	want := c.want(t)
	if diff := cmp.Diff(want, Rows(t, ds), errorText()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if n := ds.Cardinality(); n >= 0 && n != int64(len(want)) {
		t.Errorf("cardinality %d, want %d", n, len(want))
	}
	c.checkKept(t, ds, want)
	c.checkBlocks(t, ds, want)
}

// errorText compares errors: the wanted text must be part of the other.
func errorText() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Err" }, cmp.Comparer(func(a, b string) bool {
		return a == b || a != "" && b != "" && (strings.Contains(a, b) || strings.Contains(b, a))
	}))
}

func (c Case) want(t *testing.T) []Row {
	t.Helper()
	var out []Row
	for _, raw := range c.Rows {
		var bad struct {
			Error string `json:"$error"`
		}
		if json.Unmarshal(raw, &bad) == nil && bad.Error != "" {
			out = append(out, Row{Err: bad.Error})
			continue
		}
		ds := dataset.JSONL(bytes.NewReader(raw), c.RowSpec(), dataset.JSONLOptions{Keep: c.Keep})
		rows := Rows(t, ds.Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) { return e, nil }))
		if len(rows) != 1 {
			t.Fatalf("%s: %d rows", raw, len(rows))
		}
		out = append(out, rows[0])
	}
	return out
}

// checkKept checks that rows that are kept are not overwritten by later rows.
func (c Case) checkKept(t *testing.T, ds *dataset.Dataset, want []Row) {
	t.Helper()
	if slices.ContainsFunc(want, func(r Row) bool { return r.Err != "" }) {
		return
	}
	elements, err := ds.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []Row
	for _, e := range elements {
		got = append(got, RowOf(e))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept rows (-want +got):\n%s", diff)
	}
}

// checkBlocks compares the rows of blocks, if the dataset has blocks.
func (c Case) checkBlocks(t *testing.T, ds *dataset.Dataset, want []Row) {
	t.Helper()
	r, ok, err := ds.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return
	}
	defer r.Close()
	if diff := cmp.Diff(want, BlockRows(t, r, 3), errorText()); diff != "" {
		t.Errorf("rows of blocks (-want +got):\n%s", diff)
	}
}

// BlockRows returns the rows of all blocks.
func BlockRows(t *testing.T, r dataset.BlockReader, limit int) []Row {
	t.Helper()
	var out []Row
	for {
		b, err := r.NextBlock(t.Context(), limit)
		if _, bad := errors.AsType[*dataset.SyntaxError](err); bad {
			out = append(out, Row{Err: err.Error()})
			continue
		}
		if err != nil {
			if err.Error() != "EOF" {
				t.Fatal(err)
			}
			return out
		}
		if b.Row != int64(len(out)) {
			t.Errorf("block of row %d, want %d", b.Row, len(out))
		}
		for i := range int(b.Tensors[0].Dims()[0]) {
			var e dataset.Element
			for _, v := range b.Tensors {
				e.Tensors = append(e.Tensors, v.Index(i))
			}
			if b.Extra != nil {
				e.Extra = b.Extra[i]
			}
			out = append(out, RowOf(e))
		}
	}
}

// oneNaN gives all NaNs the same bits.
func oneNaN(d tensor.DType, b []byte) []byte {
	switch d {
	case tensor.Float32, tensor.Complex64:
		for i := 0; i < len(b); i += 4 {
			if v := math.Float32frombits(binary.LittleEndian.Uint32(b[i:])); v != v {
				binary.LittleEndian.PutUint32(b[i:], 0x7fc00000)
			}
		}
	case tensor.Float64, tensor.Complex128:
		for i := 0; i < len(b); i += 8 {
			if v := math.Float64frombits(binary.LittleEndian.Uint64(b[i:])); v != v {
				binary.LittleEndian.PutUint64(b[i:], 0x7ff8<<48)
			}
		}
	case tensor.Float16:
		for i := 0; i < len(b); i += 2 {
			if v := tensor.F16(binary.LittleEndian.Uint16(b[i:])).Float32(); v != v {
				binary.LittleEndian.PutUint16(b[i:], 0x7e00)
			}
		}
	case tensor.Bfloat16:
		for i := 0; i < len(b); i += 2 {
			if v := tensor.BF16(binary.LittleEndian.Uint16(b[i:])).Float32(); v != v {
				binary.LittleEndian.PutUint16(b[i:], 0x7fc0)
			}
		}
	}
	return b
}
