//go:build cgo && !notf && linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/runner/internal/isolate"
	"github.com/tfrun/tfrun/tensor"
)

// isolatedSession loads testdata/deadly in a process of its own.
func isolatedSession(t *testing.T, o Options) *Session {
	t.Helper()
	o.Isolate, o.AllowOps = true, []string{"Abort"}
	return loadDir(t, "testdata/deadly", o)
}

// lines runs rows of JSON and returns a line for each result, and the error that ended the run.
func lines(t *testing.T, s *Session, o PredictOptions, rows string) ([]string, error) {
	t.Helper()
	p, err := s.NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r, err := range p.Predict(t.Context(), jsonRows(p, rows)) {
		if err != nil {
			return got, err
		}
		if r.Err != nil {
			got = append(got, r.Err.Error())
			continue
		}
		line, err := AppendRow(nil, p.OutputNames(), r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	return got, nil
}

// deathsOf is how often a session has seen its process die.
func deathsOf(s *Session) int { return s.engine.(*isolate.Engine).Restarts() }

// A program that does not call IsolateMain is told so.
func TestIsolateWithoutMain(t *testing.T) {
	t.Setenv(forgetEnv, "1")
	_, err := Load(t.Context(), "testdata/deadly", Options{Isolate: true, AllowOps: []string{"Abort"}})
	var option *OptionError
	if !errors.As(err, &option) || option.Option != "Isolate" {
		t.Errorf("Load: %T %v, want an error of the option", err, err)
	}
}

func TestIsolateNamesTheRowsThatKill(t *testing.T) {
	t.Parallel()
	fatal := "run: the model's process died: SIGABRT: Abort_op intentional failure; unlucky number"
	clean := "run: the model's process died: exit status 0"
	tests := []struct {
		name string
		o    PredictOptions
		rows string
		want []string
	}{
		{
			"one of five",
			PredictOptions{},
			`[1,2] [3] [13] [4,5] [6]`,
			[]string{`{"y":3}`, `{"y":3}`, "stdin:3: " + fatal, `{"y":9}`, `{"y":6}`},
		},
		{
			"two kinds, three batches, two workers",
			PredictOptions{BatchSize: 2, Workers: 2},
			`[1] [14] [13] [2] [3] [4]`,
			[]string{`{"y":1}`, "stdin:2: " + clean, "stdin:3: " + fatal, `{"y":2}`, `{"y":3}`, `{"y":4}`},
		},
		{
			"a batch of one",
			PredictOptions{BatchSize: 1},
			`[13] [1]`,
			[]string{"stdin:1: " + fatal, `{"y":1}`},
		},
		{
			"whole tensors",
			PredictOptions{NoBatch: true},
			`[[1,2],[3,4]] [[1],[13]]`,
			[]string{`{"y":[3,7]}`, "stdin:2: " + fatal},
		},
		{
			"a fixed batch size",
			PredictOptions{Signature: "pairs"},
			`[1] [13] [5]`,
			[]string{`{"y":1}`, "stdin:2: " + fatal, `{"y":5}`},
		},
		{
			"ragged, sparse and text",
			PredictOptions{Signature: "composite"},
			`{"r":[[1],[2,3]],"s":{"indices":[[1]],"values":[7],"dense_shape":[3]},"t":"a"}
			 {"r":[[13]],"s":{"indices":[],"values":[],"dense_shape":[3]},"t":"b"}
			 {"r":[],"s":{"indices":[[0],[2]],"values":[1,2],"dense_shape":[3]},"t":"c"}`,
			[]string{`{"q":7,"u":"A","z":6}`, "stdin:2: " + fatal, `{"q":3,"u":"C","z":0}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if underRace && tt.o.Workers < 2 {
				t.Skip("one case is enough under the race detector")
			}
			s := isolatedSession(t, Options{})
			rows := tt.rows
			if !strings.Contains(rows, "\n") {
				rows = strings.ReplaceAll(rows, " ", "\n")
			}
			tt.o.SkipBadRows = true
			got, err := lines(t, s, tt.o, rows)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			if tt.o.BatchSize > 0 || tt.o.Signature != "" {
				return
			}
			tt.o.SkipBadRows = false
			_, err = lines(t, s, tt.o, rows)
			var row *RowError
			var died *ProcessError
			if !errors.As(err, &row) || !errors.As(err, &died) {
				t.Errorf("without SkipBadRows: %v, want the death at one row", err)
			}
		})
	}
}

// TestIsolateIsTheSame holds an isolated model against the same one in this process, in all dtypes.
func TestIsolateIsTheSame(t *testing.T) {
	t.Parallel()
	for _, model := range []string{"mod_dtypes", "mod_strings", "k2_multi_io"} {
		t.Run(model, func(t *testing.T) {
			dir := filepath.Join("../testdata/models", model)
			if _, err := os.Stat(filepath.Join(dir, "model")); err == nil {
				dir = filepath.Join(dir, "model")
			}
			here, err := Load(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer here.Close() //nolint:errcheck // a test's end
			there, err := Load(t.Context(), dir, Options{Isolate: true})
			if err != nil {
				t.Fatal(err)
			}
			defer there.Close() //nolint:errcheck // a test's end
			f, err := here.Function("")
			if err != nil {
				t.Fatal(err)
			}
			feeds := map[string]tensor.Tensor{}
			for _, in := range f.Inputs() {
				dims := in.Shape.Dims()
				for i := range dims {
					dims[i] = max(dims[i], 2)
				}
				v, err := tensor.New(in.DType, dims...)
				if err != nil {
					t.Fatal(err)
				}
				for i := range v.Bytes() {
					v.Bytes()[i] = 1
				}
				for i := range v.Strings() {
					v.Strings()[i] = fmt.Sprint("text \xff", i)
				}
				feeds[in.Name] = v
			}
			want, err := here.Run(t.Context(), "", feeds)
			if err != nil {
				t.Fatal(err)
			}
			got, err := there.Run(t.Context(), "", feeds)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outputs (-here +there):\n%s", diff)
			}
			devices, err := there.Devices()
			if err != nil || len(devices) == 0 {
				t.Errorf("Devices() = %v, %v", devices, err)
			}
		})
	}
}

// An error of TensorFlow's stays one, and the process lives on.
func TestIsolateErrors(t *testing.T) {
	t.Parallel()
	s, err := Load(t.Context(), "../testdata/models/mod_bad_reshape/model", Options{Isolate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test's end
	here := load(t, "mod_bad_reshape/model")
	for _, rows := range []string{"[1,2,3,4,5,6,7]", "[1]", "[]"} {
		_, want := lines(t, here, PredictOptions{}, rows)
		_, got := lines(t, s, PredictOptions{}, rows)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", rows, got, want)
		}
	}
	if n := deathsOf(s); n != 0 {
		t.Errorf("the process died %d times", n)
	}
	_, err = Load(t.Context(), "../testdata/models/k2_seed/model", Options{Isolate: true, Device: "gpu:99"})
	var gpu *GPUError
	if err != nil && !errors.As(err, &gpu) {
		t.Errorf("Load on a GPU that is not there: %T %v", err, err)
	}
	_, err = Load(t.Context(), "../testdata/models/mod_scalar/model", Options{Isolate: true, Library: "/dev/null"})
	var library *LibraryError
	if !errors.As(err, &library) {
		t.Errorf("Load with a library that is none: %T %v", err, err)
	}
}

// A process that is ended from outside is replaced, heads and all.
func TestIsolateRestarts(t *testing.T) {
	t.Parallel()
	s := isolatedSession(t, Options{Signatures: []string{"serving_default"}})
	o := PredictOptions{Heads: []Head{{Activation: "sigmoid"}}}
	if _, err := s.NewPredictor(PredictOptions{Heads: []Head{{ArgMax: true}}}); err == nil {
		// and must not confuse what the next process is told
		t.Error("argmax over a batch of scalars is no error")
	}
	want, err := lines(t, s, o, "[0]\n[1]")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := syscall.Kill(s.engine.(*isolate.Engine).PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		got, err := lines(t, s, o, "[0]\n[1]")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after death %d (-want +got):\n%s", i+1, diff)
		}
	}
}

// A process that does not answer is ended: TensorFlow's own timeout cannot end it when it is
// stopped.
func TestIsolateTimeout(t *testing.T) {
	t.Parallel()
	s := isolatedSession(t, Options{Timeout: 500 * time.Millisecond})
	warmUp(t, s)
	halt(t, s.engine.(*isolate.Engine).PID())
	start := time.Now()
	_, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"x": mustTensor(t, []float32{1}, 1, 1)})
	var died *ProcessError
	if !errors.As(err, &died) || !strings.HasPrefix(died.Cause, "no answer in ") {
		t.Errorf("Run: %v, want the death of a process that did not answer", err)
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

// halt stops a process, and waits until all of its threads have stopped: one of them takes the
// signal, and on a busy machine the others may answer before that.
func halt(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		states, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if len(states) > 0 && !slices.ContainsFunc(states, func(file string) bool {
			stat, _ := os.ReadFile(file)
			return !strings.Contains(string(stat), ") T ")
		}) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("process %d does not stop", pid)
}

// warmUp runs the signature once.
func warmUp(t *testing.T, s *Session) {
	t.Helper()
	if _, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"x": mustTensor(t, []float32{1}, 1, 1)}); err != nil {
		t.Fatal(err)
	}
}

func TestIsolateInterrupted(t *testing.T) {
	t.Parallel()
	s := isolatedSession(t, Options{})
	warmUp(t, s)
	halt(t, s.engine.(*isolate.Engine).PID())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Run(ctx, "", map[string]tensor.Tensor{"x": mustTensor(t, []float32{1}, 1, 1)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want the context's error", err)
	}
}

func TestIsolateMemory(t *testing.T) {
	t.Parallel()
	needTF(t, "2.17", "a list is not made before something is put into it")
	s := isolatedSession(t, Options{IsolateMemory: 6 << 30})
	got, err := lines(t, s, PredictOptions{Signature: "checks", SkipBadRows: true, BatchSize: 2}, "[1]\n[2]\n[15]\n[4]")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`{"y":1}`, `{"y":2}`, "stdin:3: run: the model's process died: SIGABRT: C++ exception std::bad_alloc", `{"y":4}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// A failed check of TensorFlow's own, where its convolutions are oneDNN's; an error elsewhere.
func TestIsolateFailedCheck(t *testing.T) {
	t.Parallel()
	s := isolatedSession(t, Options{})
	_, err := lines(t, s, PredictOptions{Signature: "checks"}, "[1]\n[16]")
	if err == nil || !strings.Contains(err.Error(), "would have more than 2**63 - 1 elements") && !strings.Contains(err.Error(), "overflow") {
		t.Errorf("Predict: %v, want TensorFlow's word on the shape", err)
	}
	if got, err := lines(t, s, PredictOptions{Signature: "checks"}, "[1]"); err != nil || len(got) != 1 {
		t.Errorf("afterwards: %v, %v", got, err)
	}
}

func mustTensor[T tensor.Value](t *testing.T, values []T, dims ...int64) tensor.Tensor {
	t.Helper()
	v, err := tensor.FromSlice(values, dims...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
