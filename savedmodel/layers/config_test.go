package layers_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
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

// TestBehindWhatIsNotKnown: what stands behind a layer whose result only code of its own makes has
// no shape because its input has none, in a stack and in a graph, however far behind; no reason
// says that Keras' own layers have no rule.
func TestBehindWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	behind := []string{
		`{"class_name": "Conv2D", "config": {"name": "conv", "filters": 4, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same"}`,
		`{"class_name": "MaxPooling2D", "config": {"name": "pool", "pool_size": [2, 2], "strides": [2, 2], "padding": "valid"}`,
		`{"class_name": "Dropout", "config": {"name": "dropout", "rate": 0.5}`,
		`{"class_name": "Flatten", "config": {"name": "flatten"}`,
		`{"class_name": "Dense", "config": {"name": "dense", "units": 3}`,
	}
	input := `{"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [null, 8, 8, 3]}, "inbound_nodes": []}`
	code := `{"class_name": "Lambda", "name": "code", "config": {"name": "code"}`
	stack, graph, last := input+", "+code+"}", input+", "+code+`, "inbound_nodes": [[["x", 0, 0, {}]]]}`, "code"
	for _, l := range behind {
		name := regexp.MustCompile(`"name": "(\w+)"`).FindStringSubmatch(l)[1]
		stack += ", " + l + "}"
		graph += ", " + l + fmt.Sprintf(`, "name": %q, "inbound_nodes": [[[%q, 0, 0, {}]]]}`, name, last)
		last = name
	}
	for _, config := range []string{
		`{"class_name": "Sequential", "config": {"name": "m", "layers": [` + stack + `]}}`,
		`{"class_name": "Functional", "config": {"name": "m", "layers": [` + graph + `], "input_layers": [["x", 0, 0]], "output_layers": [["dense", 0, 0]]}}`,
	} {
		root, err := layers.ParseConfig([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		rows := layers.FromConfig(root, "2.15.0", nil).Layers
		rows = rows[len(rows)-len(behind):]
		for _, l := range rows {
			if !slices.Contains(l.Why, "the output's shape is not known, as that of the input is not") {
				t.Errorf("%s %s (%s): %q", root.ClassName, l.Name, l.Output, l.Why)
			}
		}
	}
}

// TestEachStep: sizes that a TimeDistributed gives are explained by the layer that it applies to
// each step, be it a layer or a model.
func TestEachStep(t *testing.T) {
	t.Parallel()
	const model = `{"class_name": "Sequential", "config": {"name": "inner", "layers": [
		{"class_name": "InputLayer", "config": {"name": "frame", "batch_shape": [null, 8, 3]}},
		{"class_name": "Flatten", "config": {"name": "flat"}},
		{"class_name": "Dense", "config": {"name": "dense", "units": 4}}]}}`
	for inner, want := range map[string]string{
		`{"class_name": "Dense", "config": {"name": "d", "units": 4}}`: "4: the layer's units",
		`{"class_name": "Flatten", "config": {"name": "d"}}`:           "24 = 8 × 3: all axes but the batch and the steps, flattened",
		model: "4: what the layer gives that is applied to each step",
	} {
		root, err := layers.ParseConfig([]byte(`{"class_name": "Sequential", "config": {"name": "m", "layers": [
			{"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [null, 5, 8, 3]}},
			{"class_name": "TimeDistributed", "config": {"name": "td", "layer": ` + inner + `}}]}}`))
		if err != nil {
			t.Fatal(err)
		}
		rows := layers.FromConfig(root, "3.15.0", nil).Layers
		l := rows[len(rows)-1]
		if !slices.Contains(l.Why, want) || !slices.Contains(l.Why, "5: the layer is applied to each step; as in the input") {
			t.Errorf("%s: %s: %q, want %q", inner, l.Output, l.Why, want)
		}
	}
}
