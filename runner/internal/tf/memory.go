package tf

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tfrun/tfrun/tensor"
)

// cBudget is how many bytes of C memory may be handed to tensors before a garbage collection is
// forced. The binding frees a tensor's memory in a finalizer, and the collector does not see C
// memory: 400 dropped tensors of 4 MiB kept 2 GB resident until something else caused a collection;
// with one at every 256 MiB, 0.6 GB. What is released as soon as it is of no more use
// (release_cgo.go) does not count any more; this is for the rest, such as the values of runs that
// fail.
const cBudget = 256 << 20

var (
	cAllocated atomic.Int64 // bytes handed out since the last forced collection
	cLive      atomic.Int64 // tensors alive, by the collector's knowledge
	cHeld      atomic.Int64 // bytes of them, without those that were released
)

// LiveTensors is how many tensors hold C memory, as far as the garbage collector knows.
func LiveTensors() int64 { return cLive.Load() }

// TensorBytes is how much C memory tensors hold: those that are fed, those whose memory is kept for
// the next call, and those that wait for the garbage collector. Long texts are not counted.
func TensorBytes() int64 { return cHeld.Load() }

// cBytes are the bytes of C memory that one tensor holds; 0 once they are given back.
type cBytes struct{ atomic.Int64 }

// countC records n bytes of C memory that owner keeps alive, and collects garbage when the budget
// is used up. owner must be what the caller holds on to, so that owner's death means that the
// tensor may be freed.
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

// giveBack says that the tensor's memory is free, and returns how much that is: 0 the second time.
func (c *cBytes) giveBack() int64 {
	n := c.Swap(0)
	cHeld.Add(-n)
	return n
}

// Recycler keeps the memory of batches that are over for those that come. Where all batches of a
// run are of one size, their memory is asked for, and its pages are made, a few times only: of ten
// million small rows that took a tenth of the time, most of it in garbage collections.
//
// A nil Recycler keeps nothing.
type Recycler struct {
	mu  sync.Mutex
	fed []Loaded // whose runs are over
	out [][]byte // outputs that have been written
}

// maxRecycled bounds what is kept of each kind: the batches that are read, run and written at one
// time.
const maxRecycled = 6 // two are run at a time

// Load writes the values into memory that an earlier batch has had, and else into new memory.
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

// GiveFed takes the values of a run that was no failure, and reports whether it wants them. It must
// not be one that keeps any of them: TensorFlow may hold on to those that a variable was set to.
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

// tensor returns a tensor whose values are anything.
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

// GiveOutputs takes the memory of an earlier run's outputs that nobody holds any more.
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
