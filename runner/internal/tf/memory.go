package tf

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tfrun/tfrun/tensor"
)

// cBudget is how many bytes of C memory tensors may get before a garbage collection is forced. The
// binding frees a tensor's memory in a finalizer, and the collector does not see C memory: 400
// dropped tensors of 4 MiB kept 2 GB resident until something else caused a collection; with a
// collection at every 256 MiB it was 0.6 GB. Tensors that are released when they are not needed any
// more (release_cgo.go) do not count. The budget is for others, such as the values of runs that
// fail.
const cBudget = 256 << 20

var (
	cAllocated atomic.Int64 // bytes given out since the last forced collection
	cLive      atomic.Int64 // tensors that were not collected yet
	cHeld      atomic.Int64 // their bytes, without tensors that were released
)

// LiveTensors returns how many tensors hold C memory, as far as the garbage collector knows.
func LiveTensors() int64 { return cLive.Load() }

// TensorBytes returns how many bytes of C memory tensors hold: fed tensors, tensors kept for the
// next call, and tensors that wait for the garbage collector. Long texts are not counted.
func TensorBytes() int64 { return cHeld.Load() }

// cBytes is the number of bytes of C memory that a tensor holds; 0 once they are given back.
type cBytes struct{ atomic.Int64 }

// countC counts n bytes of C memory that owner keeps alive, and collects garbage when the budget is
// used up. owner must be the object that the caller keeps, so that the tensor may be freed once
// owner is collected.
func countC[T any](owner *T, n int64) *cBytes {
	held := &cBytes{}
	held.Store(n)
	cLive.Add(1)
	cHeld.Add(n)
	runtime.AddCleanup(owner, func(held *cBytes) {
		cLive.Add(-1)
		held.giveBack()
	}, held)
	if total := cAllocated.Add(n); total >= cBudget && cAllocated.CompareAndSwap(total, 0) {
		runtime.GC()
	}
	return held
}

// giveBack notes that the tensor's memory is free, and returns its size; 0 the second time.
func (c *cBytes) giveBack() int64 {
	n := c.Swap(0)
	cHeld.Add(-n)
	return n
}

// Recycler keeps the memory of finished batches for later ones. If all batches of a run have one
// size, their memory is allocated, and its pages are made, only a few times: for ten million small
// rows that would take a tenth of the time, mostly in garbage collections.
//
// A nil Recycler keeps nothing.
type Recycler struct {
	mu  sync.Mutex
	fed []Loaded // values of finished runs
	out [][]byte // outputs that have been written
}

// maxRecycled bounds what is kept of each kind: as much as the batches that are read, run and
// written at one time need.
const maxRecycled = 6 // two batches are run at a time

// Load writes the values into the memory of an earlier batch, if they fit, otherwise into new
// memory.
func (r *Recycler) Load(p Program, feeds []Feed) (Loaded, error) {
	if r == nil {
		return p.Load(feeds, nil)
	}
	r.mu.Lock()
	var l Loaded
	if n := len(r.fed); n > 0 {
		l, r.fed = r.fed[n-1], r.fed[:n-1]
	}
	r.mu.Unlock()
	if l != nil {
		if again, err := l.Refill(feeds); again || err != nil {
			return l, err
		}
		l.Release()
	}
	return p.Load(feeds, r)
}

// GiveFed takes the values of a run that did not fail, and reports whether it keeps them. The run
// must not have stored any of them: TensorFlow may go on using a tensor that a variable was set to.
func (r *Recycler) GiveFed(l Loaded) bool {
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

// tensor returns a tensor whose values are not set.
func (r *Recycler) tensor(dtype tensor.DType, dims []int64) (tensor.Tensor, error) {
	if n, ok := tensor.NumElements(dims); ok && r != nil {
		if room := r.room(n * int64(dtype.Size())); room != nil {
			return tensor.Share(dtype, room, dims)
		}
	}
	return tensor.New(dtype, dims...)
}

func (r *Recycler) room(size int64) []byte {
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

// GiveOutputs takes the memory of an earlier run's outputs that nothing uses any more.
func (r *Recycler) GiveOutputs(outputs []tensor.Tensor) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range outputs {
		if b := t.Bytes(); len(b) > 0 {
			if len(r.out) == maxRecycled*len(outputs) {
				r.out = slices.Delete(r.out, 0, 1)
			}
			r.out = append(r.out, b)
		}
	}
}
