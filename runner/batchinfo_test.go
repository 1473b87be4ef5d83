//go:build cgo && !notf

package runner

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestBatchInfo looks at what the hook is told: the rows' own lengths, what they were padded to,
// and how long TensorFlow took.
func TestBatchInfo(t *testing.T) {
	s := load(t, "k3_masked/model")
	var mu sync.Mutex
	var got []BatchInfo
	o := PredictOptions{BatchSize: 2, Workers: 1, Batch: func(b BatchInfo) {
		mu.Lock()
		defer mu.Unlock()
		// A moment with a reading of the monotonic clock is not moved by who sets the time.
		if b.Duration <= 0 || !strings.Contains(b.Ended.String(), " m=") {
			t.Errorf("batch of %d rows: duration %v, ended %v", b.Rows, b.Duration, b.Ended)
		}
		got = append(got, b)
	}}
	predict(t, s, o, "[1,2,3]\n[4]\n[5,6]\n")
	want := []BatchInfo{
		{Rows: 2, Lengths: []int64{3, 1}, PaddedTo: 3, Real: 4, Padded: 6},
		{Rows: 1, Lengths: []int64{2}, PaddedTo: 2, Real: 2, Padded: 2},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(BatchInfo{}, "Duration", "Ended")); diff != "" {
		t.Error(diff)
	}
}

// TestBatchInfoOfWholeTensors is the same for rows that are not batched.
func TestBatchInfoOfWholeTensors(t *testing.T) {
	s := load(t, "k3_masked/model")
	var got []BatchInfo
	o := PredictOptions{NoBatch: true, Workers: 1, Batch: func(b BatchInfo) { got = append(got, b) }}
	predict(t, s, o, "[[1,2,3],[4,5,6]]\n")
	want := []BatchInfo{{Rows: 1, Lengths: []int64{6}, PaddedTo: 6, Real: 6, Padded: 6}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(BatchInfo{}, "Duration", "Ended")); diff != "" {
		t.Error(diff)
	}
}
