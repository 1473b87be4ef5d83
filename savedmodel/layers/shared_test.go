package layers_test

import (
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/tensor"
)

// TestAtThroughLoop puts sizes into a model that calls a layer again on what later rows give: each
// call has to be looked at once what it takes is known.
func TestAtThroughLoop(t *testing.T) {
	t.Parallel()
	table, err := tableOfFile(filepath.Join(modeltest.Models(), "..", "tables", "loop_reuse__k2keras", "model.keras"))
	if err != nil {
		t.Fatal(err)
	}
	inputs := map[string]tensor.Shape{table.Takes[0].Name: tensor.MakeShape(5, 6)}
	for _, row := range table.At(inputs) {
		want, bytes := tensor.MakeShape(5, 6), int64(5*6*4)
		switch row.Layer.Name {
		case "dense_1":
			want, bytes = tensor.MakeShape(5, 1), 5*4
		case "dense", "layer_normalization":
			bytes *= 3
		}
		if !row.Exact || row.Output.String() != want.String() || row.Bytes != bytes {
			t.Errorf("%s: %v, %d bytes, exact %v; want %v, %d bytes", row.Layer.Name, row.Output, row.Bytes, row.Exact, want, bytes)
		}
	}
	if got := table.GivesAt(inputs); len(got) != 1 || !got[0].Equal(tensor.MakeShape(5, 1)) {
		t.Errorf("gives %v, want [(5, 1)]", got)
	}
}
