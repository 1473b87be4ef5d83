package layers_test

import (
	"encoding/json"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/layers"
)

// TestBareListOfLayers reads the configuration of a Sequential as Keras wrote it before 2.2.3: a
// list of layers, whose names stand in their own configurations alone.
func TestBareListOfLayers(t *testing.T) {
	t.Parallel()
	root, err := layers.ParseConfig([]byte(`{"class_name": "Sequential", "config": [
		{"class_name": "LSTM", "config": {"name": "lstm_1", "trainable": true, "batch_input_shape": [1, 1, 1], "units": 2, "return_sequences": false}},
		{"class_name": "Dense", "config": {"name": "dense_1", "trainable": true, "units": 3}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	table := layers.FromConfig(root, "2.1.3", nil)
	if len(table.Layers) != 2 {
		t.Fatalf("%d rows, want 2", len(table.Layers))
	}
	for i, want := range []struct{ name, class, output string }{{"lstm_1", "LSTM", "(1, 2)"}, {"dense_1", "Dense", "(1, 3)"}} {
		if l := table.Layers[i]; l.Name != want.name || l.Class != want.class || l.Output.String() != want.output {
			t.Errorf("row %d is %s (%s) %s, want %v", i, l.Name, l.Class, l.Output, want)
		}
	}
}

// TestIsOperation tells operations of Keras 3, as they stand in .keras and in .h5 files, from
// layers of classes that bear their names.
func TestIsOperation(t *testing.T) {
	for text, want := range map[string]bool{
		`{"class_name": "Stack", "module": "keras.src.ops.numpy", "config": {"axis": 0}, "registered_name": "Stack"}`: true,
		`{"class_name": "Stack", "config": {"axis": 0}}`:                                                              true,
		`{"class_name": "Stack", "config": {"trainable": true}}`:                                                      false,
		`{"class_name": "Stack", "module": null, "config": {"axis": 0}, "registered_name": "Stack"}`:                  false,
		`{"class_name": "mine>Norm", "module": null, "config": {}, "registered_name": "mine>Norm"}`:                   false,
		`{"class_name": "Dense", "config": {}}`:                                                                       false,
	} {
		var l layers.LayerConfig
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if got := l.IsOperation(); got != want {
			t.Errorf("IsOperation of %s = %v", text, got)
		}
	}
}
