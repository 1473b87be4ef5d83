//go:build cgo && !notf && linux

package isolate

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/tensor"
)

// deadly loads testdata/deadly and prepares its default signature, of one input.
func deadly(t *testing.T) (*Engine, tf.Program) {
	t.Helper()
	m, err := savedmodel.Open("../../testdata/deadly")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := m.MetaGraph()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := graph.Signature("")
	if err != nil {
		t.Fatal(err)
	}
	model := wholeModel(t, graph)
	e, err := New(t.Context(), func(ctx context.Context) (*Process, error) {
		return Start(ctx, model, tf.Config{}, 0)
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	p, err := e.Prepare([]string{sig.Inputs[sig.InputNames()[0]].Tensor}, []string{sig.Outputs[sig.OutputNames()[0]].Tensor})
	if err != nil {
		t.Fatal(err)
	}
	return e, p
}

// run runs one row of one number.
func run(t *testing.T, p tf.Program) error {
	t.Helper()
	x, err := tensor.FromSlice([]float32{1}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.Load([]tf.Feed{tf.FeedTensor(x)}, nil)
	if err != nil {
		return err
	}
	_, err = l.Run(t.Context(), nil)
	return err
}

// A model whose process dies again and again is given up.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	e, p := deadly(t)
	starts := 0
	e.start = func(context.Context) (*Process, error) {
		starts++
		return nil, &ProcessError{While: "load", Cause: "SIGSEGV"}
	}
	if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-e.live.dead
	for range 2 {
		err := run(t, p)
		var died *ProcessError
		if !errors.As(err, &died) || !died.Final || starts > maxDeaths {
			t.Errorf("after %d starts: %v", starts, err)
		}
	}
}

// A process that somebody kills while the model is loaded the first time is replaced, twice; one
// that the model itself ends is not.
func TestKilledWhileLoading(t *testing.T) {
	t.Parallel()
	m, err := savedmodel.Open("../../testdata/deadly")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := m.MetaGraph()
	if err != nil {
		t.Fatal(err)
	}
	model := wholeModel(t, graph)
	for _, c := range []struct {
		signal        syscall.Signal
		kills, starts int
		loaded        bool
	}{
		{syscall.SIGKILL, 2, 3, true},
		{syscall.SIGTERM, 1, 2, true},
		{syscall.SIGKILL, 9, 3, false},
		{syscall.SIGABRT, 1, 1, false},
	} {
		starts := 0
		e, err := New(t.Context(), func(ctx context.Context) (*Process, error) {
			starts++
			p, err := Start(ctx, model, tf.Config{}, 0)
			if err != nil || starts > c.kills {
				return p, err
			}
			if err := syscall.Kill(p.cmd.Process.Pid, c.signal); err != nil {
				return nil, err
			}
			return nil, p.died("load")
		}, 0)
		var died *ProcessError
		if starts != c.starts || (err == nil) != c.loaded || err != nil && !errors.As(err, &died) {
			t.Errorf("%v, %d times: %d starts, %v, want %d", c.signal, c.kills, starts, err, c.starts)
		}
		if err != nil {
			continue
		}
		if got := e.Restarts(); got != c.kills {
			t.Errorf("%v, %d times: %d restarts", c.signal, c.kills, got)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A process that has loaded the model is replaced however many have died in runs: any row may be
// deadly.
func TestManyDeaths(t *testing.T) {
	t.Parallel()
	e, p := deadly(t)
	for range maxDeaths + 1 {
		if err := syscall.Kill(e.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-e.live.dead
		if _, err := e.process(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(t, p); err != nil {
		t.Error(err)
	}
}

// The model's process ends when the one that has started it is gone, whatever way, and another one
// takes its place.
func TestEndsWithItsParent(t *testing.T) {
	t.Parallel()
	e, p := deadly(t)
	pid := e.PID()
	// as the kernel does for a process that was killed
	if err := e.live.requests.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-e.live.dead:
	case <-time.After(10 * time.Second):
		t.Errorf("process %d is still there", pid)
	}
	if err := run(t, p); err != nil {
		t.Error(err)
	}
	if e.Restarts() != 1 {
		t.Errorf("%d processes have died, want 1", e.Restarts())
	}
}

// wholeModel is a graph as it is, with what loading it runs.
func wholeModel(t *testing.T, graph *savedmodel.MetaGraph) tf.Model {
	t.Helper()
	def, err := graph.Proto()
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(def.GetGraphDef())
	if err != nil {
		t.Fatal(err)
	}
	files, err := graph.Files(false)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := graph.Loading(files)
	if err != nil {
		t.Fatal(err)
	}
	m := tf.Model{Graph: data}
	for _, s := range steps {
		m.Steps = append(m.Steps, tf.Step(s))
	}
	return m
}
