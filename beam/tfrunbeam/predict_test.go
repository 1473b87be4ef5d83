package tfrunbeam

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/tfrun/tfrun/runner"
)

// Each row gives one result, that of the row alone, however rows share bundles and batches.
func TestPredict(t *testing.T) {
	const n = 1000
	one, want := alone(t, seed), make([]float32, n)
	for key := range want {
		want[key] = one(key)
	}
	for _, tt := range []struct {
		name string
		o    Options
	}{
		{"exact", Options{}},
		{"small batches", Options{BatchSize: 7, Workers: 1}},
		{"weight", Options{MaxTokens: 200}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			rows := beam.Reshuffle(s, beam.ParDo(s, &rowFn{}, beam.Reshuffle(s, numbers(s, n))))
			results, bad := Predict[score](s, seed, tt.o, rows)
			collect(t, s, results, bad)
			ptest.RunAndValidate(t, p)
			checkScores(t, n, func(key int) (float32, bool) { return want[key], true })
			checkPool(t, 1)
		})
	}
}

// checkPool wants models of the last use that nobody uses, and so many of them.
func checkPool(t *testing.T, most int) {
	t.Helper()
	models.mu.Lock()
	defer models.mu.Unlock()
	for use, list := range models.uses {
		if len(list) > most {
			t.Errorf("%s: %d models are loaded, want %d at most", use, len(list), most)
		}
		for _, m := range list {
			if m.users != 0 {
				t.Errorf("%s: model %s has %d users", use, m.folder, m.users)
			}
		}
	}
}

// Rows of JSON text that do not fit the model stand among the bad with the reason, and all others
// have their results.
func TestPredictBadRows(t *testing.T) {
	broken := map[int]string{3: `{"keras_tensor": ["a"]}`, 40: `[1, 2`, 41: ``, 55: `{"keras_tensor": null}`, 70: `[1, 1099511627776]`, 71: "[1]\n[2]"}
	texts, keys := []string{}, []int{}
	for key := range 200 {
		text, bad := broken[key]
		if !bad {
			text = strings.ReplaceAll(fmt.Sprint(tokens(key)), " ", ",")
		}
		keys, texts = append(keys, key), append(texts, text)
	}
	p, s := beam.NewPipelineWithRoot()
	rows := beam.ParDo(s, &textFn{texts}, beam.CreateList(s, keys))
	results, bad := Predict[float32](s, seed, Options{}, rows)
	collect(t, s, beam.ParDo(s, &scoreFn{}, results), bad)
	ptest.RunAndValidate(t, p)
	want := alone(t, seed)
	checkScores(t, 200, func(key int) (float32, bool) {
		if _, bad := broken[key]; bad {
			return 0, false
		}
		return want(key), true
	})
	for key, b := range collected.bad[t.Name()] {
		if b.Row != broken[key] || b.Error == "" || strings.Contains(b.Error, "row ") {
			t.Errorf("row %d: %+v", key, b)
		}
	}
	if got := collected.bad[t.Name()][3].Error; !strings.Contains(got, "keras_tensor") {
		t.Errorf("row 3: %s: want the input's name", got)
	}
}

// Rows of windows that an update is in are run by its model; results have the rows' times.
func TestPredictUpdates(t *testing.T) {
	const n = 400
	p, s := beam.NewPipelineWithRoot()
	windows := window.NewFixedWindows(time.Minute)
	keys := beam.WindowInto(s, windows, beam.ParDo(s, &stampFn{}, numbers(s, n)))
	updates := beam.CreateList(s, []Update{{2, masked}, {3, masked}})
	updates = beam.WindowInto(s, windows, beam.ParDo(s, &stampUpdateFn{}, updates))
	// of two updates in a window the higher version counts
	updates = beam.ParDo(s, &doubleFn{seed}, updates)
	results, bad := Predict[float32](s, seed, Options{Updates: updates}, beam.ParDo(s, &textFn{allTexts(n)}, keys))
	collect(t, s, beam.ParDo(s, &atTimeFn{}, results), bad)
	ptest.RunAndValidate(t, p)
	first, later := alone(t, seed), alone(t, masked)
	checkScores(t, n, func(key int) (float32, bool) {
		if key/100 >= 2 {
			return later(key), true
		}
		return first(key), true
	})
	checkPool(t, keptModels)
}

// What is wrong with the pipeline itself is an error of its run.
func TestPredictErrors(t *testing.T) {
	type noOutput struct {
		Class int64 `beam:"class"`
	}
	seedRows := func(s beam.Scope) beam.PCollection { return beam.ParDo(s, &rowFn{}, numbers(s, 9)) }
	texts := func(s beam.Scope) beam.PCollection { return beam.ParDo(s, &textFn{allTexts(9)}, numbers(s, 9)) }
	for _, tt := range []struct {
		name, want string
		build      func(s beam.Scope)
	}{
		{"no model", "nowhere", func(s beam.Scope) { Predict[score](s, "../nowhere", Options{}, seedRows(s)) }},
		{"options", "Batching", func(s beam.Scope) { Predict[score](s, seed, Options{Batching: "fast"}, seedRows(s)) }},
		{"field of results", `output "class"`, func(s beam.Scope) { Predict[noOutput](s, seed, Options{}, seedRows(s)) }},
		{"type of results", "does not go into a field of type int64", func(s beam.Scope) { Predict[int64](s, seed, Options{}, seedRows(s)) }},
		{"field of rows", `input "keras_tensor"`, func(s beam.Scope) { Predict[score](s, masked, Options{}, seedRows(s)) }},
		{"state", "keeps state", func(s beam.Scope) {
			Predict[float32](s, "../../testdata/models/mod_counter/model", Options{}, texts(s))
		}},
		{"a DoFn behind", "this DoFn is broken", func(s beam.Scope) {
			results, _ := Predict[score](s, seed, Options{}, seedRows(s))
			beam.ParDo0(s, &brokenFn{}, results)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, s := beam.NewPipelineWithRoot()
			tt.build(s)
			if err := ptest.Run(p); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			checkPool(t, keptModels)
		})
	}
}

// A bundle that failed is run again, on the same DoFn: of the rows that it held none comes twice.
func TestRetriedBundle(t *testing.T) {
	fn := &predictFn{Model: seed, Options: "{}", Result: beam.EncodedType{T: scoreType}, Fields: []string{"keras_tensor"}}
	got, crash := map[int]int{}, 0
	emit := func(_ beam.EventTime, key beam.X, _ beam.Y) {
		got[key.(int)]++
		if len(got) == crash {
			panic("what is behind has crashed")
		}
	}
	bad := func(beam.EventTime, beam.X, Bad) { t.Error("a bad row") }
	hold := func(keys int) {
		t.Helper()
		clear(got)
		fn.StartBundle(emit, bad)
		for key := range keys {
			if err := fn.ProcessElement(t.Context(), 0, key, newModelRow("", seedRow{tokens(key)}), emit, bad); err != nil {
				t.Fatal(err)
			}
		}
	}
	hold(60) // and is given up
	hold(50)
	crash = 30
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nothing crashed")
			}
		}()
		_ = fn.FinishBundle(t.Context(), emit, bad)
	}()
	checkPool(t, keptModels)
	crash = 0
	hold(50)
	if err := fn.FinishBundle(t.Context(), emit, bad); err != nil {
		t.Fatal(err)
	}
	for key, n := range got {
		if n != 1 {
			t.Errorf("row %d: %d results", key, n)
		}
	}
	if len(got) != 50 {
		t.Errorf("%d rows, want 50", len(got))
	}
}

// A pool keeps the last two models, and closes an older one when nobody uses it any more.
func TestPool(t *testing.T) {
	p := pool{uses: map[string][]*model{}}
	use := func(folder string) *model {
		t.Helper()
		m, err := p.use(t.Context(), folder, "{}")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first, again := use(seed), use(seed)
	if first != again {
		t.Error("a model is loaded twice")
	}
	p.release(again)
	row, err := first.predictor.ParseRow([]byte("[1, 2]"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := first.predictor.NewBatcher(runner.BatcherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{masked, "../../testdata/models/k2_seed/model"} {
		p.release(use(folder))
	}
	if _, err := b.Run(t.Context(), row); err != nil {
		t.Errorf("a model that is in use: %v", err)
	}
	p.release(first)
	if _, err := b.Run(t.Context(), row); !errors.Is(err, runner.ErrClosed) {
		t.Errorf("a model that nobody uses: %v, want ErrClosed", err)
	}
	if _, err := p.use(t.Context(), "../nowhere", "{}"); err == nil {
		t.Error("no error of a model that is not there")
	}
	for _, list := range p.uses {
		if len(list) > keptModels {
			t.Errorf("%d models are kept", len(list))
		}
		for _, m := range list {
			m.close()
		}
	}
}
