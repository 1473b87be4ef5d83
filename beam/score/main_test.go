package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/textio"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { os.Exit(ptest.MainRet(m)) }

// writeRows writes n rows of ids, as many as reviews have or as the model takes.
func writeRows(t *testing.T, name string, n int, length func(r *rand.Rand) int, value func(r *rand.Rand) string) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(5, 6))
	var text bytes.Buffer
	for i := range n {
		values := make([]string, length(rnd))
		for k := range values {
			values[k] = value(rnd)
		}
		fmt.Fprintf(&text, "{\"id\": \"r%d\", \"keras_tensor\": [%s]}\n", i, strings.Join(values, ","))
	}
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loop does what the pipeline does, without Beam.
func loop(t *testing.T, p *runner.Predictor, input, output string) {
	t.Helper()
	in, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var ids []string
	var rows []dataset.Element
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		id, row := keyed(lines.Text())
		e, err := p.ParseRow([]byte(row))
		if err != nil {
			t.Fatal(err)
		}
		ids, rows = append(ids, id), append(rows, e)
	}
	out, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := bufio.NewWriter(out)
	defer w.Flush()
	for r, err := range p.Predict(t.Context(), dataset.FromElements(p.RowSpec(), rows...)) {
		if err != nil {
			t.Fatal(err)
		}
		score, _ := tensor.Values[float32](r.Values[0].Tensor)
		fmt.Fprintln(w, scored(ids[r.Row], score[0]))
	}
}

// predictor loads a model as tfrunbeam does.
func predictor(t *testing.T, model string) *runner.Predictor {
	t.Helper()
	s, err := runner.Load(t.Context(), model, runner.Options{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p, err := s.NewPredictor(runner.PredictOptions{Batching: runner.Exact})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func init() { register.Function2x2(unscored) }

func pipeline(t *testing.T, model, input, output string) {
	t.Helper()
	p, s := beam.NewPipelineWithRoot()
	build(s, model, input, output)
	ptest.RunAndValidate(t, p)
}

// unscored stands for a model that computes nothing.
func unscored(id, _ string) (string, float32) { return id, 0.5 }

// withoutModel is the pipeline with nothing in the model's place: what Beam itself takes.
func withoutModel(t *testing.T, input, output string) {
	t.Helper()
	p, s := beam.NewPipelineWithRoot()
	rows := beam.ParDo(s, keyed, beam.Reshuffle(s, textio.Read(s, input)))
	textio.Write(s, output, beam.ParDo(s, scored, beam.ParDo(s, unscored, rows)))
	ptest.RunAndValidate(t, p)
}

func reviewLength(r *rand.Rand) int { return min(max(int(r.NormFloat64()*90+150), 8), 800) }

func reviewWord(r *rand.Rand) string { return strconv.Itoa(1 + r.IntN(4000)) }

// sorted reads the lines of a file, ids with scores, by id.
func sorted(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	slices.Sort(lines)
	return lines
}

// The pipeline gives the lines that a plain loop gives.
func TestScore(t *testing.T) {
	const model = "../../examples/reviews/model"
	dir := t.TempDir()
	rows, got, want := filepath.Join(dir, "rows.jsonl"), filepath.Join(dir, "got.jsonl"), filepath.Join(dir, "want.jsonl")
	writeRows(t, rows, 200, func(*rand.Rand) int { return 20 }, reviewWord)
	pipeline(t, model, rows, got)
	loop(t, predictor(t, model), rows, want)
	a, b := sorted(t, got), sorted(t, want)
	if len(a) != 200 || len(b) != 200 {
		t.Fatalf("%d lines, and %d of a loop, want 200", len(a), len(b))
	}
	for i := range a {
		var id, id2 string
		var x, y float64
		if _, err := fmt.Sscanf(strings.NewReplacer(`{"id":`, "", `,"score":`, " ", "}", "").Replace(a[i]), "%q %g", &id, &x); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(strings.NewReplacer(`{"id":`, "", `,"score":`, " ", "}", "").Replace(b[i]), "%q %g", &id2, &y); err != nil {
			t.Fatal(err)
		}
		if id != id2 || x-y > 1e-6 || y-x > 1e-6 {
			t.Errorf("%s, and of a loop %s", a[i], b[i])
		}
	}
}

// TestSpeed measures the pipeline on Prism against a plain loop, and against the pipeline without a
// model, by turns, as rows of the table of `make scale-bench`, in TFRUN_SPEED rounds.
func TestSpeed(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("TFRUN_SPEED"))
	if err != nil {
		t.Skip("TFRUN_SPEED is no number of rounds")
	}
	for _, tt := range []struct {
		name, model string
		rows        int
		goal        float64
		length      func(*rand.Rand) int
		value       func(*rand.Rand) string
	}{
		{"recurrent", "../../examples/reviews/model", 8000, 0.9, reviewLength, reviewWord},
		{
			"dense", "../../testdata/models/k3_compiled/model", 200_000, 0,
			func(*rand.Rand) int { return 4 },
			func(r *rand.Rand) string { return strconv.FormatFloat(r.NormFloat64(), 'g', 7, 64) },
		},
	} {
		dir, p := t.TempDir(), predictor(t, tt.model)
		rows := filepath.Join(dir, "rows.jsonl")
		writeRows(t, rows, tt.rows, tt.length, tt.value)
		ways := []func(){
			func() { pipeline(t, tt.model, rows, filepath.Join(dir, "beam.jsonl")) },
			func() { loop(t, p, rows, filepath.Join(dir, "loop.jsonl")) },
			func() { withoutModel(t, rows, filepath.Join(dir, "without.jsonl")) },
		}
		ratios := make([][]float64, len(ways)) // of each way's time to the pipeline's
		for round := range rounds + 1 {
			took := make([]time.Duration, len(ways))
			for k := range ways {
				way := (k + round) % len(ways)
				start := time.Now()
				ways[way]()
				took[way] = time.Since(start)
			}
			for way := 1; way < len(ways) && round > 0; way++ { // the first round warms all
				ratios[way] = append(ratios[way], took[way].Seconds()/took[0].Seconds())
			}
		}
		printRatios("Beam on Prism, "+tt.name+" model, to a plain loop", ratios[1], tt.goal)
		if tt.goal == 0 { // where Beam takes the time
			printRatios("the same, to Beam without a model", ratios[2], 0)
		}
	}
}

// printRatios prints a row of the table; a goal of 0 is none.
func printRatios(name string, ratios []float64, goal float64) {
	slices.Sort(ratios)
	middle, said := ratios[len(ratios)/2], "–"
	if goal > 0 {
		said = fmt.Sprintf("≥ %g %s", goal, map[bool]string{true: "✓", false: "✗"}[middle >= goal])
	}
	fmt.Printf("| %s | %.2f (%.2f–%.2f) | %s |\n", name, middle, ratios[0], ratios[len(ratios)-1], said)
}
