//go:build cgo && !notf

package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// used is what callers share that use a session in right ways and in wrong ones.
type used struct {
	s *Session
	f *Function
	p *Predictor
	b *Batcher
}

// use is something that a caller does.
type use struct {
	name string
	do   func(ctx context.Context, u used) error
	want func(err error) bool // of an open session, with a context that is not done
}

// is reports whether errors are of a type.
func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// isCode reports whether errors are TensorFlow's, with a code.
func isCode(code Code) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*Error](err)
		return ok && e.Code == code
	}
}

func isNil(err error) bool { return err == nil }

func isAny(err error) bool { return err != nil }

// uses are ways to use the text model: those that work, and one for each fault.
func uses(t *testing.T) []use {
	t.Helper()
	ids := func(dims ...int64) tensor.Tensor {
		x, err := tensor.New(tensor.Float32, dims...)
		if err != nil {
			t.Fatal(err)
		}
		values, _ := tensor.Values[float32](x)
		for i := range values {
			values[i] = float32(i%20 + 1)
		}
		return x
	}
	beyond := tensor.Scalar[float32](1 << 30)
	beyond, err := beyond.Reshape(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	run := func(signature string, feeds map[string]tensor.Tensor) func(context.Context, used) error {
		return func(ctx context.Context, u used) error {
			out, err := u.s.Run(ctx, signature, feeds)
			if err == nil && out["output_0"].Len() == 0 {
				return errors.New("no output")
			}
			return err
		}
	}
	call := func(feeds ...Feed) func(context.Context, used) error {
		return func(ctx context.Context, u used) error {
			_, err := u.f.Call(ctx, feeds)
			return err
		}
	}
	row := func(x ...tensor.Tensor) func(context.Context, used) error {
		return func(ctx context.Context, u used) error {
			_, err := u.b.Run(ctx, dataset.Element{Row: 7, Tensors: x})
			return err
		}
	}
	fill := func([]byte) error { return nil }
	const in = "keras_tensor"
	return []use{
		{"a row", run("", map[string]tensor.Tensor{in: ids(1, 5)}), isNil},
		{"rows", run("serving_default", map[string]tensor.Tensor{in: ids(3, 7)}), isNil},
		{"no map", run("", nil), is[*NameError]},
		{"another name", run("", map[string]tensor.Tensor{in: ids(1, 5), "x": ids(1)}), is[*NameError]},
		{"another signature", run("none", map[string]tensor.Tensor{in: ids(1, 5)}), isAny},
		{"another dtype", run("", map[string]tensor.Tensor{in: tensor.Vector("text")}), is[*FeedError]},
		{"another rank", run("", map[string]tensor.Tensor{in: ids(5)}), is[*FeedError]},
		{"no tensor", run("", map[string]tensor.Tensor{in: {}}), is[*FeedError]},
		{"beyond the vocabulary", run("", map[string]tensor.Tensor{in: beyond}), isCode(InvalidArgument)},
		{"no feeds", call(), isAny},
		{"an empty feed", call(Feed{}), is[*FeedError]},
		{"no Fill", call(Feed{DType: tensor.Float32, Dims: []int64{1, 2}}), isAny},
		{"more than there is", call(Feed{DType: tensor.Float32, Dims: []int64{1 << 40, 1 << 40}, Fill: fill}), isAny},
		{"more than may be", call(Feed{DType: tensor.Float32, Dims: []int64{1 << 20, 1 << 20}, Fill: fill}), isAny},
		{"sizes below 0", call(Feed{DType: tensor.Float32, Dims: []int64{-1, math.MinInt64}, Fill: fill}), isAny},
		{"a Fill that fails", call(Feed{DType: tensor.Float32, Dims: []int64{1, 2}, Fill: func([]byte) error { return errors.ErrUnsupported }}), func(err error) bool { return errors.Is(err, errors.ErrUnsupported) }},
		{"a shared row", row(ids(4)), isNil},
		{"another shared row", row(ids(6)), isNil},
		{"a shared row of nothing", row(), isAny},
		{"a shared row of too much", row(ids(4), ids(4)), isAny},
		{"a shared row of another dtype", row(tensor.Vector[int32](1)), is[*FeedError]},
		{"a shared row of another rank", row(ids(1, 4)), is[*FeedError]},
		{"a shared row beyond the vocabulary", row(tensor.Vector[float32](3, 1<<30)), func(err error) bool { return is[*RowError](err) && isCode(InvalidArgument)(err) }},
		{"a row of no values", func(_ context.Context, u used) error { _, err := u.p.Row(nil); return err }, is[*NameError]},
		{"a row of bad JSON", func(_ context.Context, u used) error { _, err := u.p.ParseRow([]byte(`{"keras`)); return err }, is[*dataset.SyntaxError]},
		{"a row of no JSON", func(_ context.Context, u used) error { _, err := u.p.ParseRow(nil); return err }, is[*dataset.SyntaxError]},
		{"an output that is not there", func(_ context.Context, u used) error { _, err := u.s.Function("", "none"); return err }, is[*NameError]},
		{"an option that cannot be", func(_ context.Context, u used) error {
			_, err := u.s.NewPredictor(PredictOptions{BatchSize: -1})
			return err
		}, is[*OptionError]},
		{"a batcher that cannot be", func(_ context.Context, u used) error {
			_, err := u.p.NewBatcher(BatcherOptions{MaxWait: -1})
			return err
		}, is[*OptionError]},
	}
}

// newUsed loads the text model.
func newUsed(t *testing.T) used {
	t.Helper()
	u := used{s: load(t, "k3_seed/model")}
	var err error
	if u.f, err = u.s.Function(""); err == nil {
		u.p, err = u.s.NewPredictor(PredictOptions{})
	}
	if err == nil {
		u.b, err = u.p.NewBatcher(BatcherOptions{MaxBatch: 8, MaxWait: time.Millisecond})
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Whatever callers do, in any order and at the same time as others, each gets the answer or the
// error of its own use: no panic, and no fault of another's. Once the session or the batcher is
// being closed there is one more error, and a context that is done gives its own.
func TestMisuse(t *testing.T) {
	t.Parallel()
	all := uses(t)
	u := newUsed(t)
	for _, use := range all {
		if err := use.do(t.Context(), u); !use.want(err) {
			t.Errorf("%s: %v", use.name, err)
		}
	}
	u.b.Close()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			misuse(t, newUsed(t), all, seed)
		})
	}
}

// misuse lets callers do things by chance, and closes what they use meanwhile.
func misuse(t *testing.T, u used, all []use, seed uint64) {
	t.Helper()
	var wg sync.WaitGroup
	var closing atomic.Bool
	var done atomic.Int64
	const callers, each = 6, 60
	for caller := range uint64(callers) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, caller))
			for range each {
				done.Add(1)
				use := all[rnd.IntN(len(all))]
				ctx, cancel := context.WithCancel(t.Context())
				switch rnd.IntN(5) {
				case 0:
					cancel()
				case 1:
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(3000))*time.Microsecond)
				}
				err := use.do(ctx, u)
				late := ctx.Err() != nil && errors.Is(err, ctx.Err())
				if !use.want(err) && !late && (!errors.Is(err, ErrClosed) || !closing.Load()) {
					t.Errorf("%s: %v; the context: %v, closing: %v", use.name, err, ctx.Err(), closing.Load())
				}
				cancel()
			}
		})
	}
	order := []func(){u.b.Close, func() { _ = u.s.Close() }, u.b.Close, func() { _ = u.s.Close() }}
	if seed%2 == 1 {
		slices.Reverse(order)
	}
	for done.Load() < callers*each/2 {
		time.Sleep(time.Millisecond)
	}
	closing.Store(true)
	for _, f := range order {
		wg.Go(f)
	}
	wg.Wait()
	if now := u.s.Stats().Now; now != 0 {
		t.Errorf("%d runs go on after Close", now)
	}
	for _, use := range all {
		if err := use.do(t.Context(), u); err == nil || use.want(nil) && !errors.Is(err, ErrClosed) {
			t.Errorf("%s, when all is closed: %v", use.name, err)
		}
	}
}
