package dataset_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/pipeline"
	"github.com/tfrun/tfrun/tensor"
)

// goldenCase is an outcome recorded from tf.data. testdata/golden/README.md describes the format.
type goldenCase struct {
	ID          string
	Category    string
	Op          string
	Stages      json.RawMessage
	ElementSpec json.RawMessage           `json:"element_spec"`
	Elements    []map[string]goldenTensor // by path
	ElementsGen *goldenGen                `json:"elements_gen"`
	HashOutputs bool                      `json:"hash_outputs"`
	OnError     string                    `json:"on_error"`
	MaxEvents   int                       `json:"max_events"`
	BufferSize  int64                     `json:"buffer_size"`
	Vec         []int64                   // pad_to_size
	Size        int                       // pad_to_size
	Expect      *goldenExpect
	ExpectError *goldenError `json:"expect_error"`
	raw         []byte
}

type goldenTensor struct {
	DType  string          `json:"dtype,omitempty"`
	Shape  []int64         `json:"shape"`
	Values json.RawMessage `json:"values,omitempty"`
	SHA256 string          `json:"sha256,omitempty"`
	Ragged *goldenRagged   `json:"ragged,omitempty"`
}

type goldenRagged struct {
	RowSplitsDType  string       `json:"row_splits_dtype"`
	NestedRowSplits [][]int64    `json:"nested_row_splits"`
	FlatValues      goldenTensor `json:"flat_values"`
}

type goldenGen struct {
	Seed       string
	Count      int
	Components []struct {
		Path     string
		DType    string
		Dims     [][2]int64
		Lo, Hi   int64
		DivideBy float64 `json:"divide_by"`
	}
}

type goldenSpec struct {
	DType      string       `json:"dtype"`
	Shape      tensor.Shape `json:"shape"`
	RaggedRank *int         `json:"ragged_rank"`
	SplitsType string       `json:"row_splits_dtype"`
}

type goldenExpect struct {
	OutputSpec  map[string]goldenSpec `json:"output_spec"`
	Cardinality *int64
	Batches     []map[string]goldenTensor
	Events      []goldenEvent
	Result      []int64       // pad_to_size
	ModelInput  *goldenTensor `json:"model_input"`
	Properties  *struct {
		Count         int
		MultisetEqual bool  `json:"multiset_equal"`
		MaxEarly      int64 `json:"max_early"`
		Identity      bool
		EpochsEqual   bool `json:"epochs_equal"`
		RebuildEqual  bool `json:"rebuild_equal"`
		Order         []int64
	}
}

type goldenEvent struct {
	Batch map[string]goldenTensor
	Error *goldenError
	End   bool
}

type goldenError struct {
	Kind            string
	At              string
	MessageContains []string `json:"message_contains"`
}

// TestGolden runs every case recorded from tf.data, in testdata/golden and in the files that
// TFRUN_GOLDEN names.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for f := range strings.SplitSeq(os.Getenv("TFRUN_GOLDEN"), ",") {
		if f != "" {
			files = append(files, f)
		}
	}
	type score struct{ passed, all int }
	var total score
	byCategory := map[string]*score{}
	for _, f := range files {
		for _, c := range readGolden(t, f) {
			s := byCategory[c.Category]
			if s == nil {
				s = new(score)
				byCategory[c.Category] = s
			}
			s.all++
			total.all++
			if t.Run(c.ID, func(t *testing.T) { runGolden(t, c) }) {
				s.passed++
				total.passed++
			}
		}
	}
	names := make([]string, 0, len(byCategory))
	for name := range byCategory {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("%s: %d of %d\n", name, byCategory[name].passed, byCategory[name].all)
	}
	fmt.Printf("golden: %d of %d passed\n", total.passed, total.all)
}

func readGolden(t *testing.T, file string) []*goldenCase {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []*goldenCase
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		c := &goldenCase{raw: slices.Clone(lines.Bytes())}
		if err := json.Unmarshal(c.raw, c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func runGolden(t *testing.T, c *goldenCase) {
	switch c.Op {
	case "pad_to_size":
		runPadToSize(t, c)
		return
	case "shuffle":
		if c.ExpectError == nil {
			runShuffle(t, c)
			return
		}
	}
	ds := c.build(t)
	if err := ds.Err(); err != nil {
		checkError(t, c.ExpectError, err, "build")
		return
	}
	if c.Expect != nil {
		checkStatic(t, c.Expect, ds)
	}
	events := collectEvents(t, c, ds)
	if c.Expect != nil && c.Expect.Events != nil {
		checkEvents(t, c.Expect.Events, events)
		return
	}
	var batches []map[string]goldenTensor
	for _, e := range events {
		if e.err != nil {
			checkError(t, c.ExpectError, e.err, e.at)
			break
		}
		if e.batch != nil {
			batches = append(batches, e.batch)
		}
	}
	if c.ExpectError != nil && (len(events) == 0 || events[len(events)-1].err == nil) {
		t.Errorf("no error; want %s at %s", c.ExpectError.Kind, c.ExpectError.At)
	}
	if c.Expect != nil {
		checkBatches(t, c.Expect.Batches, batches)
	}
}

// build makes the case's dataset.
func (c *goldenCase) build(t *testing.T) *dataset.Dataset {
	t.Helper()
	spec := parseSpec(t, c.ElementSpec)
	ds := dataset.FromElements(spec, c.elements(t, spec)...)
	if err := ds.Err(); err != nil {
		t.Fatalf("source: %v", err)
	}
	text := c.raw
	if c.Op == "pipeline" {
		text = c.Stages
	}
	stages, err := pipeline.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.Apply(ds, stages...)
}

// parseSpec reads {"dtype", "shape"}, {"tuple": […]} or {"dict": {…}}.
func parseSpec(t *testing.T, text []byte) dataset.Spec {
	t.Helper()
	var s struct {
		DType string
		Shape tensor.Shape
		Tuple *[]json.RawMessage
		Dict  *map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	switch {
	case s.Tuple != nil:
		var items []dataset.Spec
		for _, item := range *s.Tuple {
			items = append(items, parseSpec(t, item))
		}
		return dataset.Tuple(items...)
	case s.Dict != nil:
		items := map[string]dataset.Spec{}
		for k, item := range *s.Dict {
			items[k] = parseSpec(t, item)
		}
		return dataset.Dict(items)
	}
	dtype, err := tensor.ParseDType(s.DType)
	if err != nil {
		t.Fatal(err)
	}
	return dataset.Leaf(dataset.Component{DType: dtype, Shape: s.Shape})
}

func (c *goldenCase) elements(t *testing.T, spec dataset.Spec) []dataset.Element {
	t.Helper()
	if c.ElementsGen != nil {
		return c.ElementsGen.elements(t, spec)
	}
	var out []dataset.Element
	for _, el := range c.Elements {
		var e dataset.Element
		for i, path := range spec.Paths() {
			src, ok := el[path]
			if !ok {
				t.Fatalf("no component %q", path)
			}
			dtype := spec.Flatten()[i].DType
			flat, err := dataset.ParseTensor(dataset.Component{DType: dtype, Shape: tensor.MakeShape(-1)}, src.Values)
			if err != nil {
				t.Fatal(err)
			}
			x, err := flat.Reshape(src.Shape...)
			if err != nil {
				t.Fatal(err)
			}
			e.Tensors = append(e.Tensors, x)
		}
		out = append(out, e)
	}
	return out
}

type splitMix64 uint64

func (s *splitMix64) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (s *splitMix64) draw(lo, hi int64) int64 {
	return lo + int64(s.next()%uint64(hi-lo+1))
}

func (g *goldenGen) elements(t *testing.T, spec dataset.Spec) []dataset.Element {
	t.Helper()
	seed, err := strconv.ParseUint(g.Seed, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	rng := splitMix64(seed)
	out := make([]dataset.Element, g.Count)
	for i := range out {
		out[i].Tensors = make([]tensor.Tensor, len(spec.Flatten()))
		for _, c := range g.Components {
			dims := []int64{}
			n := int64(1)
			for _, d := range c.Dims {
				size := rng.draw(d[0], d[1])
				dims = append(dims, size)
				n *= size
			}
			dtype, err := tensor.ParseDType(c.DType)
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			text.WriteByte('[')
			for j := range n {
				if j > 0 {
					text.WriteByte(',')
				}
				v := rng.draw(c.Lo, c.Hi)
				switch {
				case dtype == tensor.String:
					fmt.Fprintf(&text, `"t%d"`, v)
				case c.DivideBy != 0:
					text.WriteString(strconv.FormatFloat(float64(v)/c.DivideBy, 'g', -1, 64))
				default:
					fmt.Fprint(&text, v)
				}
			}
			text.WriteByte(']')
			flat, err := dataset.ParseTensor(dataset.Component{DType: dtype, Shape: tensor.MakeShape(-1)}, []byte(text.String()))
			if err != nil {
				t.Fatal(err)
			}
			if out[i].Tensors[spec.Index(c.Path)], err = flat.Reshape(dims...); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// checkStatic compares what is known before the first element.
func checkStatic(t *testing.T, want *goldenExpect, ds *dataset.Dataset) {
	t.Helper()
	got := map[string]goldenSpec{}
	spec := ds.ElementSpec()
	for i, path := range spec.Paths() {
		c := spec.Flatten()[i]
		s := goldenSpec{DType: c.DType.String(), Shape: c.Shape}
		if c.Ragged {
			s.RaggedRank, s.SplitsType = &c.RaggedRank, c.SplitsDType.String()
		}
		got[path] = s
	}
	if diff := cmp.Diff(want.OutputSpec, got); diff != "" {
		t.Errorf("output spec (-want +got):\n%s", diff)
	}
	if want.Cardinality != nil && ds.Cardinality() != *want.Cardinality {
		t.Errorf("cardinality = %d, want %d", ds.Cardinality(), *want.Cardinality)
	}
}

// event is what one pull gave.
type event struct {
	batch map[string]goldenTensor
	err   error
	at    string
}

func collectEvents(t *testing.T, c *goldenCase, ds *dataset.Dataset) []event {
	t.Helper()
	var out []event
	limit := 100000
	if c.MaxEvents > 0 {
		limit = c.MaxEvents
	}
	it := ds.Iterator()
	defer it.Close()
	batches := 0
	for len(out) < limit {
		e, err := it.Next(context.Background())
		if err == io.EOF {
			return append(out, event{})
		}
		if err != nil {
			at := fmt.Sprintf("batch %d", batches)
			if e, ok := errors.AsType[*dataset.Error](err); ok && e.At == dataset.AtIterator {
				at = "iterator"
			}
			out = append(out, event{err: err, at: at})
			if c.OnError != "continue" || at == "iterator" {
				return out
			}
			continue
		}
		batches++
		out = append(out, event{batch: encodeElement(t, ds, e, c.HashOutputs)})
	}
	return out
}

func checkEvents(t *testing.T, want []goldenEvent, got []event) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d events, want %d", len(got), len(want))
		return
	}
	for i, w := range want {
		g := got[i]
		switch {
		case w.Error != nil:
			if dataset.CodeOf(g.err).String() != w.Error.Kind {
				t.Errorf("event %d: error = %v, want %s", i, g.err, w.Error.Kind)
			}
		case w.End:
			if g.batch != nil || g.err != nil {
				t.Errorf("event %d: %v, %v, want the end", i, g.batch, g.err)
			}
		default:
			checkBatches(t, []map[string]goldenTensor{w.Batch}, []map[string]goldenTensor{g.batch})
		}
	}
}

func checkError(t *testing.T, want *goldenError, err error, at string) {
	t.Helper()
	if want == nil {
		t.Errorf("error at %s: %v; want none", at, err)
		return
	}
	if got := dataset.CodeOf(err).String(); got != want.Kind || at != want.At {
		t.Errorf("error = %s at %s (%v), want %s at %s", got, at, err, want.Kind, want.At)
	}
	for _, m := range want.MessageContains {
		if !strings.Contains(err.Error(), m) {
			t.Errorf("error = %q, want it to contain %q", err, m)
		}
	}
	e, ok := errors.AsType[*dataset.Error](err)
	if !ok {
		t.Errorf("error is a %T, want a *dataset.Error", err)
		return
	}
	position := map[int64]string{dataset.AtBuild: "build", dataset.AtIterator: "iterator"}[e.At]
	if position == "" {
		position = fmt.Sprintf("batch %d", e.At)
	}
	if position != want.At {
		t.Errorf("the error's position is %s, want %s", position, want.At)
	}
}

func checkBatches(t *testing.T, want, got []map[string]goldenTensor) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d batches, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		for path, w := range want[i] {
			g, ok := got[i][path]
			if !ok {
				t.Errorf("batch %d has no component %q", i, path)
				continue
			}
			if diff := cmp.Diff(normal(t, w), normal(t, g)); diff != "" {
				t.Errorf("batch %d, component %q (-want +got):\n%s", i, path, diff)
			}
		}
		if len(got[i]) != len(want[i]) {
			t.Errorf("batch %d has %d components, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

// normal returns the tensor with its values in a form that can be compared: integers as text,
// floats by their bits.
func normal(t *testing.T, g goldenTensor) any {
	t.Helper()
	if g.Ragged != nil {
		flat := g.Ragged.FlatValues
		flat.DType = g.DType
		return map[string]any{"splits": g.Ragged.NestedRowSplits, "splits dtype": g.Ragged.RowSplitsDType, "flat": normal(t, flat)}
	}
	out := map[string]any{"dtype": g.DType, "shape": append([]int64{}, g.Shape...), "sha256": g.SHA256}
	if g.Values == nil {
		return out
	}
	dec := json.NewDecoder(bytes.NewReader(g.Values))
	dec.UseNumber()
	var values []any
	if err := dec.Decode(&values); err != nil {
		t.Fatal(err)
	}
	isFloat := strings.Contains(g.DType, "float") || strings.HasPrefix(g.DType, "complex")
	for i, v := range values {
		values[i] = normalValue(t, v, isFloat)
	}
	out["values"] = values
	return out
}

func normalValue(t *testing.T, v any, isFloat bool) any {
	t.Helper()
	switch v := v.(type) {
	case json.Number:
		if !isFloat {
			return v.String()
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return math.Float64bits(f)
	case []any:
		return []any{normalValue(t, v[0], isFloat), normalValue(t, v[1], isFloat)}
	}
	return v
}

func runPadToSize(t *testing.T, c *goldenCase) {
	got := dataset.PadToSize(c.Vec, c.Size)
	if diff := cmp.Diff(append([]int64{}, c.Expect.Result...), got); diff != "" {
		t.Errorf("PadToSize (-want +got):\n%s", diff)
	}
	input := encodeTensor(t, dataset.ModelInput(got), c.HashOutputs)
	if diff := cmp.Diff(normal(t, *c.Expect.ModelInput), normal(t, input)); diff != "" {
		t.Errorf("ModelInput (-want +got):\n%s", diff)
	}
}

func runShuffle(t *testing.T, c *goldenCase) {
	ds := c.build(t)
	if err := ds.Err(); err != nil {
		t.Fatal(err)
	}
	checkStatic(t, c.Expect, ds)
	first, second, again := epoch(t, ds), epoch(t, ds), epoch(t, c.build(t))
	want := c.Expect.Properties
	for _, e := range [][]int64{first, second, again} {
		if len(e) != want.Count {
			t.Errorf("%d elements, want %d", len(e), want.Count)
		}
		sorted := slices.Sorted(slices.Values(e))
		for i, v := range sorted {
			if v != int64(i) {
				t.Fatalf("not a permutation of the input: %v", e)
			}
		}
		for pos, v := range e {
			if v-int64(pos) > want.MaxEarly {
				t.Errorf("%d came at position %d, more than %d too early", v, pos, want.MaxEarly)
			}
		}
	}
	if got := slices.IsSorted(first); got != want.Identity {
		t.Errorf("order unchanged = %v, want %v", got, want.Identity)
	}
	if got := slices.Equal(first, second); got != want.EpochsEqual {
		t.Errorf("two passes agree = %v, want %v", got, want.EpochsEqual)
	}
	if got := slices.Equal(first, again); got != want.RebuildEqual {
		t.Errorf("two equal datasets agree = %v, want %v", got, want.RebuildEqual)
	}
}

func epoch(t *testing.T, ds *dataset.Dataset) []int64 {
	t.Helper()
	out := []int64{}
	for e, err := range ds.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		v, _ := tensor.Values[int64](e.Tensors[0])
		out = append(out, v[0])
	}
	return out
}
