package runner

import (
	"slices"
	"sync"

	"github.com/tfrun/tfrun/tensor"
)

// recycler keeps the memory of batches that are over for those that come. Where all batches of a
// run are of one size, their memory is asked for, and its pages are made, a few times only: of ten
// million small rows that took a tenth of the time, most of it in garbage collections.
//
// A nil recycler keeps nothing.
type recycler struct {
	mu  sync.Mutex
	fed []loaded // whose runs are over
	out [][]byte // outputs that have been written
}

// maxRecycled bounds what is kept of each kind: the batches that are read, run and written at one
// time.
const maxRecycled = 2*DefaultWorkers + 2

// load writes the values into memory that an earlier batch has had, and else into new memory.
func (r *recycler) load(p program, feeds []Feed) (loaded, error) {
	if r == nil {
		return p.load(feeds, nil)
	}
	r.mu.Lock()
	var l loaded
	if n := len(r.fed); n > 0 {
		l, r.fed = r.fed[n-1], r.fed[:n-1]
	}
	r.mu.Unlock()
	if l != nil {
		if again, err := l.refill(feeds); again || err != nil {
			return l, err
		}
		l.release()
	}
	return p.load(feeds, r)
}

// fedOver takes the values of a run that was no failure, and reports whether it wants them. It must
// not be one that keeps any of them: TensorFlow may hold on to those that a variable was set to.
func (r *recycler) fedOver(l loaded) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.fed) == maxRecycled {
		return false
	}
	r.fed = append(r.fed, l)
	return true
}

// tensor returns a tensor whose values are anything.
func (r *recycler) tensor(dtype tensor.DType, dims []int64) (tensor.Tensor, error) {
	if n, ok := tensor.NumElements(dims); ok && r != nil {
		if room := r.room(n * int64(dtype.Size())); room != nil {
			return tensor.Share(dtype, room, dims)
		}
	}
	return tensor.New(dtype, dims...)
}

func (r *recycler) room(size int64) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, b := range r.out {
		if int64(cap(b)) >= size && int64(cap(b)) <= 2*size {
			r.out = slices.Delete(r.out, i, i+1)
			return b[:size]
		}
	}
	return nil
}

// outOver takes the memory of outputs that nobody holds any more.
func (r *recycler) outOver(values []Value) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		if b := v.Tensor.Bytes(); v.Splits == nil && v.Sparse == nil && len(b) > 0 {
			if len(r.out) == maxRecycled*len(values) {
				r.out = slices.Delete(r.out, 0, 1)
			}
			r.out = append(r.out, b)
		}
	}
}
