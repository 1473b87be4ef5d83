package kerasfile

import (
	"testing"

	"github.com/tfrun/tfrun/savedmodel/layers"
)

// TestOlderNames compares the table of a model whose layers lie in the file as Keras 2.12 to 2.14
// left them with that of the same model as newer versions save it (testdata/make_older.py).
func TestOlderNames(t *testing.T) {
	t.Parallel()
	var tables []*layers.Table
	for _, file := range []string{"testdata/newer.keras", "testdata/older.keras"} {
		m, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		table, err := m.Layers()
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	newer, older := tables[0], tables[1]
	if newer.Totals.Total != 89 || newer.Totals != older.Totals {
		t.Errorf("the older file has %+v, the newer %+v", older.Totals, newer.Totals)
	}
	for i, l := range newer.Layers {
		if o := older.Layers[i]; o.Name != l.Name || o.Params != l.Params || o.TrainableParams != l.TrainableParams || len(o.Guessed) != len(l.Guessed) {
			t.Errorf("row %d of the older file is %s with %d parameters (%v), of the newer %s with %d", i, o.Name, o.Params, o.Guessed, l.Name, l.Params)
		}
	}
}
