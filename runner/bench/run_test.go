//go:build cgo && !notf

package bench

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job"
	"github.com/tfrun/tfrun/savedmodel"
)

// measure runs a short measurement of a model of testdata.
func measure(t *testing.T, model string, o Options) *Report {
	t.Helper()
	m, err := savedmodel.Open("../../testdata/models/" + model)
	if err != nil {
		t.Fatal(err)
	}
	o.Quick = true
	if o.Duration == 0 {
		o.Duration = time.Second
	}
	r, err := Run(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRun measures a masked model over rows of two lengths: the batches' lengths, the padding and
// the choices are what the rows ask for.
func TestRun(t *testing.T) {
	rows := strings.Repeat("[1,2,3,4]\n[5]\n", 20)
	r := measure(t, "k3_masked/model", Options{
		Source:     job.Source{Files: []string{"-"}, Stdin: strings.NewReader(rows)},
		BatchSizes: []int{4}, Workers: []int{1, 2}, Batchings: []runner.Batching{runner.Arrival, runner.Bucket}, Duration: 3 * time.Second,
	})
	if r.Rows.Count != 40 || r.Rows.Lengths != (Lengths{Least: 1, Median: 1, P95: 4, Most: 4}) {
		t.Errorf("rows %+v", r.Rows)
	}
	if !r.Padding.Possible || r.Padding.Depends || r.Reading <= 0 || r.LoadMS <= 0 || r.FirstMS <= 0 {
		t.Errorf("padding %+v, reading %v, load %v, first %v", r.Padding, r.Reading, r.LoadMS, r.FirstMS)
	}
	for _, l := range r.Latency {
		if l.BatchSize != 4 || l.Length != 1 && l.Length != 4 || l.Calls == 0 || l.P50 <= 0 || l.Max < l.P50 {
			t.Errorf("latency %+v", l)
		}
	}
	for _, m := range r.Throughput {
		if m.Problem != "" || m.Rate <= 0 || m.Windows == 0 {
			t.Errorf("throughput %+v", m)
		}
		// Arrival mixes both lengths in each batch: 6 of 16 values are padding. Buckets pad
		// nothing, but where a window of held-back rows ends.
		if m.Batching == runner.Arrival && m.BatchSize == 4 && (m.Waste < 0.37 || m.Waste > 0.38) || m.Batching == runner.Bucket && m.Waste > 0.1 {
			t.Errorf("%s: padding %.3f", m.Batching, m.Waste)
		}
	}
	if len(r.Choices) != 1 || r.Choices[0].Rate <= 0 || r.Choices[0].BatchSize != 4 {
		t.Errorf("choices %+v", r.Choices)
	}
}

// TestColdStarts holds that processes are started as long as there is time: none where the model
// itself took longer to load, and one at least otherwise, be it slow.
func TestColdStarts(t *testing.T) {
	for _, test := range []struct {
		duration time.Duration
		sleep    string
		runs     int
	}{
		{time.Millisecond, "0", 0},
		{time.Minute, "0", 5},
		{2 * time.Second, "1.2", 1},
		{time.Second, "0.6", 1},
	} {
		b := &bench{o: Options{Duration: test.duration, ColdStart: func(ctx context.Context, _ bool) *exec.Cmd {
			return exec.CommandContext(ctx, "sh", "-c", "sleep "+test.sleep+"; echo 1")
		}}, report: &Report{LoadMS: 2}}
		if err := b.coldStarts(t.Context(), []byte("[1]")); err != nil {
			t.Fatal(err)
		}
		runs := 0
		if c := b.report.ColdStart; c != nil {
			runs = c.Runs
		}
		if runs != test.runs || (runs == 0) != (b.report.LeftOut == 1) {
			t.Errorf("%v, sleep %s: %d processes, %d left out", test.duration, test.sleep, runs, b.report.LeftOut)
		}
	}
}

// TestRunState: a model that keeps state is measured with one worker, in order.
func TestRunState(t *testing.T) {
	r := measure(t, "k3_stateful_rnn/model", Options{})
	for _, m := range r.Throughput {
		if m.Workers != 1 || m.Batching != runner.Arrival || m.Problem != "" {
			t.Errorf("%+v", m)
		}
	}
	if len(r.Throughput) == 0 {
		t.Error("nothing was measured")
	}
}

// TestRunDepends: of a model without a mask there are two kinds of answers to choose from.
func TestRunDepends(t *testing.T) {
	r := measure(t, "full_seed/k3/model", Options{Lengths: []int64{3, 9}, BatchSizes: []int{8}, Workers: []int{1}, Duration: 3 * time.Second})
	var got []runner.Batching
	for _, c := range r.Choices {
		got = append(got, c.Batching)
	}
	if !slices.Equal(got, []runner.Batching{runner.Arrival, runner.Exact}) {
		t.Errorf("choices %v", got)
	}
}
