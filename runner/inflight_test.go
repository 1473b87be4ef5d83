package runner

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
)

// TestInFlight has a first batch that takes its time: those after it are run by the other workers,
// but only some, and fewer where rows keep much.
func TestInFlight(t *testing.T) {
	t.Parallel()
	for _, kept := range []int{0, 1000, 100_000} {
		const rows, workers, memory = 200, 3, 4 << 20
		var text strings.Builder
		for i := range rows {
			fmt.Fprintf(&text, "{\"keras_tensor\": [%d], \"k\": %q}\n", i, strings.Repeat("k", kept))
		}
		var runs atomic.Int64
		stuck := make(chan struct{})
		e := &fakeEngine{begin: func() {
			if runs.Add(1) == 1 {
				<-stuck
			}
		}}
		p := fakePredictor(t, e, PredictOptions{BatchSize: 2, Workers: workers})
		p.o.Limits.BatchBytes = memory
		seen := 0
		go func() {
			for last := int64(-1); last != runs.Load(); time.Sleep(20 * time.Millisecond) {
				last = runs.Load()
			}
			// the batch that began first may have been read after those of the other workers
			most := int64(4 * (workers + 1))
			if kept > 0 {
				most = min(most, memory/flightShare/int64(2*kept))
			}
			if n := runs.Load(); n > most+workers {
				t.Errorf("%d batches were run while the first one was, of rows that keep %d bytes", n, kept)
			}
			close(stuck)
		}()
		for r, err := range p.Predict(t.Context(), p.Complete(dataset.JSONL(strings.NewReader(text.String()), p.GivenSpec(), dataset.JSONLOptions{Keep: []string{"k"}}))) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Row != int64(seen) || len(r.Extra) != 1 {
				t.Fatalf("row %d after %d others, with %d kept columns", r.Row, seen, len(r.Extra))
			}
			seen++
		}
		if seen != rows {
			t.Errorf("%d of %d rows", seen, rows)
		}
	}
}
