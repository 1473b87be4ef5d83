//go:build cgo && !notf

package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
)

// together runs each row in a goroutine of its own.
func together(t *testing.T, b *Batcher, rows []dataset.Element) ([]Result, []error) {
	t.Helper()
	results, errs := make([]Result, len(rows)), make([]error, len(rows))
	var wg sync.WaitGroup
	for i, row := range rows {
		wg.Go(func() { results[i], errs[i] = b.Run(t.Context(), row) })
	}
	wg.Wait()
	return results, errs
}

// Rows of many goroutines get the answers that they get alone, whatever a model makes of padding
// and of other rows; and where those change nothing, they share batches.
func TestBatcher(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model    string
		shares   bool
		batching Batching
	}{
		{"models/k3_masked/model", true, ""},
		{"models/k2_masked/model", true, ""},
		{"models/k3_seed/model", true, ""},    // only rows of equal length
		{"models/k3_seed/model", true, Exact}, // of like length
		{"models/k2_wide_deep/model", true, ""},
		{"models/mod_fixed_batch/model", true, ""},
		{"models/mod_strings/model", true, ""},
		{"padding/k2_batch_norm_training", false, ""},
		{"padding/k2_pool", true, ""},
		{"models/mod_scalar/model", false, ""},
	} {
		t.Run(strings.TrimSuffix(tt.model, "/model")+string(tt.batching), func(t *testing.T) {
			t.Parallel()
			s := loadDir(t, filepath.Join("../testdata", tt.model), Options{Exact: tt.batching == Exact})
			p, err := s.NewPredictor(PredictOptions{NoBatch: strings.Contains(tt.model, "scalar"), Batching: tt.batching})
			if err != nil {
				t.Fatal(err)
			}
			if tt.batching == Exact && p.twin == nil {
				t.Fatal("no twin to keep padding out")
			}
			made, err := MadeUpRows(t.Context(), p, 100, nil)
			if err != nil {
				t.Fatal(err)
			}
			rows := made
			size := 16
			if p.fixed > 0 {
				size = 0 // the signature's
			}
			b, err := p.NewBatcher(BatcherOptions{MaxBatch: size, MaxWait: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			got, errs := together(t, b, rows)
			for i, row := range rows {
				row.Row = 0
				want, err := p.collectInOrder(t.Context(), []dataset.Element{row})
				if err != nil || errs[i] != nil {
					t.Fatalf("row %d: alone %v, together %v", i, err, errs[i])
				}
				for k, v := range want[0].Values {
					if d := distance(v, got[i].Values[k]); d.depends {
						t.Errorf("row %d, output %q: %+v", i, p.OutputNames()[k], d)
					}
				}
			}
			b.Close()
			stats := b.Stats()
			if stats.Rows != 100 || stats.Bad != 0 || tt.shares != (stats.Batches < 70) || !tt.shares && stats.Batches != 100 {
				t.Errorf("%+v", stats)
			}
			t.Logf("%+v", stats)
			if _, err := b.Run(t.Context(), rows[0]); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// A row that TensorFlow refuses is its caller's affair alone.
func TestBatcherBadRow(t *testing.T) {
	t.Parallel()
	p, err := load(t, "k3_seed/model").NewPredictor(PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var rows []dataset.Element
	for i := range 40 {
		row, err := p.ParseRow(fmt.Appendf(nil, "[%d, 5, 7]", map[bool]int{true: 1 << 40, false: i + 1}[i%10 == 3]))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	b, err := p.NewBatcher(BatcherOptions{MaxWait: 50 * time.Millisecond, MaxBatch: 40})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, errs := together(t, b, rows)
	for i, err := range errs {
		var tfErr *Error
		var row *RowError
		if bad := errors.As(err, &row) && errors.As(err, &tfErr) && tfErr.Code == InvalidArgument; bad != (i%10 == 3) || bad && strings.HasPrefix(err.Error(), "row") {
			t.Errorf("row %d: %v", i, err)
		}
	}
	if stats := b.Stats(); stats.Bad != 4 || stats.Batches > 10 {
		t.Errorf("%+v", stats)
	}
	for _, text := range []string{`"text"`, `[[1]]`, `{"other": 1}`, `[1] [2]`} {
		if _, err := p.ParseRow([]byte(text)); err == nil || strings.HasPrefix(err.Error(), "row ") {
			t.Errorf("%s: %v, want an error without a row's number", text, err)
		}
	}
}

// Rows of different ranks, and one that no batch can hold, are no affair of each other's.
func TestBatcherShapes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model   string
		o       PredictOptions
		rows    []string
		refused int // the row, or -1
	}{
		{"mod_unknown_rank", PredictOptions{Batching: Arrival, Outputs: []string{"y"}}, []string{"[1,2]", "[[1,2]]", "[3]", "[[3,4],[5,6]]"}, -1},
		{"mod_unknown_rank", PredictOptions{Outputs: []string{"y"}}, []string{"[1,2]", "[[1,2]]", "[3,4]", "[[3,4],[5,6]]"}, -1},
		{"k3_seed", PredictOptions{Batching: Arrival, PaddedShapes: map[string]dataset.Dims{"keras_tensor": {4}}}, []string{"[1,2]", "[1,2,3]", "[1,2,3,4,5]", "[7]"}, 2},
	} {
		p, err := load(t, tt.model+"/model").NewPredictor(tt.o)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.NewBatcher(BatcherOptions{MaxWait: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		var rows []dataset.Element
		for _, text := range tt.rows {
			row, err := p.ParseRow([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		_, errs := together(t, b, rows)
		for i, err := range errs {
			if (err != nil) != (i == tt.refused) || err != nil && strings.HasPrefix(err.Error(), "row") {
				t.Errorf("%s: %s: %v", tt.model, tt.rows[i], err)
			}
		}
		b.Close()
	}
}

// A caller whose context is done does not wait; one whose row waits behind others' has it run.
func TestBatcherContext(t *testing.T) {
	t.Parallel()
	p, err := loadDir(t, "testdata/slow", Options{}).NewPredictor(PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.NewBatcher(BatcherOptions{Runs: 1, MaxBatch: 1})
	if err != nil {
		t.Fatal(err)
	}
	row := func(steps int) dataset.Element {
		row, err := p.ParseRow(fmt.Appendf(nil, "[%d]", steps))
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	if _, err := b.Run(t.Context(), row(1)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 { // the first runs, two wait
		wg.Go(func() {
			if _, err := b.Run(ctx, row(1<<24)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Run: %v, want the deadline's error", err)
			}
		})
	}
	wg.Wait()
	if _, err := b.Run(t.Context(), row(1)); err != nil {
		t.Error(err)
	}
	b.Close()
	if stats := b.Stats(); stats.Rows != 3 || stats.Left+stats.Bad < 1 {
		t.Errorf("%+v, want the two rows that waited not to have run", stats)
	}
}

// A service's rows have its own names for inputs and outputs, keys that come back with the answer,
// and no value for some inputs.
func TestBatcherNames(t *testing.T) {
	t.Parallel()
	s := load(t, "k3_multi_io/model")
	spec, err := s.NewPredictor(PredictOptions{})
	if err != nil {
		t.Fatal(err)
	}
	inputs := spec.RowSpec().Paths()
	keys := map[string][]string{}
	for i, name := range inputs {
		keys[name] = []string{fmt.Sprintf("field%d", i)}
	}
	o := PredictOptions{Outputs: []string{"score=" + spec.OutputNames()[0]}}
	o.JSON = dataset.JSONLOptions{Keys: keys, Keep: []string{"id"}}
	p, err := s.NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.NewBatcher(BatcherOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	own, theirs := `{"id":7`, `{"id":7`
	for i, name := range inputs {
		value := "[1,2,3,4,5]"
		own += fmt.Sprintf(",%q:%s", name, value)
		theirs += fmt.Sprintf(",\"field%d\":%s", i, value)
	}
	row, err := p.ParseRow([]byte(theirs + "}"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Run(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	line, err := AppendRow(nil, p.OutputNames(), got)
	if err != nil || !bytes.HasPrefix(line, []byte(`{"score":`)) || !bytes.HasSuffix(line, []byte(`,"id":7}`)) {
		t.Errorf("the answer is %s, %v; want a score and the id", line, err)
	}
	if _, err := p.ParseRow([]byte(own + "}")); err == nil {
		t.Errorf("a row of the model's own names is read: %s", own)
	}
	o.JSON.Keys = map[string][]string{"nothing": {"x"}}
	if _, err := s.NewPredictor(o); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a key for an input that is not there: %v", err)
	}
}
