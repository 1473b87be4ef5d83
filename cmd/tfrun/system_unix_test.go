//go:build unix

package main

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDivert takes the standard streams away and gives them back, with the garbage collector at
// work between: they lead where they did, and what was printed meanwhile has arrived.
func TestDivert(t *testing.T) {
	stat := func() (at [2]unix.Stat_t) {
		for i := range at {
			if err := unix.Fstat(i+1, &at[i]); err != nil {
				t.Fatal(err)
			}
		}
		return at
	}
	before := stat()
	var said strings.Builder
	restore := divert(&said, false)
	if _, err := unix.Write(1, []byte("a model prints\n")); err != nil {
		t.Error(err)
	}
	for range 3 {
		runtime.GC()
	}
	restore()
	after := stat()
	for i := range after {
		if a, b := before[i], after[i]; a.Dev != b.Dev || a.Ino != b.Ino {
			t.Errorf("descriptor %d leads elsewhere than before", i+1)
		}
	}
	if got := said.String(); got != "a model prints\n" {
		t.Errorf("arrived: %q", got)
	}
}
