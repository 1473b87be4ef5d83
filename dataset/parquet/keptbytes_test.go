package parquet

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
)

// TestKeptInPieces reads kept columns a few bytes at a time: that gives the rows that it gives at
// once, in blocks of the fewest rows that a column has read.
func TestKeptInPieces(t *testing.T) {
	name := filepath.Join("testdata", "kept.parquet")
	columns, err := Columns(Options{}, name)
	if err != nil {
		t.Fatal(err)
	}
	var keep []string
	for _, c := range columns {
		if c.Of == "" && !slices.Contains(keep, c.Name) {
			keep = append(keep, c.Name)
		}
	}
	read := func() (rows [][]dataset.Field) {
		for e, err := range Rows(dataset.Dict(map[string]dataset.Spec{}), Options{Keep: keep}, name).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			var row []dataset.Field
			for _, f := range e.Extra {
				f = f.Clone()
				f.Type = nil
				row = append(row, f)
			}
			rows = append(rows, row)
		}
		return rows
	}
	want := read()
	defer func(n int) { keptBytes = n }(keptBytes)
	for _, n := range []int{0, 3, 20} {
		keptBytes = n
		if diff := cmp.Diff(want, read()); diff != "" || len(want) < 3 || len(keep) < 3 {
			t.Errorf("%d rows of %d columns, %d bytes at a time (-want +got):\n%s", len(want), len(keep), n, diff)
		}
	}
}
