package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	graphpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/graph_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// One run at a time is under way, whoever asks, and one that waits may be given up.
func TestInTurn(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	e := &fakeEngine{begin: func() {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Millisecond)
		now.Add(-1)
	}}
	s := fakeSession(t, tf.InTurn(e))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := sums(t, s, PredictOptions{BatchSize: 1, Workers: 4}, 3, 1, 2, 5, 4, 2); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n != 1 || len(e.attempts()) != 18 {
		t.Errorf("%d runs, up to %d at a time, want 18 and 1", len(e.attempts()), n)
	}

	// A run that does not end keeps the others waiting, until they are given up.
	release := make(chan struct{})
	var hang atomic.Bool
	stuck := fakeSession(t, tf.InTurn(&fakeEngine{begin: func() {
		if hang.Swap(false) {
			<-release
		}
	}}))
	hang.Store(true)
	wg.Go(func() {
		if err := sums(t, stuck, PredictOptions{}, 1); err != nil {
			t.Error(err)
		}
	})
	for hang.Load() {
		time.Sleep(time.Millisecond)
	}
	p, err := stuck.engine.Prepare(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.Load([]Feed{FeedTensor(tensor.Vector(float32(1)))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Run(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v, want the context's error", err)
	}
	close(release)
	wg.Wait()
}

// What TensorFlow is handed has no sum that it would fuse with a convolution, or is used by one run
// at a time.
func TestLoadKeepsRunsApart(t *testing.T) {
	const model = "../testdata/models/k3_resnet/model" // residual, with biases
	for _, tt := range []struct {
		name   string
		o      Options
		place  string
		inTurn bool
	}{
		{"default", Options{}, "", false},
		{"all", Options{Optimizer: OptimizerAll}, "", false},
		{"none", Options{Optimizer: OptimizerNone}, "", false},
		{"xla", Options{XLA: XLAOn}, "", false},
		{"a device", Options{}, "/device:CPU:0", false},
		{"whole", Options{NoPrune: true}, "", false},
		{"asked for", Options{InTurn: true}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := savedmodel.Open(model)
			if err != nil {
				t.Fatal(err)
			}
			s, err := newSession(m, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			err = s.withModel(tt.o, tt.place, func(m tf.Model, c tf.Config) error {
				if c.InTurn != tt.inTurn {
					t.Errorf("in turn: %v, want %v", c.InTurn, tt.inTurn)
				}
				_, sharing, err := rewrite.ReducedApart(reopen(t, m), rewrite.Reduction{Whole: true})
				if err == nil && sharing.Sums > 0 {
					t.Errorf("%d sums may be fused", sharing.Sums)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// reopen makes a SavedModel of the graph that TensorFlow is given, without signatures.
func reopen(t *testing.T, m tf.Model) *savedmodel.MetaGraph {
	t.Helper()
	g := &graphpb.GraphDef{}
	if err := proto.Unmarshal(m.Graph, g); err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(&pb.SavedModel{MetaGraphs: []*pb.MetaGraphDef{{GraphDef: g}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pb"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	model, err := savedmodel.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return model.MetaGraphs[0]
}
