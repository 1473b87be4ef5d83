package runner

import (
	"slices"
	"sync"
	"testing"

	"github.com/tfrun/tfrun/runner/internal/tf"
)

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
			// work alone. Where rows are tried one by one first, there would be no other run.
			var all sync.WaitGroup
			engines := make([]tf.Engine, len(tt.engines))
			for i, e := range tt.engines {
				if tt.o.Batching != Exact {
					all.Add(1)
					e.begin = sync.OnceFunc(func() { all.Done(); all.Wait() })
				}
				engines[i] = e
			}
			s := fakeSession(t, tf.Spread(engines))
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
	if _, err := fakeSession(t, tf.Spread([]tf.Engine{&fakeEngine{}, &fakeEngine{}})).NewPredictor(o); err != nil {
		t.Error(err)
	}
	if _, err := fakeSession(t, tf.Spread([]tf.Engine{&fakeEngine{}, &fakeEngine{suffix: "_1"}})).NewPredictor(o); err == nil {
		t.Error("heads of other names in two graphs are no error")
	}
}
