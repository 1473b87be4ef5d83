package tf

import (
	"runtime"
	"sync/atomic"
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
)

// LiveTensors is how many tensors hold C memory, as far as the garbage collector knows.
func LiveTensors() int64 { return cLive.Load() }

// countC records n bytes of C memory that owner keeps alive, and collects garbage when the budget
// is used up. owner must be what the caller holds on to, so that owner's death means that the
// tensor may be freed.
func countC[T any](owner *T, n int64) {
	cLive.Add(1)
	runtime.AddCleanup(owner, func(d int64) { cLive.Add(-d) }, 1)
	if total := cAllocated.Add(n); total >= cBudget && cAllocated.CompareAndSwap(total, 0) {
		runtime.GC()
	}
}
