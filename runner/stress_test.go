//go:build cgo && !notf

package runner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// stressWork is what one process of TestStress does: a model that crashes takes it along.
type stressWork struct {
	Dir       string // the model's
	Optimizer Optimizer
	XLA       XLA
	AtATime   []int // runs, in turn
	Rounds    int   // of each of them, over all sets of inputs
	Fresh     int   // rounds for which a session with threads of its own is loaded
	Most      time.Duration
}

// stressResult is what came of it.
type stressResult struct {
	Runs, Different int
	Sessions        int
	Worst           float64 // the largest difference, as a share of the tolerance
	Skipped         string  // why nothing was run side by side
	Cut             bool    // there was no time for all rounds
}

const stressEnv = "TFRUN_STRESS_WORK"

// TestStress runs models with several runs at a time, with batches of changing size and shape, and
// compares with what the same session gave one run at a time. Those of testdata/stress are made for
// it. `make stress` sets TFRUN_STRESS to a number of rounds: then every model of testdata and of
// TFRUN_MODELS runs, 2, 4 and 8 at a time, with two optimizers, and compiled.
func TestStress(t *testing.T) {
	if work := os.Getenv(stressEnv); work != "" {
		stressChild(t, work)
		return
	}
	dirs, err := filepath.Glob("../testdata/stress/*/model")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	work := stressWork{AtATime: []int{4}, Rounds: 6, Fresh: 3, Most: 20 * time.Second}
	modes := []stressWork{{Optimizer: OptimizerFunctions}, {Optimizer: OptimizerAll}}
	if v := os.Getenv("TFRUN_STRESS"); v != "" {
		if work.Rounds, err = strconv.Atoi(v); err != nil {
			t.Fatalf("TFRUN_STRESS=%s: %v", v, err)
		}
		work.AtATime, work.Fresh, work.Most = []int{2, 4, 8}, work.Rounds, 5*time.Minute
		modes = append(modes, stressWork{Optimizer: OptimizerFunctions, XLA: XLAOn})
		for _, dir := range modelDirs(t) {
			dirs = append(dirs, filepath.Join(dir, "model"))
		}
	} else if underRace {
		modes = modes[:1]
	}
	var total stressTotal
	for _, dir := range dirs {
		name := strings.ReplaceAll(strings.TrimPrefix(filepath.Dir(dir), "../testdata/"), "/", "_")
		t.Run(name, func(t *testing.T) {
			for _, mode := range modes {
				work.Dir, work.Optimizer, work.XLA = dir, mode.Optimizer, mode.XLA
				work := work
				switch {
				case mode.XLA == XLAOn:
					work.Fresh = 1 // each session compiles every shape
				case !strings.HasPrefix(name, "stress_"):
					work.Fresh = min(work.Rounds, 5) // there are many
				}
				total.add(t, work)
			}
		})
	}
	fmt.Printf("stress: %d runs side by side of %d models, crashed %d, different %d (%d not run)\n",
		total.runs, total.models, total.crashed, total.different, total.skipped)
	if total.runs == 0 {
		t.Error("nothing was run")
	}
}

// stressTotal is what came of all the work.
type stressTotal struct {
	models, runs, crashed, different, skipped int

	last string
}

// add has a process do the work, and counts.
func (total *stressTotal) add(t *testing.T, work stressWork) {
	mode := fmt.Sprintf("optimizer %s, xla %s", work.Optimizer, cmp.Or(work.XLA, XLAOff))
	r, err := stress(t.Context(), work)
	switch {
	case err != nil:
		total.crashed++
		t.Errorf("%s: %v", mode, err)
	case r.Skipped != "":
		total.skipped++
		t.Logf("%s: not run: %s", mode, r.Skipped)
	case r.Different > 0:
		t.Errorf("%s: %d of %d runs differ, up to %.3g times the tolerance", mode, r.Different, r.Runs, r.Worst)
	default:
		t.Logf("%s: %d runs%s", mode, r.Runs, map[bool]string{true: ", cut short"}[r.Cut])
	}
	total.runs += r.Runs
	total.different += r.Different
	if work.Dir != total.last {
		total.models, total.last = total.models+1, work.Dir
	}
}

// stress has a process do the work. The error says how the process died.
func stress(ctx context.Context, work stressWork) (stressResult, error) {
	var r stressResult
	todo, err := json.Marshal(work)
	if err != nil {
		return r, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStress$", "-test.v")
	cmd.Env = append(os.Environ(), stressEnv+"="+string(todo), "TF_CPP_MIN_LOG_LEVEL=3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, bytes.TrimSpace(out[max(0, len(out)-800):]))
	}
	_, line, _ := strings.Cut(string(out), "stress result: ")
	line, _, _ = strings.Cut(line, "\n")
	return r, json.Unmarshal([]byte(line), &r)
}

// stressChild does the work, and says what came of it.
func stressChild(t *testing.T, todo string) {
	var work stressWork
	if err := json.Unmarshal([]byte(todo), &work); err != nil {
		t.Fatal(err)
	}
	r, err := work.do(t)
	var line []byte
	if err == nil {
		line, err = json.Marshal(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("stress result: %s\n", line)
}

func (work stressWork) do(t *testing.T) (r stressResult, err error) {
	s, f, err := work.load(t, 0)
	if err != nil {
		return stressResult{Skipped: err.Error()}, nil
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if state, err := s.graph.State(f.signature); err != nil || state.Stateful() {
		return stressResult{Skipped: "runs change what later ones see"}, err
	}
	var cases []stressCase
	for _, feeds := range append(recordedFeeds(t, f, work.Dir), madeUpFeeds(t, s)...) {
		c := stressCase{feeds: feeds}
		if c.want, err = f.Run(t.Context(), feeds); err != nil {
			continue // as it should, or made up badly
		}
		again, err := f.Run(t.Context(), feeds)
		if err != nil {
			return r, err
		}
		if worst := c.compare(again); !(worst <= 1) {
			return stressResult{Skipped: "one run after the other gives other numbers, too"}, nil
		}
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		return stressResult{Skipped: "no inputs that it runs"}, nil
	}
	deadline := time.Now().Add(work.Most)
	for _, n := range work.AtATime {
		for round := 0; round < work.Rounds && !r.Cut; round += work.Rounds / work.Fresh {
			err := work.sideBySide(t, &r, cases, n, work.Rounds/work.Fresh, deadline)
			if err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// load loads the model. oneDNN keeps the code that it makes for a shape by the thread: with threads
// of its own each session makes it anew, and runs meet in that.
func (work stressWork) load(t *testing.T, intraOp int) (*Session, *Function, error) {
	o := Options{Optimizer: work.Optimizer, XLA: work.XLA, IntraOp: intraOp, ownThreads: true}
	s, err := Load(t.Context(), work.Dir, o)
	if err != nil {
		return nil, nil, err
	}
	f, err := s.Function("")
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, f, nil
}

// sideBySide has n goroutines run all cases in a new session. In every other session operations
// have one thread and runs are in step, so that they meet in the same kernel, as workers do that
// share the cores.
func (work stressWork) sideBySide(t *testing.T, r *stressResult, cases []stressCase, n, rounds int, deadline time.Time) error {
	step := uint64(r.Sessions % 2)
	r.Sessions++
	s, f, err := work.load(t, 1-int(step))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for k := range n {
		wg.Go(func() {
			order := rand.New(rand.NewPCG(uint64(r.Sessions), uint64(k)*step))
			for range rounds {
				for _, i := range order.Perm(len(cases)) {
					got, runErr := f.Run(t.Context(), cases[i].feeds)
					worst := 0.0
					if runErr == nil {
						worst = cases[i].compare(got)
					}
					late := time.Now().After(deadline)
					mu.Lock()
					r.Runs++
					if !(worst <= 1) {
						r.Different++
					}
					r.Worst, r.Cut = max(r.Worst, worst), r.Cut || late
					err = errors.Join(err, runErr)
					mu.Unlock()
					if late || runErr != nil {
						return
					}
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(err, s.Close())
}

// stressCase is a set of inputs with what one run at a time gives.
type stressCase struct{ feeds, want map[string]tensor.Tensor }

// compare returns the largest difference as a share of what rounding may do: operations divide
// themselves by the cores that are free, and what XLA compiles need not be what ran first.
func (c stressCase) compare(got map[string]tensor.Tensor) (worst float64) {
	for name, want := range c.want {
		have := got[name]
		if fmt.Sprint(have.Dims()) != fmt.Sprint(want.Dims()) || have.DType() != want.DType() {
			return math.MaxFloat64
		}
		if want.DType() == tensor.String {
			if fmt.Sprint(have.Strings()) != fmt.Sprint(want.Strings()) {
				return math.MaxFloat64
			}
			continue
		}
		rounding := 2e-4
		if want.DType() == tensor.Float16 || want.DType() == tensor.Bfloat16 {
			rounding = 2e-2
		}
		w, h := floats(want), floats(have)
		most := 1e-3
		for _, x := range w {
			if !math.IsInf(x, 0) && !math.IsNaN(x) {
				most = max(most, math.Abs(x))
			}
		}
		for i := range w {
			if w[i] == h[i] || math.IsNaN(w[i]) && math.IsNaN(h[i]) {
				continue
			}
			d := math.Abs(w[i]-h[i]) / (rounding * most)
			if !(d <= worst) {
				worst = d // a NaN, too
			}
		}
	}
	if math.IsNaN(worst) || math.IsInf(worst, 0) {
		return math.MaxFloat64
	}
	return worst
}

// recordedFeeds are the inputs of a model's expect.json, if it has one.
func recordedFeeds(t *testing.T, f *Function, dir string) (all []map[string]tensor.Tensor) {
	t.Helper()
	dir = filepath.Dir(dir)
	if _, err := os.Stat(filepath.Join(dir, "expect.json")); err != nil {
		return nil
	}
	for _, x := range readExpectation(t, dir).Examples {
		if x.unrecorded() || x.Signature != "" && x.Signature != f.signature.Name {
			continue
		}
		feeds := map[string]tensor.Tensor{}
		for _, in := range f.Inputs() {
			v, err := buildTensor(component(x.Inputs[in.Value], in))
			if err != nil {
				feeds = nil
				break
			}
			feeds[in.Name] = v
		}
		if feeds != nil {
			all = append(all, feeds)
		}
	}
	return all
}

// madeUpFeeds are batches of made-up rows: of one to five rows, of several lengths.
func madeUpFeeds(t *testing.T, s *Session) (all []map[string]tensor.Tensor) {
	t.Helper()
	p, err := s.NewPredictor(PredictOptions{})
	if err != nil {
		return nil
	}
	lengths := []int64{6, 33, 16, 40, 24, 12}
	if slices.ContainsFunc(p.components, func(c dataset.Component) bool {
		return len(slices.DeleteFunc(c.Shape.Dims(), func(d int64) bool { return d != tensor.Unknown })) > 1
	}) {
		// Small pictures: the larger part of a run is what kernels do around their arithmetic.
		lengths = []int64{8, 13, 9, 8, 12, 7, 16, 8, 11, 10}
	}
	made, err := MadeUpRows(t.Context(), p, len(lengths), lengths)
	if err != nil {
		if made, err = MadeUpRows(t.Context(), p, 6, nil); err != nil {
			return nil
		}
	}
	for i, row := range made {
		if feeds, err := stackRow(p, row, int64(1+i%5)); err == nil {
			all = append(all, feeds)
		}
	}
	return all
}

// stackRow is a batch of n rows that are the same but for their numbers: those of floats differ.
func stackRow(p *Predictor, row dataset.Element, n int64) (map[string]tensor.Tensor, error) {
	if len(row.Tensors) != len(p.f.inputs) {
		return nil, errors.New("values of several tensors")
	}
	feeds := map[string]tensor.Tensor{}
	for i, in := range p.f.inputs {
		x := row.Tensors[i]
		dims := append([]int64{n}, x.Dims()...)
		var all tensor.Tensor
		var err error
		if x.DType() == tensor.String {
			var texts []string
			for range n {
				texts = append(texts, x.Strings()...)
			}
			all, err = tensor.FromSlice(texts, dims...)
		} else if all, err = tensor.New(x.DType(), dims...); err == nil {
			for k := range n {
				copy(all.Bytes()[k*int64(len(x.Bytes())):], x.Bytes())
			}
			if values, ok := tensor.Values[float32](all); ok {
				for j := range values {
					values[j] += float32(j/max(1, len(values)/int(n))) * 0.01
				}
			}
		}
		if err != nil {
			return nil, err
		}
		feeds[in.Name] = all
	}
	return feeds, nil
}
