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

// TestKeptTooLong reads the columns of files with smaller and smaller limits: a value that is too
// long, whatever its type, is an error of its row, and those after it are what they are without a
// limit.
func TestKeptTooLong(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]int{}
	for _, name := range files {
		columns, err := Columns(Options{}, name)
		if err != nil {
			continue // a damaged file
		}
		// read returns the values of a column, nil for a row that is an error.
		read := func(column string, most int64) (rows []*dataset.Field) {
			for e, err := range Rows(dataset.Dict(map[string]dataset.Spec{}), Options{Keep: []string{column}, MaxKept: most}, name).All(context.Background()) {
				if err != nil {
					rows = append(rows, nil)
					continue
				}
				f := e.Extra[0].Clone()
				f.Type = nil
				rows = append(rows, &f)
			}
			return rows
		}
		for _, c := range columns {
			whole, key := read(c.Name, 0), filepath.Base(name)+" "+c.Name
			if slices.Contains(whole, nil) {
				continue
			}
			for most := int64(1); most < 200; most += most/4 + 1 {
				rows := read(c.Name, most)
				for i, row := range rows {
					if row == nil {
						bad[key]++
					} else if diff := cmp.Diff(whole[i], row); diff != "" {
						t.Errorf("%s, %d bytes at most, row %d (-whole +got):\n%s", key, most, i+1, diff)
					}
				}
				// only a value that is far longer ends the file
				if len(rows) != len(whole) && (len(rows) == 0 || rows[len(rows)-1] != nil || most > 20) {
					t.Errorf("%s, %d bytes at most: %d rows of %d", key, most, len(rows), len(whole))
				}
			}
		}
	}
	if len(bad) < 20 || bad["kept.parquet l"] == 0 {
		t.Errorf("rows that are too long in %d columns: %v", len(bad), bad)
	}
}
