//go:build cgo && !notf

package job

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
)

// plan returns a predictor that does not run, of a model of testdata.
func plan(t *testing.T, model string, o runner.PredictOptions) *runner.Predictor {
	t.Helper()
	m, err := savedmodel.Open(filepath.Join("../../testdata/models", model, "model"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := runner.DryPredictor(m, runner.Options{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFileBatchSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model  string
		limits dataset.Limits
		want   int
	}{
		{"k3_autoencoder", dataset.Limits{}, 8192},
		{"k3_autoencoder", dataset.Limits{BatchBytes: 1 << 20}, 1024},
		{"k3_autoencoder", dataset.Limits{BatchBytes: 1}, runner.DefaultBatchSize},
		{"k3_seed", dataset.Limits{}, runner.DefaultBatchSize},
		{"k3_wide_deep", dataset.Limits{}, 8192},
		{"k3_string_lookup", dataset.Limits{}, 8192},
		{"k3_unet", dataset.Limits{}, 128},
		{"mod_random", dataset.Limits{}, runner.DefaultBatchSize},
		{"mod_fixed_batch", dataset.Limits{}, 4},
	} {
		o := runner.PredictOptions{Limits: tt.limits}
		if tt.model == "mod_random" {
			o.Outputs = []string{"noise"} // the other is the same for all rows
		}
		if got, err := FileBatchSize(plan(t, tt.model, o)); got.Rows != tt.want || err != nil {
			t.Errorf("%s, %d bytes: FileBatchSize() = %+v, %v, want %d", tt.model, tt.limits.BatchBytes, got, err, tt.want)
		}
	}
}

// longAndShort are files of rows, of which one makes no short job.
func longAndShort(t *testing.T) (long, short string) {
	t.Helper()
	dir := t.TempDir()
	long, short = filepath.Join(dir, "long.npy"), filepath.Join(dir, "short.npy")
	if err := errors.Join(os.WriteFile(long, make([]byte, shortJobBytes+1), 0o600), os.WriteFile(short, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return long, short
}

// Batches are large where many rows of little work lie in files, and nothing says how large they
// are to be.
func TestSuitedTo(t *testing.T) {
	t.Parallel()
	long, short := longAndShort(t)
	for _, tt := range []struct {
		name   string
		model  string
		inputs []string
		o      runner.PredictOptions
		want   int
	}{
		{"files", "k3_autoencoder", []string{short, long}, runner.PredictOptions{}, 8192},
		{"few rows", "k3_autoencoder", []string{short}, runner.PredictOptions{}, 64},
		{"a pipe", "k3_autoencoder", []string{long, "-"}, runner.PredictOptions{}, 64},
		{"a size", "k3_autoencoder", []string{long}, runner.PredictOptions{BatchSize: 5}, 5},
		{"the usual size", "k3_autoencoder", []string{long}, runner.PredictOptions{BatchSize: 64}, 64},
		{"a budget", "k3_autoencoder", []string{long}, runner.PredictOptions{MaxTokens: 5}, 64},
		{"no batches", "k3_autoencoder", []string{long}, runner.PredictOptions{NoBatch: true}, 64},
		{"another batching of rows of one shape", "k3_autoencoder", []string{long}, runner.PredictOptions{Batching: runner.Exact}, 8192},
		{"another batching of rows of many lengths", "k3_seed", []string{long}, runner.PredictOptions{Batching: runner.Exact}, 64},
		{"a recurrent model", "k3_seed", []string{long}, runner.PredictOptions{}, 64},
		{"a fixed size", "mod_fixed_batch", []string{long}, runner.PredictOptions{}, 4},
	} {
		p, _, err := Source{Files: tt.inputs}.suited(plan(t, tt.model, tt.o))
		if err != nil || p.Options().BatchSize != tt.want {
			t.Errorf("%s: a batch size of %d, %v, want %d", tt.name, p.Options().BatchSize, err, tt.want)
		}
	}
	for model, want := range map[string]int{"k3_autoencoder": 8192, "k3_seed": 64, "mod_fixed_batch": 4} {
		p := plan(t, model, runner.PredictOptions{})
		p, _, err := Source{Files: []string{"-"}}.Unwaited(p).suited(p)
		if err != nil || p.Options().BatchSize != want {
			t.Errorf("%s, a pipe whose writer does not wait: a batch size of %d, %v, want %d", model, p.Options().BatchSize, err, want)
		}
	}
}

// What the options leave open is chosen by the files and the signature; what they say stays.
func TestJobOptions(t *testing.T) {
	t.Parallel()
	long, short := longAndShort(t)
	half := max(runtime.GOMAXPROCS(0)/2, 1)
	serve := []string{"serving_default"}
	for _, tt := range []struct {
		name  string
		model string
		files []string
		o     runner.Options
		po    runner.PredictOptions
		want  runner.Options
	}{
		{"long", "k3_seed", []string{long}, runner.Options{}, runner.PredictOptions{}, runner.Options{Signatures: serve, WarmUp: true, IntraOp: half}},
		{"short", "k3_seed", []string{short}, runner.Options{}, runner.PredictOptions{}, runner.Options{Signatures: serve, Optimizer: runner.OptimizerNone}},
		{"a pipe", "k3_seed", []string{"-"}, runner.Options{}, runner.PredictOptions{}, runner.Options{Signatures: serve, WarmUp: true, IntraOp: half}},
		{"one worker", "k3_seed", []string{long}, runner.Options{}, runner.PredictOptions{Workers: 1}, runner.Options{Signatures: serve, WarmUp: true}},
		{"state", "mod_counter", []string{long}, runner.Options{}, runner.PredictOptions{}, runner.Options{Signatures: serve, WarmUp: true}},
		{"chance", "mod_random", []string{long}, runner.Options{}, runner.PredictOptions{}, runner.Options{Signatures: serve, WarmUp: true}},
		{"another signature", "mod_counter", []string{short}, runner.Options{}, runner.PredictOptions{Signature: "peek"}, runner.Options{Signatures: []string{"peek"}, Optimizer: runner.OptimizerNone}},
		{
			"all said", "k3_seed",
			[]string{short},
			runner.Options{Signatures: []string{}, Optimizer: runner.OptimizerAll, IntraOp: 3},
			runner.PredictOptions{},
			runner.Options{Signatures: []string{}, Optimizer: runner.OptimizerAll, IntraOp: 3},
		},
		{"threads said", "k3_seed", []string{long}, runner.Options{IntraOp: 7}, runner.PredictOptions{}, runner.Options{Signatures: serve, WarmUp: true, IntraOp: 7}},
	} {
		m, err := savedmodel.Open(filepath.Join("../../testdata/models", tt.model, "model"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Job{Source: Source{Files: tt.files}}.Options(m, tt.o, tt.po)
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(runner.Options{})); diff != "" || err != nil {
			t.Errorf("%s: %v, -want +got\n%s", tt.name, err, diff)
		}
	}
}

// A whole job gives the results that its parts give; a signature without inputs has one.
func TestRun(t *testing.T) {
	in, dir := filepath.Join(t.TempDir(), "in.npy"), "../../testdata/models/k3_autoencoder/model"
	writeRandomRows(t, in, 1000, 8)
	var want, got strings.Builder
	p, err := load(t, "k3_autoencoder/model").NewPredictor(runner.PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	job := Job{Source: Source{Files: []string{in}}, Stdout: &want}
	if sum, err := job.Run(t.Context(), p); err != nil || sum.Rows != 1000 {
		t.Fatalf("%+v, %v", sum, err)
	}
	job.Stdout = &got
	if sum, err := Run(t.Context(), dir, runner.Options{}, runner.PredictOptions{}, job); err != nil || sum.Rows != 1000 || got.String() != want.String() {
		t.Errorf("Run: %+v, %v, or other results", sum, err)
	}

	got.Reset()
	po := runner.PredictOptions{Signature: "peek"}
	if sum, err := Run(t.Context(), "../../testdata/models/mod_counter/model", runner.Options{}, po, Job{Stdout: &got}); err != nil || sum.Rows != 1 || got.String() != "{\"count\":10}\n" {
		t.Errorf("a signature without inputs: %+v, %v, %q", sum, err, got.String())
	}
	var option *runner.OptionError
	for _, tt := range []struct {
		job  Job
		want string
	}{
		{Job{Source: job.Source}, "Output, Stdout"},
		{Job{Source: job.Source, Output: "-"}, "Output, Stdout"},
		{Job{Source: Source{Files: []string{"-"}, Format: "jsonl"}, Stdout: &got}, "Stdin"},
	} {
		_, err := Run(t.Context(), dir, runner.Options{}, runner.PredictOptions{}, tt.job)
		_, again := tt.job.Run(t.Context(), p)
		for _, err := range []error{err, again} {
			if !errors.As(err, &option) || option.Option != tt.want {
				t.Errorf("a job without streams: %v, want an *OptionError of %s", err, tt.want)
			}
		}
	}
	for _, format := range []string{"jsonl", "csv", "parquet", "npy", "txt"} {
		rows, err := Source{Files: []string{"-"}, Format: format}.Rows(p)
		if err == nil {
			_, err = rows.Collect(t.Context())
		}
		if err == nil {
			t.Errorf("%s of a standard input that is not there: no error", format)
		}
	}
	if _, err := Run(t.Context(), dir, runner.Options{}, runner.PredictOptions{}, Job{Stdout: &got}); !errors.As(err, &option) {
		t.Errorf("no rows: %v, want an *OptionError", err)
	}
}
