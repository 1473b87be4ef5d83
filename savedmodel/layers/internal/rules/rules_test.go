package rules

import (
	"archive/zip"
	"encoding/json"
	"slices"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestRules compares the shapes that follow from a layer's config with those that Keras 2 and 3
// gave for it (testdata/make_rules.py). A rule may be missing, but none may be wrong.
func TestRules(t *testing.T) {
	t.Parallel()
	type entry struct {
		Class  string         `json:"class"`
		Config Config         `json:"config"`
		In     []tensor.Shape `json:"in"`
		Call   map[string]any `json:"call"`
		Out    []tensor.Shape `json:"out"`
	}
	missing, all := 0, 0
	for _, name := range []string{"keras2.json", "keras3.json"} {
		var f struct {
			Keras   string  `json:"keras"`
			Entries []entry `json:"entries"`
		}
		readRecorded(t, name, &f)
		for _, e := range f.Entries {
			all++
			e.Config[VersionKey] = f.Keras
			e.Config[callKey] = &callArgs{named: e.Call}
			out, ok := Shapes(e.Class, e.Config, e.In)
			if !ok {
				missing++
				t.Logf("Keras %s: no rule for %s of %v, which gives %v", f.Keras, e.Class, e.In, e.Out)
			} else if !slices.EqualFunc(out, e.Out, tensor.Shape.Equal) {
				t.Errorf("Keras %s: %s of %v gives %v, want %v (config %v)", f.Keras, e.Class, e.In, out, e.Out, e.Config)
			}
		}
	}
	if all < 2000 || missing > 8 {
		t.Errorf("%d of %d layers have no rule, want at most 8 of over 2000", missing, all)
	}
}

// readRecorded decodes a file of testdata/rules.zip.
func readRecorded(t *testing.T, name string, v any) {
	t.Helper()
	z, err := zip.OpenReader("testdata/rules.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	r, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(r).Decode(v); err != nil {
		t.Fatal(err)
	}
}

// TestReal holds the shapes that layers give where Keras 3 prints others: run by TensorFlow 2.21, a
// TextVectorization that counts gives (3, 14), a Bidirectional what both of its layers give, and
// scores are as long as the keys one way.
func TestReal(t *testing.T) {
	text := Config{VersionKey: "3.15.1", "output_mode": "multi_hot", "vocabulary_size": 14.0, "split": "whitespace"}
	heads := Config{VersionKey: "3.15.1", "num_heads": 2.0}.WithCall([]byte(`{"args": [], "kwargs": {"return_attention_scores": true}}`))
	lstm := func(units float64) map[string]any {
		return map[string]any{"class_name": "LSTM", "config": map[string]any{"units": units, "return_sequences": true}}
	}
	both := Config{VersionKey: "3.15.1", "layer": lstm(2), "backward_layer": lstm(3), "merge_mode": "concat"}
	q, v := tensor.MakeShape(3, 4, 6), tensor.MakeShape(3, 11, 5)
	for _, c := range []struct {
		class         string
		config        Config
		in            []tensor.Shape
		printed, real tensor.Shape
	}{
		{"TextVectorization", text, []tensor.Shape{tensor.MakeShape(3, 1)}, tensor.MakeShape(3, 1, 14), tensor.MakeShape(3, 14)},
		{"Bidirectional", both, []tensor.Shape{v}, tensor.MakeShape(3, 11, 4), tensor.MakeShape(3, 11, 5)},
		{"MultiHeadAttention", heads, []tensor.Shape{q, v}, tensor.MakeShape(3, 2, 4, 4), tensor.MakeShape(3, 2, 4, 11)},
	} {
		printed, ok := Shapes(c.class, c.config, c.in)
		real, really := Shapes(c.class, c.config.Real(), c.in)
		if !ok || !really || !printed[len(printed)-1].Equal(c.printed) || !real[len(real)-1].Equal(c.real) {
			t.Errorf("%s prints %v and gives %v, want %v and %v", c.class, printed, real, c.printed, c.real)
		}
	}
}

// A constant among the arguments of an operation stretches the result like a tensor.
func TestConstants(t *testing.T) {
	t.Parallel()
	x := tensor.MakeShape(tensor.Unknown, 1, 4)
	for text, want := range map[string]tensor.Shape{
		`{"y": 2.0}`:                                   x,
		`{"y": [1, 2, 3, 4]}`:                          x,
		`{"y": [[1, 2, 3, 4], [5, 6, 7, 8]]}`:          tensor.MakeShape(tensor.Unknown, 2, 4),
		`{"y": [[1], [2], [3]]}`:                       tensor.MakeShape(tensor.Unknown, 3, 4),
		`{"y": [[1, 2], [3]]}`:                         {},
		`{"y": [[1, 2, 3, 4], "x"]}`:                   {},
		`{"y": [[[1, 2, 3, 4]], [[1, 2, 3, 4]], [5]]}`: {},
	} {
		c := Config{"function": "__operators__.add"}.WithCall([]byte(`[["x", 0, 0, ` + text + `]]`))
		out, ok := Shapes("TFOpLambda", c, []tensor.Shape{x})
		if ok != want.Ranked() || ok && !out[0].Equal(want) {
			t.Errorf("x + %s is %v, %v; want %v", text, out, ok, want)
		}
	}
}

// TestQueryByName holds that attention is as long as its query, wherever Keras 3 lists that among
// arguments by name.
func TestQueryByName(t *testing.T) {
	t.Parallel()
	q, k := tensor.MakeShape(3, 6, 8), tensor.MakeShape(3, 9, 10)
	for _, c := range []struct {
		call string
		in   []tensor.Shape
	}{
		{`{"args": [{}, {}], "kwargs": {}}`, []tensor.Shape{q, k}},
		{`{"args": [], "kwargs": {"query": {}, "value": {}}}`, []tensor.Shape{q, k}},
		{`{"args": [], "kwargs": {"key": {}, "query": {}, "value": {}}}`, []tensor.Shape{k, q, k}},
		{`{"args": [{}], "kwargs": {"key": {}, "value": {}}}`, []tensor.Shape{q, k, k}},
	} {
		config := Config{VersionKey: "3.15.1", "num_heads": 2.0}.WithCall([]byte(c.call))
		out, ok := Shapes("MultiHeadAttention", config, c.in)
		if !ok || len(out) != 1 || !out[0].Equal(q) {
			t.Errorf("called with %s it gives %v, want %v", c.call, out, q)
		}
	}
}
