package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/tensor"
)

// MemoryError says that the memory of a device does not hold what a run, or the model itself,
// needs.
type MemoryError struct {
	Rows int64 // of the batch; 0 when the model could not be loaded
	Err  error // what TensorFlow says, an *[Error]
}

// Error says how many rows do not fit.
func (e *MemoryError) Error() string {
	switch e.Rows {
	case 0:
		return fmt.Sprintf("the device's memory does not hold the model: %v", e.Err)
	case 1:
		return fmt.Sprintf("the device's memory does not hold a run of one row: %v", e.Err)
	}
	return fmt.Sprintf("the device's memory does not hold a batch of %d rows: %v", e.Rows, e.Err)
}

// Unwrap returns TensorFlow's error.
func (e *MemoryError) Unwrap() error { return e.Err }

// Hints says what to change; nothing where a run of one row is too large for the CPU.
func (e *MemoryError) Hints() (hints []string) {
	if e.Rows > 1 {
		hints = append(hints, fmt.Sprintf("take smaller batches: --batch-size %d", e.Rows/2))
	}
	if !strings.Contains(e.Err.Error(), "/device:CPU:") {
		hints = append(hints, "let the program take what it needs of the GPU: --gpu-memory grow; or run on the CPU: --device cpu")
	}
	return hints
}

// exhausted reports whether an error means that a device has no memory left. TensorFlow gives these
// errors a code, which too many open files have too, but for values that cannot be copied to a GPU:
// that is an internal error, known by its text (gpu_util.cc).
func exhausted(err error) bool {
	var e *Error
	return errors.As(err, &e) &&
		(e.Code == ResourceExhausted && !strings.Contains(e.Msg, "oo many open files") ||
			e.Code == Internal && strings.Contains(e.Msg, "Dst tensor is not initialized"))
}

// fitter runs the batches of a predictor, in halves where a whole batch does not fit the device's
// memory. A size that did not fit is not tried again, since a failure takes ten seconds: so long
// does TensorFlow wait for memory.
type fitter struct {
	whole  bool // batches cannot be taken apart
	halved func(rows int64, err error)

	once  sync.Once
	limit atomic.Int64 // bytes of fed values that are tried at once; 0: any
}

// newFitter makes the fitter of a predictor. Batches can be halved where every input and output is
// dense and has the rows along its first axis.
func newFitter(p *Predictor) *fitter {
	f := &fitter{whole: p.o.NoBatch || p.fixed > 0 || p.f.state.Stateful(), halved: p.o.Halved}
	for _, list := range [][]Endpoint{p.f.inputs, p.f.outputs} {
		for _, e := range list {
			f.whole = f.whole || e.Role != ""
		}
	}
	return f
}

// feedSize is how much is fed to a run.
type feedSize struct {
	rows  int64 // 1 where the feeds have no first axis in common
	bytes int64
}

func sizeOf(feeds []tf.Feed) feedSize {
	s := feedSize{rows: 1}
	for i, f := range feeds {
		switch {
		case len(f.Dims) == 0 || i > 0 && f.Dims[0] != s.rows:
			s.rows = 1
		case i == 0:
			s.rows = f.Dims[0]
		}
		n, _ := tensor.NumElements(f.Dims)
		s.bytes += n * int64(f.DType.Size())
		for _, text := range f.Strings {
			s.bytes += int64(len(text))
		}
	}
	return s
}

// run runs a batch, and returns the outputs of all its rows. The session is entered already.
func (f *fitter) run(ctx context.Context, c *call) ([]tensor.Tensor, error) {
	size := c.size
	single := f.whole || size.rows < 2
	if limit := f.limit.Load(); single || limit == 0 || size.bytes <= limit {
		out, err := c.attempt(ctx)
		if !exhausted(err) {
			return out, err
		}
		err = &MemoryError{Rows: max(size.rows, 1), Err: err}
		if single {
			return nil, err
		}
		f.lower(size.bytes * ((size.rows + 1) / 2) / size.rows)
		f.once.Do(func() {
			if f.halved != nil {
				f.halved(size.rows, err)
			}
		})
	}
	c.taken = true
	values, err := c.loaded.Values()
	if err != nil {
		return nil, err
	}
	return f.halves(ctx, c.function, values, size.rows)
}

// lower sets the size that is tried at most from now on.
func (f *fitter) lower(bytes int64) {
	for {
		limit := f.limit.Load()
		if limit != 0 && limit <= bytes || f.limit.CompareAndSwap(limit, max(bytes, 1)) {
			return
		}
	}
}

// halves runs the first and the second half of the rows, and puts the outputs together.
func (f *fitter) halves(ctx context.Context, fn *Function, values []tensor.Tensor, rows int64) ([]tensor.Tensor, error) {
	var parts [2][]tensor.Tensor
	bounds := []int64{0, rows / 2, rows}
	for k := range parts {
		feeds := make([]tf.Feed, len(values))
		for i, v := range values {
			feeds[i] = tf.FeedTensor(v.Slice(int(bounds[k]), int(bounds[k+1])))
		}
		c, err := fn.feed(feeds, nil)
		if err != nil {
			return nil, err
		}
		if parts[k], err = f.run(ctx, c); err != nil {
			return nil, err
		}
	}
	out := make([]tensor.Tensor, len(parts[0]))
	for i := range out {
		var err error
		if out[i], err = joined(parts[0][i], parts[1][i], bounds[1], rows-bounds[1]); err != nil {
			return nil, &MemoryError{Rows: rows, Err: err}
		}
	}
	return out, nil
}

// joined puts outputs of n and m rows together.
func joined(a, b tensor.Tensor, n, m int64) (tensor.Tensor, error) {
	if a.Rank() == 0 || b.Rank() != a.Rank() || a.Dims()[0] != n || b.Dims()[0] != m {
		return tensor.Tensor{}, fmt.Errorf("outputs of shapes %v and %v are not those of %d and %d rows", a.Shape(), b.Shape(), n, m)
	}
	return concat([]tensor.Tensor{a, b})
}
