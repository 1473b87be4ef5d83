package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// How much memory garbage may take, beside what is in use, before Go collects it: as much again, as
// Go has it, but no more than mostGarbage, and never less than a quarter of what is in use, as time
// would go into nothing else. Where a model is run it may always be leastGarbage: what little is in
// use then is looked through again and again, for a third of all processor time where the rows are
// many and small.
const (
	usualPercent = 100
	leastPercent = 25
	leastGarbage = 64 << 20
	mostGarbage  = 128 << 20

	// leastHeap is what Go counts as in use where it is less.
	leastHeap = 4 << 20
)

// garbage holds how Go's collector is set at the moment.
var garbage = struct {
	sync.Mutex
	running bool // a model is run, or will be
	percent int  // set last, if the user's is Go's own
}{percent: usualPercent}

// garbagePercent is what GOGC has to be where live bytes are in use.
func garbagePercent(live uint64, running bool) int {
	live = max(live, leastHeap)
	share := func(bytes uint64) int { return int(min(100*bytes/live, math.MaxInt32)) } //nolint:gosec // bounded
	percent := max(leastPercent, min(usualPercent, share(mostGarbage)))
	if running {
		percent = max(percent, share(leastGarbage))
	}
	return percent
}

// boundGarbage makes Go collect sooner where much memory is in use, for as long as the process
// lives: a row of 100 MB is there several times while it is read, run and written, and all of that
// twice if the collector waits until memory has doubled. A GOGC of the user's stays.
func boundGarbage() {
	if !setPercent(usualPercent) {
		return
	}
	s := &afterCollection{}
	runtime.SetFinalizer(s, (*afterCollection).collected)
}

// afterCollection is an object that nothing refers to, so that each collection calls collected. It
// holds a pointer, as Go puts small objects without one together, and then may never finalize them.
type afterCollection struct{ _ *byte }

func (s *afterCollection) collected() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	garbage.Lock()
	if p := garbagePercent(live[0].Value.Uint64(), garbage.running); p != garbage.percent {
		debug.SetGCPercent(p)
		garbage.percent = p
	}
	garbage.Unlock()
	runtime.SetFinalizer(s, (*afterCollection).collected)
}

// setPercent changes GOGC, unless the user has set it, and reports whether it did.
func setPercent(percent int) bool {
	garbage.Lock()
	defer garbage.Unlock()
	if before := debug.SetGCPercent(percent); before != garbage.percent {
		debug.SetGCPercent(before)
		return false
	}
	garbage.percent = percent
	return true
}

// fewerCollections makes Go collect garbage at some 64 MB of it, and not at 4, from now on: this
// process runs a model. A GOGC of the user's is not changed.
func fewerCollections() {
	if setPercent(garbagePercent(0, true)) {
		garbage.Lock()
		garbage.running = true
		garbage.Unlock()
	}
}
