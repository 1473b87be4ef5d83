package runner

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpreadTakesTheIdlest(t *testing.T) {
	t.Parallel()
	e := newSpreadEngine(make([]engine, 3))
	var got []int
	// a run begins, or that of a device ends
	for _, step := range []int{'t', 't', 't', 't', 1, 't', 2, 't', 0, 0, 't', 't'} {
		if step == 't' {
			got = append(got, e.take())
		} else {
			e.put(step)
		}
	}
	// In turn; then the one that has ended; and of those that are as busy, the next in turn.
	if diff := cmp.Diff([]int{0, 1, 2, 0, 1, 2, 0, 1}, got); diff != "" {
		t.Errorf("devices: -want +got\n%s", diff)
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		engines []*fakeEngine
		o       PredictOptions
	}{
		{"two", []*fakeEngine{{}, {}}, PredictOptions{BatchSize: 2}},
		{"three, two workers each", []*fakeEngine{{}, {}, {}}, PredictOptions{BatchSize: 1, Workers: 2}},
		{"halves", []*fakeEngine{{memory: 80}, {memory: 80}}, PredictOptions{BatchSize: 4}},
		{"rows of a length", []*fakeEngine{{}, {}}, PredictOptions{BatchSize: 3, Batching: Exact}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The first run of each device waits for those of the others: none of them does the
			// work alone.
			var all sync.WaitGroup
			engines := make([]engine, len(tt.engines))
			for i, e := range tt.engines {
				all.Add(1)
				e.begin = sync.OnceFunc(func() { all.Done(); all.Wait() })
				engines[i] = e
			}
			s := fakeSession(t, newSpreadEngine(engines))
			if err := sums(t, s, tt.o, slices.Repeat([]int{10, 3, 7}, 40)...); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for i, e := range tt.engines {
				if !e.closed {
					t.Errorf("device %d is not closed", i)
				}
			}
		})
	}
}

func TestSpreadHeads(t *testing.T) {
	t.Parallel()
	o := PredictOptions{Heads: []Head{{Activation: "sigmoid"}}}
	if _, err := fakeSession(t, newSpreadEngine([]engine{&fakeEngine{}, &fakeEngine{}})).NewPredictor(o); err != nil {
		t.Error(err)
	}
	if _, err := fakeSession(t, newSpreadEngine([]engine{&fakeEngine{}, &fakeEngine{suffix: "_1"}})).NewPredictor(o); err == nil {
		t.Error("heads of other names in two graphs are no error")
	}
}

func TestParseDevice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in      string
		kind    string
		indices []string
	}{
		{"", "", nil},
		{"cpu", "cpu", nil},
		{"CPU:0", "cpu", nil},
		{"gpu", "gpu", nil},
		{"GPU:3", "gpu", []string{"3"}},
		{"gpu:2,0,11", "gpu", []string{"2", "0", "11"}},
	} {
		d, err := parseDevice(tt.in)
		if err != nil || d.kind != tt.kind || !slices.Equal(d.indices, tt.indices) {
			t.Errorf("parseDevice(%q) = %v, %v, want %s %v", tt.in, d, err, tt.kind, tt.indices)
		}
	}
	for _, bad := range []string{":0", "tpu", "cpu:1", "cpu:", "gpu:", "gpu:x", "gpu:0,", "gpu:-1", "gpu:0,0", "gpu:1,01", "gpu:0, 1", "gpu:99999"} {
		if _, err := parseDevice(bad); err == nil {
			t.Errorf("parseDevice(%q) is no error", bad)
		}
	}
}
