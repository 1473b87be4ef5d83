package runner

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/tensor"
)

// fakeEngine stands in the place of TensorFlow: its only function takes rows of float32 and gives
// the sum of each. It has a memory, which a run's values have to fit.
type fakeEngine struct {
	memory int64 // bytes; 0: enough
	scalar bool  // one sum for all rows, as a model does that is not made for batches
	suffix string
	refuse func(rows [][]float32) error // says which rows, or companies of rows, are refused
	begin  func()                       // called by each run, if not nil
	closes chan bool                    // told of Close, if not nil

	mu     sync.Mutex
	rows   []int64 // of the runs, those that failed included
	closed bool
}

func (e *fakeEngine) Prepare(_, _ []string) (tf.Program, error) { return &fakeProgram{e}, nil }
func (e *fakeEngine) Devices() ([]Device, error)                { return []Device{{Name: "fake", Type: "GPU"}}, nil }

func (e *fakeEngine) Close() error {
	e.closed = true
	if e.closes != nil {
		e.closes <- true
	}
	return nil
}

func (e *fakeEngine) AddHead(name string, _ tf.Head) ([]tf.HeadTensor, error) {
	return []tf.HeadTensor{{Tensor: name + e.suffix, DType: tensor.Float32}}, nil
}

// attempts returns the rows of each run.
func (e *fakeEngine) attempts() []int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rows
}

type fakeProgram struct{ e *fakeEngine }

func (p *fakeProgram) Load(feeds []tf.Feed, _ *tf.Recycler) (tf.Loaded, error) {
	t, err := tensor.New(feeds[0].DType, feeds[0].Dims...)
	if err == nil {
		err = feeds[0].Fill(t.Bytes())
	}
	return &fakeLoaded{p: p, x: t}, err
}

type fakeLoaded struct {
	p *fakeProgram
	x tensor.Tensor
}

func (l *fakeLoaded) Refill([]tf.Feed) (bool, error) { return false, nil }

func (l *fakeLoaded) Release() {}

func (l *fakeLoaded) Values() ([]tensor.Tensor, error) { return []tensor.Tensor{l.x}, nil }

func (l *fakeLoaded) Run(_ context.Context, other tf.Program) ([]tensor.Tensor, error) {
	p := l.p
	if other != nil {
		p = other.(*fakeProgram)
	}
	e, rows := p.e, l.x.Dims()[0]
	if e.begin != nil {
		e.begin()
	}
	e.mu.Lock()
	e.rows = append(e.rows, rows)
	e.mu.Unlock()
	if e.memory > 0 && int64(len(l.x.Bytes())) > e.memory {
		return nil, &Error{Op: "run", Code: ResourceExhausted, Msg: fmt.Sprintf("OOM when allocating tensor with shape%v", l.x.Dims())}
	}
	values, _ := tensor.Values[float32](l.x)
	if e.refuse != nil && rows > 0 {
		list, n := make([][]float32, rows), len(values)/int(rows)
		for i := range list {
			list[i] = values[i*n : (i+1)*n]
		}
		if err := e.refuse(list); err != nil {
			return nil, err
		}
	}
	if e.scalar {
		return []tensor.Tensor{tensor.Scalar(values[0])}, nil
	}
	sums := make([]float32, rows)
	for i, v := range values {
		sums[i/(len(values)/len(sums))] += v
	}
	out, err := tensor.FromSlice(sums, rows, 1)
	return []tensor.Tensor{out}, err
}

// fakeSession is a model of testdata, of rows of unknown length, on another engine.
func fakeSession(t *testing.T, e tf.Engine) *Session {
	t.Helper()
	m, err := savedmodel.Open("../testdata/models/full_seed/k3/model")
	if err != nil {
		t.Fatal(err)
	}
	graph, err := m.MetaGraph()
	if err != nil {
		t.Fatal(err)
	}
	return &Session{model: m, graph: graph, found: &scan.Result{}, functions: map[string]*Function{}, knownFor: map[string]*known{}, engine: e}
}

// sums runs rows of the given lengths, row i of ones and an i at its end, and makes sure that row i
// gives its sum.
func sums(t *testing.T, s *Session, o PredictOptions, lengths ...int) error {
	t.Helper()
	p, err := s.NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]dataset.Element, len(lengths))
	for i, n := range lengths {
		x := make([]float32, n, n*2)
		for k := range x {
			x[k] = 1
		}
		x[n-1] = float32(i)
		dims := []int64{int64(n)}
		if o.NoBatch {
			dims = []int64{1, int64(n)}
		}
		v, err := tensor.FromSlice(x, dims...)
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{v}}
	}
	next := 0
	for r, err := range p.Predict(t.Context(), dataset.FromElements(p.RowSpec(), rows...)) {
		if err != nil {
			return err
		}
		got, _ := tensor.Values[float32](r.Values[0].Tensor)
		if want := float32(lengths[next] - 1 + next); r.Row != int64(next) || len(got) != 1 || got[0] != want {
			t.Fatalf("result %d is %v of row %d, want %v", next, got, r.Row, want)
		}
		next++
	}
	if next != len(lengths) {
		t.Fatalf("%d results, want %d", next, len(lengths))
	}
	return nil
}

// fakePredictor is a predictor of such a session.
func fakePredictor(t *testing.T, e tf.Engine, o PredictOptions) *Predictor {
	t.Helper()
	p, err := fakeSession(t, e).NewPredictor(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
