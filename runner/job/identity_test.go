package job

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// TestIdentity changes one thing at a time of which a run's output may depend: each is told apart,
// so that --resume refuses the mixture, and nothing else is.
func TestIdentity(t *testing.T) {
	t.Parallel()
	type run struct {
		model   string
		job     Job
		options runner.Options
		predict runner.PredictOptions
	}
	dir := t.TempDir()
	rows := filepath.Join(dir, "rows.jsonl")
	model := filepath.Join(dir, "model")
	writeFile(t, rows, "[1]\n[2]\n")
	if err := os.CopyFS(model, os.DirFS("../../testdata/models/mod_vocab_asset/model")); err != nil {
		t.Fatal(err)
	}
	identity := func(change func(*run)) map[string]string {
		r := run{model: model, job: Job{Source: Source{Files: []string{rows}}}, predict: runner.PredictOptions{BatchSize: 2}}
		change(&r)
		m, err := savedmodel.Open(r.model)
		if err != nil {
			t.Fatal(err)
		}
		p, err := runner.DryPredictor(m, r.options, r.predict)
		if err != nil {
			t.Fatal(err)
		}
		id, err := r.job.identity(p)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	plain := identity(func(*run) {})
	differ := func(id map[string]string) (names []string) {
		for name := range plain {
			if id[name] != plain[name] {
				names = append(names, name)
			}
		}
		for name := range id {
			if _, ok := plain[name]; !ok {
				names = append(names, name)
			}
		}
		return names
	}
	asset, err := filepath.Glob(filepath.Join(model, "assets", "*"))
	if err != nil || len(asset) == 0 {
		t.Fatal(asset, err)
	}
	// copied is the model with a change to one of its files.
	copied := func(change func(dir string)) func(*run) {
		return func(r *run) {
			r.model = filepath.Join(t.TempDir(), "model")
			if err := os.CopyFS(r.model, os.DirFS(model)); err != nil {
				t.Fatal(err)
			}
			change(r.model)
		}
	}
	for _, c := range []struct {
		name   string
		change func(*run)
		want   string // the entry that differs; "" for none
	}{
		{"nothing", func(*run) {}, ""},
		{"the model, at another place", copied(func(string) {}), ""},
		{"an asset", copied(func(dir string) {
			name := filepath.Join(dir, "assets", filepath.Base(asset[0]))
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text[0]++
			writeFile(t, name, string(text))
		}), "model"},
		{"a row of the input", func(r *run) {
			other := filepath.Join(t.TempDir(), "rows.jsonl")
			writeFile(t, other, "[1]\n[3]\n")
			r.job.Source.Files = []string{other}
		}, "input 1"},
		{"the vocabulary's content", func(r *run) {
			r.job.Source.Encoder, r.job.Source.Vocabulary = noWords{}, "a digest"
		}, "vocabulary"},
		{"the optimizer", func(r *run) { r.options.Optimizer = runner.OptimizerAll }, "optimizer"},
		{"XLA", func(r *run) { r.options.XLA = runner.XLAOn }, "xla"},
		{"the memory of a batch", func(r *run) { r.predict.Limits.BatchBytes = 1 << 20 }, "batch memory"},
		{"how long a line of a bad row may be", func(r *run) { r.predict.Limits.RowBytes = 1 << 10 }, "limits"},
		{"how deep rows nest", func(r *run) { r.predict.Limits.Depth = 3 }, "limits"},
		{"values of a row", func(r *run) { r.predict.Limits.Elements = 3 }, "limits"},
		{"steps of a row", func(r *run) { r.predict.Limits.Length = 3 }, "limits"},
		{"how far rows unpack", func(r *run) { r.predict.Limits.Ratio = 3 }, "limits"},
		{"another output of the same name", func(r *run) {
			r.predict.Outputs = []string{"id=id"}
		}, "outputs"},
		{"the device", func(r *run) { r.options.Device = "gpu:0" }, "device"},
		{"a library of operations", func(r *run) { r.options.OpLibraries = []string{rows} }, "library of operations 1"},
		{"the size of a batch", func(r *run) { r.predict.BatchSize = 3 }, "batch size"},
		{"tokens of a batch", func(r *run) { r.predict.MaxTokens = 100 }, "token budget"},
		{"the batching", func(r *run) { r.predict.Batching = runner.Exact }, "batching"},
		{"what is done with bad rows", func(r *run) { r.predict.SkipBadRows = true }, "skip bad rows"},
		{"the shard", func(r *run) { r.predict.Shard, r.predict.Shards = 1, 2 }, "shard"},
		{"a column's name", func(r *run) { r.job.Source.Columns = map[string]string{"w": "t"} }, "columns"},
		{"a kept column", func(r *run) { r.job.Source.Keep = []string{"id"} }, "kept columns"},
		{"the format of the input", func(r *run) { r.job.Source.Format = "csv" }, "input format"},
		{"a separator", func(r *run) { r.job.Source.CSV.Comma = ';' }, "csv"},
		{"what NaN is", func(r *run) { r.job.NullNaN = true }, "NaN as null"},
		{"the form of scores", func(r *run) { r.job.Squeeze = SqueezeNone }, "wide, squeeze"},
		{"what stands for null", func(r *run) {
			r.job.Source.Nulls = dataset.Nulls{"w": tensor.Scalar("x")}
		}, "null of w"},
	} {
		got := differ(identity(c.change))
		if len(got) > 1 || c.want == "" && len(got) > 0 || c.want != "" && (len(got) == 0 || got[0] != c.want) {
			t.Errorf("%s: %q differ, want %q", c.name, got, c.want)
		}
	}
	tagged := func(tags ...string) func(*run) {
		return func(r *run) { r.model, r.options.Tags = "../../testdata/models/tf1_multi_tags/model", tags }
	}
	plain = identity(tagged("serve"))
	if got := differ(identity(tagged("gpu", "serve"))); len(got) != 1 || got[0] != "tags" {
		t.Errorf("another graph of the model: %q differ", got)
	}
	labels := func(names ...string) map[string]string {
		return identity(func(r *run) {
			tagged("serve")(r)
			r.predict.Heads = []runner.Head{{ArgMax: true, Labels: names}}
		})
	}
	plain = labels("a b", "c")
	if got := differ(labels("a", "b c")); len(got) != 1 || got[0] != "heads" {
		t.Errorf("other labels: %q differ", got)
	}
	plain = identity(func(*run) {})
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(rows, later, later); err != nil {
		t.Fatal(err)
	}
	if got := differ(identity(func(*run) {})); len(got) != 1 || got[0] != "input 1" {
		t.Errorf("an input that was touched: %q differ", got)
	}
}

func writeFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// noWords is an encoder.
type noWords struct{}

func (noWords) Encode(string) []int64 { return nil }
