package main

import (
	"runtime/debug"
	"testing"
)

// What the user has set of the garbage collector stays, however often a model is run.
func TestFewerCollections(t *testing.T) {
	defer func() {
		garbage.running, garbage.percent = false, usualPercent
	}()
	for _, set := range []int{100, 50, 800, -1} {
		garbage.running, garbage.percent = false, usualPercent
		before := debug.SetGCPercent(set)
		fewerCollections()
		fewerCollections()
		if after := debug.SetGCPercent(before); (after != set) != (set == usualPercent) {
			t.Errorf("GOGC=%d: %d where a model is run", set, after)
		}
	}
}

// Garbage takes no more than is in use, than mostGarbage, or than a quarter of what is in use, but
// leastGarbage where a model is run.
func TestGarbagePercent(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live           uint64
		usual, running int
	}{{0, 100, 1600}, {4 * mb, 100, 1600}, {10 * mb, 100, 640}, {32 * mb, 100, 200}, {64 * mb, 100, 100}, {128 * mb, 100, 100}, {256 * mb, 50, 50}, {512 * mb, 25, 25}, {4096 * mb, 25, 25}} {
		if got := garbagePercent(c.live, false); got != c.usual {
			t.Errorf("%d MB in use: %d, want %d", c.live/mb, got, c.usual)
		}
		if got := garbagePercent(c.live, true); got != c.running {
			t.Errorf("%d MB in use where a model is run: %d, want %d", c.live/mb, got, c.running)
		}
	}
}
