package layers

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// recordedCall is a call of a layer of Keras and what it gave (internal/rules/testdata).
type recordedCall struct {
	Class   string
	Config  rules.Config
	Call    map[string]any
	In, Out []tensor.Shape
}

// recordedCalls returns the calls of both versions of Keras.
func recordedCalls(t *testing.T) []recordedCall {
	t.Helper()
	z, err := zip.OpenReader("internal/rules/testdata/rules.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var all []recordedCall
	for _, name := range []string{"keras2.json", "keras3.json"} {
		r, err := z.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var f struct{ Entries []recordedCall }
		if err := json.NewDecoder(r).Decode(&f); err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Entries...)
	}
	return all
}

// channelsFirst returns the same call of a layer that takes the channels before the axes of space,
// which is the same with the channels elsewhere.
func (c *recordedCall) channelsFirst() (recordedCall, bool) {
	if c.Config.Str("data_format") != "channels_last" || strings.Contains(c.Class, "Spectrogram") {
		return recordedCall{}, false
	}
	twin := recordedCall{Class: c.Class, Config: maps.Clone(c.Config), Call: c.Call}
	twin.Config["data_format"] = "channels_first"
	moved := func(shapes []tensor.Shape, steps bool) (all []tensor.Shape) {
		for _, s := range shapes {
			at := 1
			if steps {
				at = 2
			}
			if dims := s.Dims(); len(dims) > 2 {
				s = tensor.MakeShape(slices.Insert(dims[:len(dims)-1:len(dims)-1], at, dims[len(dims)-1])...)
			}
			all = append(all, s)
		}
		return all
	}
	steps := strings.HasPrefix(c.Class, "ConvLSTM")
	twin.In, twin.Out = moved(c.In, steps), moved(c.Out, steps && c.Config["return_sequences"] == true)
	return twin, true
}

// table returns a model of the one layer.
func (c *recordedCall) table() *Table {
	l := &Layer{Class: c.Class, Output: OutputShape{Shapes: c.Out}, info: layerInfo{config: c.Config, in: c.In}}
	call := &step{layer: l, class: c.Class, config: c.Config, shapes: c.Out}
	t := &Table{Layers: []*Layer{l}}
	for i, s := range c.In {
		key := fmt.Sprint("in", i)
		t.steps = append(t.steps, &step{input: key, out: []tensorKey{key}, shapes: []tensor.Shape{s}})
		call.in = append(call.in, key)
	}
	for i := range c.Out {
		call.out = append(call.out, fmt.Sprint("out", i))
	}
	t.steps = append(t.steps, call)
	t.explain(theInput)
	return t
}

var (
	openWords    = regexp.MustCompile(`^None: the (\w+) axis, left open by .*?(; of n places it makes .*)?$`)
	followsWords = regexp.MustCompile(`^None: its size follows from the (.*) (?:axis|axes), left open by `)
)

// TestWordsHold checks what the reasons say of layers that Keras 2 and 3 were asked for: an open
// axis that is an input's has the size of that one, whatever it is, or the size that the rule in
// the sentence makes; a size that follows from axes changes with each of them and with no other; a
// size that is given by the configuration, or is the input's, is the one that stands there.
func TestWordsHold(t *testing.T) {
	t.Parallel()
	checked := map[string]int{}
	calls := recordedCalls(t)
	for _, c := range calls {
		if twin, ok := c.channelsFirst(); ok {
			calls = append(calls, twin)
		}
	}
	for _, c := range calls {
		table := c.table()
		why := table.Layers[0].Why
		at := func(sizes map[string]int64) ([]tensor.Shape, map[string]tensor.Shape) {
			inputs := map[string]tensor.Shape{}
			for i, s := range c.In {
				key := fmt.Sprint("in", i)
				dims := slices.Clone(s.Dims())
				for d, n := range dims {
					if n == tensor.Unknown {
						dims[d] = sizes[table.Takers()[key].Axis(len(dims), d)]
					}
				}
				inputs[key] = tensor.MakeShape(dims...)
			}
			_, env := table.run(inputs)
			var out []tensor.Shape
			for i := range c.Out {
				out = append(out, env[fmt.Sprint("out", i)])
			}
			return out, inputs
		}
		sizes := map[string]int64{"batch": 19, "time": 46, "depth": 37, "height": 61, "width": 58, "channels": 41}
		out, inputs := at(sizes)
		k := 0
		for i, s := range c.Out {
			for d := range max(s.Rank(), 0) {
				text := why[k]
				k++
				if len(c.Out) > 1 {
					text = strings.TrimPrefix(text, fmt.Sprintf("output %d: ", i))
				}
				bad := func(reason string) {
					t.Errorf("%s of %v gives %v: axis %d: %q: %s (%v)", c.Class, c.In, c.Out, d, text, reason, c.Config)
				}
				if strings.Contains(text, "  ") || strings.Contains(text, "; ×") {
					bad("a word is missing")
				}
				if m := openWords.FindStringSubmatch(text); m != nil && d > 0 {
					checked["open"]++
					want := sizes[m[1]]
					if m[2] != "" {
						want = spatialRule(table.Layers[0], d).size(inputs["in0"].Dim(d))
					}
					if out[i].Dim(d) != want {
						bad(fmt.Sprintf("it is %v of %v", out[i], inputs))
					}
				}
				if m := followsWords.FindStringSubmatch(text); m != nil {
					checked["follows"]++
					for name := range sizes {
						other := maps.Clone(sizes)
						other[name] += 12_000 // more than the step of any window
						changed, _ := at(other)
						if follows := slices.Contains(strings.Split(m[1], " and "), name); follows != (changed[i].Dim(d) != out[i].Dim(d)) {
							bad("not so of " + name)
						}
					}
				}
				if s.Dim(d) != tensor.Unknown {
					for words, holds := range c.claims(i, d) {
						if strings.Contains(text, words) {
							checked[words]++
							if !holds {
								bad("it is not")
							}
						}
					}
				}
			}
		}
	}
	t.Log(checked)
	for _, words := range []string{"open", "follows", "the layer's filters", "the layer's height", "a filter for each channel", "the channels;", "(keepdims)", "as in all inputs", "the layer's output_size"} {
		if checked[words] < 4 {
			t.Errorf("%d reasons of the kind %q", checked[words], words)
		}
	}
}

// claims returns what a reason may say of size d of result i, and whether that is so.
func (c *recordedCall) claims(i, d int) map[string]bool {
	s, in := c.Out[i], c.In[0]
	n := s.Dim(d)
	place := in.Rank() - 1
	if c.Config.Str("data_format") == "channels_first" {
		place = 1
		if strings.HasPrefix(c.Class, "ConvLSTM") {
			place = 2
		}
	}
	alike := true
	for _, other := range c.In {
		alike = alike && other.Rank() == s.Rank() && other.Dim(d) == n
	}
	config := c.Config
	if class, inner := config.Layer("layer"); c.Class == "TimeDistributed" && class != "" {
		config = inner
	}
	given := func(key string) bool { return config.Num(key, -1) == n }
	interpolation := c.Config.Str("interpolation")
	return map[string]bool{
		"the layer's units": given("units"), "the layer's filters": given("filters"),
		"the layer's height": given("height"), "the layer's width": given("width"), "the layer's max_tokens": given("max_tokens"),
		"the layer's output_size":   slices.Contains(config.Nums("output_size"), n),
		"of the vocabulary, and":    c.Config["pad_to_max_tokens"] != true,
		"a filter for each channel": d == place && n == in.Dim(place), "the depth_multiplier": d == place && n != in.Dim(place),
		"the channels;": n == in.Dim(place), "(keepdims)": n == 1 && d != place, "as in all inputs": alike,
		"each place is repeated": interpolation == "" || interpolation == "nearest", "places between": interpolation != "nearest",
		"all axes but the batch,": c.Class == "Flatten", "of the input": c.Class != "TimeDistributed",
	}
}
