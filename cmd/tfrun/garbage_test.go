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
