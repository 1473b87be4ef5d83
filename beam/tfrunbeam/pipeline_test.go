package tfrunbeam

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/mtime"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

const (
	seed   = "../../testdata/models/k3_seed/model"   // padding changes its answers
	masked = "../../testdata/models/k3_masked/model" // padding does not
)

type seedRow struct {
	Tokens []float32 `beam:"keras_tensor"`
}

type score struct {
	Score float32 `beam:"output_0"`
}

var scoreType = reflect.TypeFor[score]()

// collected is what pipelines of tests gave, by the test's name: Prism runs them in this process.
var collected struct {
	sync.Mutex
	scores map[string]map[int][]float32
	bad    map[string]map[int]Bad
}

// collectFn keeps results.
type collectFn struct{ Test string }

func (f *collectFn) ProcessElement(key int, s score) {
	collected.Lock()
	defer collected.Unlock()
	collected.scores[f.Test][key] = append(collected.scores[f.Test][key], s.Score)
}

// collectBadFn keeps bad rows.
type collectBadFn struct{ Test string }

func (f *collectBadFn) ProcessElement(key int, b Bad) {
	collected.Lock()
	defer collected.Unlock()
	collected.bad[f.Test][key] = b
}

// rowFn makes rows of numbers.
type rowFn struct{}

func (*rowFn) ProcessElement(key int, emit func(int, seedRow)) { emit(key, seedRow{tokens(key)}) }

// stampFn gives rows and updates an event time, a minute for each hundred.
type stampFn struct{}

func (*stampFn) ProcessElement(key int, emit func(beam.EventTime, int)) {
	emit(minute(key/100), key)
}

type stampUpdateFn struct{}

func (*stampUpdateFn) ProcessElement(u Update, emit func(beam.EventTime, Update)) {
	emit(minute(int(u.Version)), u)
}

// textFn gives rows as JSON.
type textFn struct{ Texts []string }

func (f *textFn) ProcessElement(key int, emit func(int, string)) { emit(key, f.Texts[key]) }

// scoreFn puts bare results into a struct.
type scoreFn struct{}

func (*scoreFn) ProcessElement(key int, y float32, emit func(int, score)) { emit(key, score{y}) }

// atTimeFn does that where results have the time of their rows.
type atTimeFn struct{}

func (*atTimeFn) ProcessElement(at beam.EventTime, key int, y float32, emit func(int, score)) {
	if at == minute(key/100) {
		emit(key, score{y})
	}
}

// doubleFn adds a lower version of another model to each update.
type doubleFn struct{ Model string }

func (f *doubleFn) ProcessElement(u Update, emit func(Update)) {
	emit(u)
	emit(Update{u.Version - 1, f.Model})
}

// allTexts are the rows of n keys as JSON.
func allTexts(n int) []string {
	list := make([]string, n)
	for key := range list {
		list[key] = strings.ReplaceAll(fmt.Sprint(tokens(key)), " ", ",")
	}
	return list
}

func minute(n int) beam.EventTime { return mtime.FromTime(time.Unix(int64(60*n), 0)) }

// brokenFn fails at a row.
type brokenFn struct{}

func (*brokenFn) ProcessElement(key int, _ score) error {
	if key == 7 {
		return errors.New("this DoFn is broken")
	}
	return nil
}

func init() {
	register.DoFn2x0[int, score](&collectFn{})
	register.DoFn2x0[int, Bad](&collectBadFn{})
	register.DoFn2x0[int, func(int, seedRow)](&rowFn{})
	register.DoFn2x0[int, func(beam.EventTime, int)](&stampFn{})
	register.DoFn2x0[Update, func(beam.EventTime, Update)](&stampUpdateFn{})
	register.DoFn2x1[int, score, error](&brokenFn{})
	register.DoFn2x0[int, func(int, string)](&textFn{})
	register.DoFn3x0[int, float32, func(int, score)](&scoreFn{})
	register.DoFn4x0[beam.EventTime, int, float32, func(int, score)](&atTimeFn{})
	register.DoFn2x0[Update, func(Update)](&doubleFn{})
	register.Emitter2[int, seedRow]()
	register.Emitter2[int, string]()
	register.Emitter2[int, score]()
	register.Emitter1[Update]()
	register.Emitter2[beam.EventTime, int]()
	register.Emitter2[beam.EventTime, Update]()
	collected.scores, collected.bad = map[string]map[int][]float32{}, map[string]map[int]Bad{}
}

func TestMain(m *testing.M) { os.Exit(ptest.MainRet(m)) }

// tokens are those of a row: from one to forty.
func tokens(key int) []float32 {
	list := make([]float32, key%1000*7919%40+1)
	for i := range list {
		list[i] = float32((key + i*31) % 60)
	}
	return list
}

// collect keeps what a pipeline gives, for a test.
func collect(t *testing.T, s beam.Scope, results, bad beam.PCollection) {
	collected.Lock()
	collected.scores[t.Name()], collected.bad[t.Name()] = map[int][]float32{}, map[int]Bad{}
	collected.Unlock()
	beam.ParDo0(s, &collectFn{t.Name()}, results)
	beam.ParDo0(s, &collectBadFn{t.Name()}, bad)
}

// numbers are the keys of n rows.
func numbers(s beam.Scope, n int) beam.PCollection {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return beam.CreateList(s, list)
}

// alone runs a row of tokens by itself.
func alone(t *testing.T, dir string) func(key int) float32 {
	t.Helper()
	session, err := runner.Load(t.Context(), dir, runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	f, err := session.Function("serving_default")
	if err != nil {
		t.Fatal(err)
	}
	return func(key int) float32 {
		x := tokens(key)
		in, err := tensor.FromSlice(x, 1, int64(len(x)))
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Run(t.Context(), map[string]tensor.Tensor{f.Inputs()[0].Name: in})
		if err != nil {
			t.Fatal(err)
		}
		y, _ := tensor.Values[float32](out["output_0"])
		return y[0]
	}
}

// checkScores wants one score for each of the keys, that of the row alone.
func checkScores(t *testing.T, n int, want func(key int) (float32, bool)) {
	t.Helper()
	got := collected.scores[t.Name()]
	for key := range n {
		w, good := want(key)
		switch {
		case good && (len(got[key]) != 1 || math.Abs(float64(got[key][0]-w)) > 1e-6):
			t.Errorf("row %d: got %v, want %v once", key, got[key], w)
		case !good && len(got[key]) != 0:
			t.Errorf("row %d: got %v, want it among the bad", key, got[key])
		}
	}
	if total := len(got) + len(collected.bad[t.Name()]); total != n {
		t.Errorf("%d rows gave %d results and bad ones", n, total)
	}
	if t.Failed() {
		t.Log(collected.bad[t.Name()])
	}
}
