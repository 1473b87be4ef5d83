package rowtest

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/referee"
)

// Pyarrow answers which rows files of tables hold, and makes such files.
type Pyarrow struct {
	python *referee.Python
	format byte
}

// The formats that pyarrow is asked about.
const (
	ParquetFiles = 'p'
	ArrowFiles   = 'a'
)

// StartPyarrow starts Python with pyarrow; where there is none, the test is skipped and says so.
func StartPyarrow(t testing.TB, format byte) *Pyarrow {
	t.Helper()
	texts, err := os.ReadFile("../../scripts/corpora/texts.py")
	if err != nil {
		t.Fatal(err)
	}
	return &Pyarrow{python: referee.Start(t, string(texts)+referee.Draw, "pyarrow", "numpy"), format: format}
}

// Draw returns the file that pyarrow makes by the given choices, and its contents.
func (p *Pyarrow) Draw(t testing.TB, choices []byte) ([]byte, Table) {
	t.Helper()
	return p.ask(t, 'w', choices)
}

// Read returns the contents of a file.
func (p *Pyarrow) Read(t testing.TB, file []byte) Table {
	t.Helper()
	_, table := p.ask(t, 'r', file)
	return table
}

func (p *Pyarrow) ask(t testing.TB, what byte, data []byte) ([]byte, Table) {
	t.Helper()
	answer := p.python.Ask(t, append([]byte{what, p.format}, data...))
	n := 4 + binary.LittleEndian.Uint32(answer)
	var table Table
	if err := json.Unmarshal(answer[4:n], &table); err != nil {
		t.Fatal(err)
	}
	if table.Untold != nil {
		t.Fatalf("no texts for %q", table.Untold)
	}
	return answer[n:], table
}

// KeptColumns returns the kept columns of rows in the form of [Table], and the rows.
func KeptColumns(t testing.TB, rows *dataset.Dataset, keep []string) (Table, []dataset.Element, error) {
	t.Helper()
	got := Table{Columns: map[string][]string{}, Types: map[string]string{}}
	for _, name := range keep {
		got.Columns[name] = []string{}
	}
	elements, err := rows.Collect(t.Context())
	if err != nil {
		return got, nil, err
	}
	for _, e := range elements {
		for _, f := range e.Extra {
			got.Columns[f.Key] = append(got.Columns[f.Key], string(f.AppendJSON(nil)))
			got.Types[f.Key] = f.Type.String()
		}
	}
	got.Rows = len(elements)
	return got, elements, nil
}

// CheckDrawn makes a file with pyarrow and checks three things: its kept columns and its columns as
// inputs are what pyarrow reads out of it, and, after write has written the kept columns with their
// types, pyarrow reads the same out of the written file.
func (p *Pyarrow) CheckDrawn(t *testing.T, choices []byte, read func(open dataset.Opener, spec dataset.Spec, keep []string) *dataset.Dataset, write map[byte]func(keep []string, rows []dataset.Element) []byte) {
	t.Helper()
	file, want := p.Draw(t, choices)
	if want.Error != "" {
		t.Skip(want.Error)
	}
	nothing := dataset.Dict(map[string]dataset.Spec{})
	got, rows, err := KeptColumns(t, read(Sized(file), nothing, want.Names), want.Names)
	if err != nil {
		t.Fatalf("%v; pyarrow has the types %v", err, want.Types)
	}
	if diff := cmp.Diff(want.Columns, got.Columns); diff != "" || want.Rows != got.Rows {
		t.Fatalf("%d rows of %v, want %d (-pyarrow +here):\n%s", got.Rows, want.Types, want.Rows, diff)
	}
	want.CheckInputs(t, func(spec dataset.Spec) *dataset.Dataset { return read(Sized(file), spec, nil) })
	for format, again := range write {
		other := Pyarrow{python: p.python, format: format}
		written := other.Read(t, again(want.Names, rows))
		if diff := cmp.Diff(want.Columns, written.Columns); diff != "" || written.Error != "" || !slices.Equal(want.Names, written.Names) {
			t.Fatalf("written as %c, %v of %v: %s (-before +after):\n%s", format, want.Names, want.Types, written.Error, diff)
		}
	}
}
