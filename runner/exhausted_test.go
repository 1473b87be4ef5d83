package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBatchesAreHalved(t *testing.T) {
	t.Parallel()
	ten := func(n int) []int { return slices.Repeat([]int{10}, n) }
	for _, tt := range []struct {
		name    string
		memory  int64 // a row of ten takes 40 bytes
		o       PredictOptions
		lengths []int
		want    []int64 // rows of the runs
		told    int64   // rows of the batch that was halved
	}{
		{"all fits", 640, PredictOptions{BatchSize: 16}, ten(32), []int64{16, 16}, 0},
		{"once", 320, PredictOptions{BatchSize: 16}, ten(32), []int64{16, 8, 8, 8, 8}, 16},
		{"an odd number", 200, PredictOptions{BatchSize: 9}, ten(18), []int64{9, 4, 5, 4, 5}, 9},
		{"twice", 160, PredictOptions{BatchSize: 16}, ten(16), []int64{16, 8, 4, 4, 4, 4}, 16},
		{"one by one", 40, PredictOptions{BatchSize: 4}, ten(8), []int64{4, 2, 1, 1, 1, 1, 1, 1, 1, 1}, 4},
		{"short rows still fit", 320, PredictOptions{BatchSize: 4}, append(slices.Repeat([]int{40}, 4), slices.Repeat([]int{5}, 4)...), []int64{4, 2, 2, 4}, 4},
		{"padded to the batch's longest", 80, PredictOptions{BatchSize: 2}, []int{1, 20, 1, 1}, []int64{2, 1, 1, 2}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var told []int64
			tt.o.Workers = 1 // the order of two is not promised
			tt.o.Halved = func(rows int64, err error) {
				var memory *MemoryError
				if !errors.As(err, &memory) || memory.Rows != rows {
					t.Errorf("Halved(%d, %v)", rows, err)
				}
				told = append(told, rows)
			}
			e := &fakeEngine{memory: tt.memory}
			if err := sums(t, fakeSession(t, e), tt.o, tt.lengths...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, e.attempts()); diff != "" {
				t.Errorf("rows of the runs: -want +got\n%s", diff)
			}
			if tt.told == 0 && told != nil || tt.told != 0 && !slices.Equal(told, []int64{tt.told}) {
				t.Errorf("told of %v, want %d once", told, tt.told)
			}
		})
	}
}

func TestMemoryError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		e    *fakeEngine
		o    PredictOptions
		rows int64
		want string // the error
		hint string // the first hint
	}{
		{"one row", &fakeEngine{memory: 39}, PredictOptions{BatchSize: 4}, 1, "the device's memory does not hold a run of one row: run: OOM when", "--gpu-memory grow"},
		{"whole tensors", &fakeEngine{memory: 39}, PredictOptions{NoBatch: true}, 1, "row 1: the device's memory does not hold a run of one row: run: OOM when", "--device cpu"},
		{
			"an output that cannot be put together", &fakeEngine{memory: 80, scalar: true},
			PredictOptions{BatchSize: 4},
			4,
			"the device's memory does not hold a batch of 4 rows: outputs of shapes", "--batch-size 2",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := sums(t, fakeSession(t, tt.e), tt.o, 10, 10, 10, 10)
			var memory *MemoryError
			if !errors.As(err, &memory) || memory.Rows != tt.rows {
				t.Fatalf("%v, want a *MemoryError of %d rows", err, tt.rows)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q, want %q", err, tt.want)
			}
			if hints := memory.Hints(); len(hints) > 2 || !strings.Contains(hints[0], tt.hint) {
				t.Errorf("hints %q, want %q", hints, tt.hint)
			}
		})
	}
}

// TestExhausted: only errors of TensorFlow that speak of a device's memory count.
func TestExhausted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{&Error{Op: "run", Code: 8, Msg: "OOM when allocating tensor"}, true},
		{fmt.Errorf("model: %w", &Error{Op: "load", Code: 8}), true},
		{&Error{Op: "run", Code: 13, Msg: "Dst tensor is not initialized."}, true},
		{&Error{Op: "run", Code: 13, Msg: "something else"}, false},
		{&Error{Op: "run", Code: 3, Msg: "OOM, says a string that the model was given"}, false},
		{errors.New("OOM"), false},
	} {
		if got := exhausted(tt.err); got != tt.want {
			t.Errorf("exhausted(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
	e := &MemoryError{Err: &Error{Op: "load", Code: 8, Msg: "OOM"}}
	if want := "the device's memory does not hold the model: load: OOM"; e.Error() != want || len(e.Hints()) != 1 {
		t.Errorf("%q %q, want %q and one hint", e, e.Hints(), want)
	}
	cpu := &Error{Op: "run", Code: 8, Msg: "OOM when allocating tensor with shape[2000000000] and type float on /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu"}
	for rows, want := range map[int64]int{0: 0, 1: 0, 8: 1} {
		if hints := (&MemoryError{Rows: rows, Err: cpu}).Hints(); len(hints) != want || strings.Contains(strings.Join(hints, ""), "gpu") {
			t.Errorf("%d rows on the CPU: hints %q, want %d, and none of GPUs", rows, hints, want)
		}
	}
}
