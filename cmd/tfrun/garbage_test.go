package main

import (
	"runtime/debug"
	"testing"
)

// What the user has set of the garbage collector stays, and what tfrun sets is taken back, however
// often.
func TestFewerCollections(t *testing.T) {
	for _, set := range []int{100, 50, 800, -1} {
		before := debug.SetGCPercent(set)
		restore := fewerCollections()
		during := debug.SetGCPercent(set)
		debug.SetGCPercent(during)
		if want := set == 100; want != (during != set) {
			t.Errorf("GOGC=%d: %d while a model is loaded", set, during)
		}
		restore()
		restore()
		if after := debug.SetGCPercent(before); after != set {
			t.Errorf("GOGC=%d: %d afterwards", set, after)
		}
	}
}

// Garbage takes no more than is in use, than mostGarbage, or than a quarter of what is in use.
func TestGarbagePercent(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		live          uint64
		usual, loaded int
	}{{0, 100, 400}, {10 * mb, 100, 400}, {32 * mb, 100, 200}, {64 * mb, 100, 100}, {256 * mb, 100, 100}, {512 * mb, 50, 50}, {4096 * mb, 25, 25}} {
		if got := garbagePercent(c.live, false); got != c.usual {
			t.Errorf("%d MB in use: %d, want %d", c.live/mb, got, c.usual)
		}
		if got := garbagePercent(c.live, true); got != c.loaded {
			t.Errorf("%d MB in use while loading: %d, want %d", c.live/mb, got, c.loaded)
		}
	}
}
