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
// would go into nothing else. While a model is loaded it may be four times what is in use, up to
// loadingGarbage.
const (
	usualPercent   = 100
	leastPercent   = 25
	loadingPercent = 400
	mostGarbage    = 256 << 20
	loadingGarbage = 64 << 20
)

// garbage holds how Go's collector is set at the moment.
var garbage = struct {
	sync.Mutex
	loading bool // between fewerCollections and restore
	percent int  // set last, if the user's is Go's own
}{percent: usualPercent}

// garbagePercent is what GOGC has to be where live bytes are in use.
func garbagePercent(live uint64, loading bool) int {
	share := func(bytes uint64) int { return int(min(100*bytes/max(live, 1), math.MaxInt32)) } //nolint:gosec // bounded
	percent := max(leastPercent, min(usualPercent, share(mostGarbage)))
	if loading {
		percent = max(percent, min(loadingPercent, share(loadingGarbage)))
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
	if p := garbagePercent(live[0].Value.Uint64(), garbage.loading); p != garbage.percent {
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

// fewerCollections makes Go collect garbage at 16 MB in use instead of 4, until restore is called.
// While a model is loaded there is little garbage, and TensorFlow needs the processor. A GOGC of
// the user's is not changed.
func fewerCollections() (restore func()) {
	if !setPercent(loadingPercent) {
		return func() {}
	}
	setLoading(true)
	return sync.OnceFunc(func() {
		setLoading(false)
		setPercent(usualPercent)
	})
}

func setLoading(on bool) {
	garbage.Lock()
	defer garbage.Unlock()
	garbage.loading = on
}
