//go:build cgo && !notf

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// forgetEnv makes the model's process forget to call IsolateMain.
const forgetEnv = "TFRUN_TEST_FORGETS"

func TestMain(m *testing.M) {
	// the model's process of a program that does not call IsolateMain
	if os.Getenv(forgetEnv) != "" && os.Getenv("TFRUN_ISOLATED") != "" {
		os.Exit(3)
	}
	IsolateMain()
	goleak.VerifyTestMain(m)
}

// parity is a testdata/parity/*.want.json, written by make_parity.py.
type parity struct {
	Model         string
	BatchSize     int `json:"batch_size"`
	Padded, Alone []map[string]any
}

// load loads a model of testdata for the length of a test.
func load(t *testing.T, model string) *Session {
	t.Helper()
	return loadDir(t, filepath.Join("../testdata/models", model), Options{})
}

// loadDir loads a model for the length of a test.
func loadDir(t *testing.T, dir string, o Options) *Session {
	t.Helper()
	s, err := Load(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// predict runs rows of JSON and returns all results.
func predict(t *testing.T, s *Session, o PredictOptions, rows string) ([]Result, []string) {
	t.Helper()
	p, err := s.NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	return results(t, p, jsonRows(p, rows)), p.OutputNames()
}

// results runs rows and returns all results.
func results(t *testing.T, p *Predictor, rows *dataset.Dataset) []Result {
	t.Helper()
	var all []Result
	for r, err := range p.Predict(t.Context(), rows) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestPredictAgreesWithPython(t *testing.T) {
	wants, err := filepath.Glob("testdata/parity/*.want.json")
	if err != nil || len(wants) < 5 {
		t.Fatalf("%d fixtures, %v", len(wants), err)
	}
	for _, file := range wants {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want parity
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		rows, err := os.ReadFile(strings.Replace(file, ".want.json", ".rows.jsonl", 1))
		if err != nil {
			t.Fatal(err)
		}
		s := load(t, want.Model)
		for _, tt := range []struct {
			name string
			o    PredictOptions
			want []map[string]any
		}{
			{"arrival", PredictOptions{}, want.Padded},
			{"arrival, 3 workers", PredictOptions{Workers: 3}, want.Padded},
			{"exact", PredictOptions{Batching: Exact}, want.Alone},
			{"exact, small window, 2 workers", PredictOptions{Batching: Exact, Window: 7, Workers: 2}, want.Alone},
			{"one by one", PredictOptions{BatchSize: 1}, want.Alone},
		} {
			t.Run(filepath.Base(file)+"/"+tt.name, func(t *testing.T) {
				if tt.o.BatchSize == 0 {
					tt.o.BatchSize = want.BatchSize
				}
				got, names := predict(t, s, tt.o, string(rows))
				if len(got) != len(tt.want) {
					t.Fatalf("%d results, want %d", len(got), len(tt.want))
				}
				for i, r := range got {
					if r.Row != int64(i) {
						t.Fatalf("result %d is of row %d", i, r.Row)
					}
					line, err := AppendRow(nil, names, r)
					if err != nil {
						t.Fatal(err)
					}
					var values map[string]any
					if err := json.Unmarshal(line, &values); err != nil {
						t.Fatalf("%s: %v", line, err)
					}
					if err := near(values, tt.want[i]); err != nil {
						t.Fatalf("row %d: %v", i, err)
					}
				}
			})
		}
	}
}

// near compares decoded JSON, numbers to 1e-5.
func near(got, want any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		for k := range w {
			if err := near(g[k], w[k]); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		for i := range w {
			if err := near(g[i], w[i]); err != nil {
				return err
			}
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-w) > 1e-5 {
			return fmt.Errorf("got %v, want %v", got, want)
		}
	default:
		return fmt.Errorf("%v is no JSON that this test knows", want)
	}
	return nil
}

// A model without masking answers differently for padded rows: were it not so, the tests above
// could not tell arrival from exact.
func TestFixturesTellPaddedFromAlone(t *testing.T) {
	data, err := os.ReadFile("testdata/parity/seed_k3.want.json")
	if err != nil {
		t.Fatal(err)
	}
	var p parity
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	different := 0
	for i := range p.Padded {
		if near(p.Padded[i], p.Alone[i]) != nil {
			different++
		}
	}
	if different < len(p.Padded)/2 {
		t.Errorf("%d of %d rows depend on padding", different, len(p.Padded))
	}
}

func TestPredictPadTo(t *testing.T) {
	s := load(t, "full_seed/k3/model")
	value := func(rows string, padTo int64) []byte {
		t.Helper()
		got, names := predict(t, s, PredictOptions{PadTo: map[string]int64{"keras_tensor": padTo}}, rows)
		line, err := AppendRow(nil, names, got[0])
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	padded := "[5,6,7" + strings.Repeat(",0", 61) + "]"
	if got, want := value("[5,6,7]", 64), value(padded, 0); string(got) != string(want) {
		t.Errorf("padded by pad-to %s, by hand %s", got, want)
	}
	if got, want := value(padded, 10), value(padded, 0); string(got) != string(want) {
		t.Errorf("pad-to cut a longer row: %s, want %s", got, want)
	}
	if got, without := value("[5,6,7]", 64), value("[5,6,7]", 0); string(got) == string(without) {
		t.Error("pad-to changed nothing")
	}
}

func TestPredictFixedBatch(t *testing.T) {
	s := load(t, "mod_fixed_batch/model")
	sig, err := s.MetaGraph().Signature("")
	if err != nil {
		t.Fatal(err)
	}
	in := sig.Inputs[sig.InputNames()[0]]
	fixed := in.Shape.Dim(0)
	if fixed < 2 {
		t.Fatalf("the model's batch is %d", fixed)
	}
	row := "[" + strings.TrimSuffix(strings.Repeat("1,", int(in.Shape.Dim(1))), ",") + "]\n"
	for _, n := range []int{1, int(fixed), int(fixed) + 1} {
		got, _ := predict(t, s, PredictOptions{}, strings.Repeat(row, n))
		if len(got) != n {
			t.Errorf("%d results for %d rows", len(got), n)
		}
	}
	if _, err := s.NewPredictor(PredictOptions{BatchSize: int(fixed) + 1}); err == nil {
		t.Error("another batch size than the fixed one was taken")
	}
}

// TestPredictFixedBatchKeeps has a model of batches of four run rows that keep much: a batch ends
// with the second row, and the answers are those of whole batches.
func TestPredictFixedBatchKeeps(t *testing.T) {
	s := load(t, "mod_fixed_batch/model")
	p, err := s.NewPredictor(PredictOptions{Stats: &dataset.Stats{}}) // which counts row by row
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 7 {
		fmt.Fprintf(&text, "{\"x\": [1, 2, %d], \"k\": %q}\n", i, strings.Repeat("k", 100))
	}
	var answers [2][]Result
	for i, memory := range []int64{1 << 20, keptShare * 150} {
		p.o.Limits.BatchBytes = memory
		most := 0
		for b, err := range p.Batches(t.Context(), dataset.JSONL(strings.NewReader(text.String()), p.GivenSpec(), dataset.JSONLOptions{Keep: []string{"k"}})) {
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, b.Len())
			for j := range b.Len() {
				r, err := b.Result(j)
				if err != nil {
					t.Fatal(err)
				}
				answers[i] = append(answers[i], r)
			}
		}
		if want := 4 - 2*i; most != want {
			t.Errorf("a batch of %d rows, want %d", most, want)
		}
	}
	if diff := cmp.Diff(answers[0], answers[1], cmp.Comparer(sameTensor), cmp.Comparer(sameError)); diff != "" {
		t.Errorf("whole batches -, short ones +\n%s", diff)
	}
}

func TestPredictBadRows(t *testing.T) {
	s := load(t, "full_seed/k3/model")
	src := "[1,2]\n[3,\"x\"]\n\n[4]\nnonsense\n{\"keras_tensor\":[5]}\n"
	p, err := s.NewPredictor(PredictOptions{SkipBadRows: true})
	if err != nil {
		t.Fatal(err)
	}
	rows := jsonRows(p, src)
	var bad []int64
	n := int64(0)
	for r, err := range p.Predict(t.Context(), rows) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Row != n {
			t.Errorf("result %d is of row %d", n, r.Row)
		}
		n++
		if r.Err != nil {
			bad = append(bad, r.Row)
		}
	}
	if n != 5 || fmt.Sprint(bad) != "[1 3]" {
		t.Errorf("%d results, bad ones %v; want 5 and [1 3]", n, bad)
	}
}

func TestPredictStopsAtABadRow(t *testing.T) {
	s := load(t, "full_seed/k3/model")
	p, err := s.NewPredictor(PredictOptions{BatchSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	rows := jsonRows(p, "[1,2]\n[3]\n[3,\"x\"]\n[4]\n")
	n := 0
	var last error
	for _, err := range p.Predict(t.Context(), rows) {
		if err != nil {
			last = err
			continue
		}
		n++
	}
	var syntax *dataset.SyntaxError
	if n != 2 || !errors.As(last, &syntax) || syntax.Line != 3 {
		t.Errorf("%d results, then %v; want 2, then an error of line 3", n, last)
	}
}

func TestPredictCancelled(t *testing.T) {
	s := load(t, "full_seed/k3/model")
	p, err := s.NewPredictor(PredictOptions{BatchSize: 1, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	rows := jsonRows(p, strings.Repeat("[1,2]\n", 1000))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range p.Predict(ctx, rows) {
		if err != nil {
			last = err
			break
		}
		if n++; n == 3 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || n == 1000 {
		t.Errorf("%d results, then %v; want an early end with %v", n, last, context.Canceled)
	}
	// A consumer that stops by itself leaves nothing behind either: goleak looks.
	rows = jsonRows(p, strings.Repeat("[1,2]\n", 1000))
	for range p.Predict(t.Context(), rows) {
		break
	}
}

// Composite values: a ragged output by row and whole, a sparse input by row and whole.
func TestPredictComposite(t *testing.T) {
	ragged := load(t, "mod_ragged_out/model")
	sparse := load(t, "tf1_sparse/model")
	tests := []struct {
		name    string
		s       *Session
		noBatch bool
		rows    string
		want    []string
	}{
		{"ragged rows", ragged, false, `"a b c"` + "\n" + `"d"` + "\n" + `{"s":""}`, []string{`{"words":["a","b","c"]}`, `{"words":["d"]}`, `{"words":[]}`}},
		{"ragged whole", ragged, true, `["a b c","d"]`, []string{`{"words":[["a","b","c"],["d"]]}`}},
		{
			"sparse whole", sparse, true,
			`{"x":{"indices":[[0,1],[1,0],[1,4]],"values":[0.12573022,-0.13210486,0.64042264],"dense_shape":[2,5]}}`,
			[]string{`{"y":[[-0.03122656,0.05286267],[0.5854528,1.2219063]]}`},
		},
		{
			"sparse rows", sparse, false,
			`{"x":{"indices":[[1]],"values":[0.12573022],"dense_shape":[5]}}` + "\n" +
				`{"x":{"indices":[[0],[4]],"values":[-0.13210486,0.64042264],"dense_shape":[5]}}`,
			[]string{`{"y":[-0.03122656,0.05286267]}`, `{"y":[0.5854528,1.2219063]}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, names := predict(t, tt.s, PredictOptions{NoBatch: tt.noBatch}, tt.rows)
			if len(got) != len(tt.want) {
				t.Fatalf("%d results, want %d", len(got), len(tt.want))
			}
			for i, r := range got {
				line, err := AppendRow(nil, names, r)
				if err != nil {
					t.Fatal(err)
				}
				var g, w any
				if err := errors.Join(json.Unmarshal(line, &g), json.Unmarshal([]byte(tt.want[i]), &w)); err != nil {
					t.Fatal(err)
				}
				if strings.Contains(tt.want[i], `"y"`) {
					err = near(g, w)
				} else if string(line) != tt.want[i] {
					err = fmt.Errorf("got %s, want %s", line, tt.want[i])
				}
				if err != nil {
					t.Errorf("row %d: %v", i, err)
				}
			}
		})
	}
}

func TestBatchAxis(t *testing.T) {
	s := load(t, "mod_huge_output/model") // takes a scalar
	var axis *BatchAxisError
	if _, err := s.NewPredictor(PredictOptions{}); !errors.As(err, &axis) {
		t.Errorf("NewPredictor of a scalar input = %v, want a *BatchAxisError", err)
	}
	got, _ := predict(t, s, PredictOptions{NoBatch: true}, "7\n3\n")
	if len(got) != 2 || !got[0].Values[0].Tensor.Shape().Equal(tensor.MakeShape(7, 30)) {
		t.Errorf("results %v", got)
	}
}

func TestFeedErrors(t *testing.T) {
	s := load(t, "full_seed/k3/model")
	ones, err := tensor.FromSlice([]float32{1, 2}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	var feed *FeedError
	var name *NameError
	tests := []struct {
		name  string
		feeds map[string]tensor.Tensor
		as    any
	}{
		{"dtype", map[string]tensor.Tensor{"keras_tensor": tensor.Vector[int64](1)}, &feed},
		{"rank", map[string]tensor.Tensor{"keras_tensor": tensor.Vector[float32](1)}, &feed},
		{"missing", nil, &name},
		{"unknown", map[string]tensor.Tensor{"keras_tensor": ones, "y": ones}, &name},
	}
	for _, tt := range tests {
		if _, err := s.Run(t.Context(), "", tt.feeds); !errors.As(err, tt.as) {
			t.Errorf("%s: error %v, want a %T", tt.name, err, tt.as)
		}
	}
	if _, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"keras_tensor": ones}); err != nil {
		t.Error(err)
	}
}

// TestClosed: a session may be closed twice, and its methods say that it is closed.
func TestClosed(t *testing.T) {
	s, err := Load(t.Context(), "../testdata/models/mod_scalar/model", Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Function("")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	feeds := map[string]tensor.Tensor{}
	for _, in := range f.Inputs() {
		if feeds[in.Name], err = tensor.New(in.DType); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Run(t.Context(), feeds); !errors.Is(err, ErrClosed) {
		t.Errorf("Run after Close = %v, want %v", err, ErrClosed)
	}
	if _, err := s.Devices(); !errors.Is(err, ErrClosed) {
		t.Errorf("Devices after Close = %v, want %v", err, ErrClosed)
	}
}

// What was fed and fetched must be given back: the binding's finalizers run after a collection.
func TestNoTensorLeaks(t *testing.T) {
	s := load(t, "full_seed/k3/model")
	got, _ := predict(t, s, PredictOptions{BatchSize: 2}, strings.Repeat("[1,2,3]\n", 200))
	if len(got) != 200 {
		t.Fatalf("%d results", len(got))
	}
	deadline := time.Now().Add(10 * time.Second)
	for tf.LiveTensors() > 0 && time.Now().Before(deadline) {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if n, bytes := tf.LiveTensors(), s.Stats().TensorBytes; n != 0 || bytes != 0 {
		t.Errorf("%d tensors of C memory are still held, %d bytes", n, bytes)
	}
}

func TestSelfTest(t *testing.T) {
	tests, err := SelfTest(t.Context(), Options{})
	if err != nil || len(tests) == 0 {
		t.Fatalf("%d devices, %v", len(tests), err)
	}
	for _, d := range tests {
		if d.Err != nil || d.MaxError > 1e-4 && d.Device.Type == "CPU" {
			t.Errorf("%s: error %v, largest difference %v", d.Device.Name, d.Err, d.MaxError)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{Device: "tpu"}, {Device: "gpu:x"}, {IntraOp: -1}, {Timeout: -1}, {GPUMemoryFraction: 2}} {
		var option *OptionError
		if _, err := Load(t.Context(), "../testdata/models/mod_scalar/model", o); !errors.As(err, &option) {
			t.Errorf("Load with %+v = %v, want an *OptionError", o, err)
		}
	}
}

// The seed's model has no mask and its answers depend on padding; the masked model's do not.
func TestChooseBatching(t *testing.T) {
	const rows = "[1,2,3]\n[4,5,6,7,8]\n[9]\n[5,4]\n[1,1,1,1]\n[2]\n"
	tests := []struct {
		model    string
		batching Batching
		may      bool
		chosen   Batching // "" is an error
	}{
		{"full_seed/k3/model", Auto, false, Arrival},
		{"full_seed/k3/model", Bucket, false, ""},
		{"full_seed/k3/model", Bucket, true, "unmeasured"},
		{"k3_masked/model", Auto, false, Bucket},
		{"k3_masked/model", Bucket, false, Bucket},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.model, tt.batching, tt.may), func(t *testing.T) {
			s := load(t, tt.model)
			chosen := Batching("unmeasured")
			o := PredictOptions{Batching: tt.batching, BatchSize: 2, PaddingMayChangeResults: tt.may}
			o.Measured = func(_ Verdict, c Batching) { chosen = c }
			p, err := s.NewPredictor(o)
			if err != nil {
				t.Fatal(err)
			}
			source := jsonRows(p, rows)
			n := int64(0)
			var padding *PaddingError
			for r, err := range p.Predict(t.Context(), source) {
				if errors.As(err, &padding) {
					chosen = ""
					break
				}
				if err != nil || r.Row != n {
					t.Fatalf("result %d is of row %d, %v", n, r.Row, err)
				}
				n++
			}
			if chosen != tt.chosen || chosen != "" && n != 6 {
				t.Errorf("chose %q with %d results, want %q with 6", chosen, n, tt.chosen)
			}
		})
	}
}

func TestParseHead(t *testing.T) {
	for text, want := range map[string]Head{
		"softmax":               {Activation: "softmax"},
		"argmax":                {ArgMax: true},
		"topk=3":                {TopK: 3},
		"softmax,topk=2":        {Activation: "softmax", TopK: 2},
		"logits=sigmoid":        {Output: "logits", Activation: "sigmoid"},
		"logits=softmax,topk=5": {Output: "logits", Activation: "softmax", TopK: 5},
		"logits=topk=5":         {Output: "logits", TopK: 5},
	} {
		if got, err := ParseHead(text); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ParseHead(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "softmin", "topk=0", "topk=x", "argmax,topk=2", "topk=2,softmax", "softmax,sigmoid"} {
		if got, err := ParseHead(text); err == nil {
			t.Errorf("ParseHead(%q) = %+v, want an error", text, got)
		}
	}
}

// The heads are compared with the same computed in Go from the logits.
func TestHeads(t *testing.T) {
	s := load(t, "k3_autoencoder/model")
	const row = "[1,-2,3,0.5,1,4,-1,2]"
	raw, names := predict(t, s, PredictOptions{}, row)
	logits, ok := numbers(raw[0].Values[0].Tensor)
	if !ok || len(logits) < 2 {
		t.Fatalf("logits %v of %v", raw[0].Values, names)
	}
	sum, best := 0.0, 0
	for i, x := range logits {
		sum += math.Exp(x)
		if x > logits[best] {
			best = i
		}
	}
	labels := make([]string, len(logits))
	for i := range labels {
		labels[i] = fmt.Sprintf("class %d", i)
	}
	got, names := predict(t, s, PredictOptions{Heads: []Head{{Activation: "softmax", TopK: 2, Labels: labels}}}, row)
	if len(names) != 2 || !strings.HasSuffix(names[0], "_scores") || !strings.HasSuffix(names[1], "_labels") {
		t.Fatalf("outputs %v", names)
	}
	scores, _ := numbers(got[0].Values[0].Tensor)
	if want := math.Exp(logits[best]) / sum; len(scores) != 2 || math.Abs(scores[0]-want) > 1e-6 || scores[1] > scores[0] {
		t.Errorf("scores %v, want %v first", scores, want)
	}
	if first := got[0].Values[1].Tensor.Strings()[0]; first != labels[best] {
		t.Errorf("label %q, want %q", first, labels[best])
	}
	got, _ = predict(t, s, PredictOptions{Heads: []Head{{ArgMax: true}}}, row)
	if v, ok := tensor.Values[int64](got[0].Values[0].Tensor); !ok || v[0] != int64(best) {
		t.Errorf("argmax %v, want %d", v, best)
	}
	var option *OptionError
	if _, err := s.NewPredictor(PredictOptions{Heads: []Head{{Output: "nope", ArgMax: true}}}); err == nil || errors.As(err, &option) {
		t.Errorf("a head on no output: %v, want a *NameError", err)
	}
}

// A model that reads a file named by its input is refused unless that is allowed.
func TestUnsafeModel(t *testing.T) {
	for _, model := range []string{"mod_file_io", "mod_file_io_nested", "mod_py_function"} {
		var unsafe *UnsafeError
		if _, err := Load(t.Context(), "../testdata/models/"+model+"/model", Options{}); !errors.As(err, &unsafe) {
			t.Errorf("%s: Load = %v, want an *UnsafeError", model, err)
		}
	}
	s, err := Load(t.Context(), "../testdata/models/mod_file_io/model", Options{AllowOps: []string{"ReadFile"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("read by the graph"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"path": tensor.Scalar(file)})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if got := out["bytes"].Strings(); len(got) != 1 || got[0] != "read by the graph" {
		t.Errorf("bytes = %q", got)
	}
}

// Where the signature leaves the rank open, the first row tells it.
func TestPredictUnknownRank(t *testing.T) {
	s := load(t, "mod_unknown_rank/model")
	f, err := s.Function("")
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range []string{"1\n2\n3\n", "[1,2]\n[3]\n", "[[1,2],[3,4]]\n[[5]]\n"} {
		got, names := predict(t, s, PredictOptions{Outputs: []string{"y"}}, rows)
		if len(got) != strings.Count(rows, "\n") {
			t.Errorf("%q: %d results of %v", rows, len(got), names)
		}
	}
	p, err := s.NewPredictor(PredictOptions{Outputs: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range p.Predict(t.Context(), jsonRows(p, "[1,2]\n[[3]]\n")) {
		last = err
	}
	var syntax *dataset.SyntaxError
	if !errors.As(last, &syntax) || syntax.Line != 2 {
		t.Errorf("rows of two ranks for %v: %v, want an error of line 2", f.Inputs(), last)
	}
}
