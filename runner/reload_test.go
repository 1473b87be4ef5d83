//go:build cgo && !notf && linux

package runner

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// resident returns how much memory this process has in use, in MiB.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// A service loads models anew for as long as it lives: loading, running and closing one takes
// memory that stays the first times, and none later.
func TestReloads(t *testing.T) {
	reload := func() {
		s, err := Load(t.Context(), "../testdata/models/k3_autoencoder/model", Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := mustTensor(t, make([]float32, 8), 1, 8)
		if _, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"sample": x}); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	times := func(n int) int {
		for range n {
			reload()
		}
		return resident(t)
	}
	early := times(8)
	late := times(16)
	t.Logf("%d MiB after 8 loads, %d after 24", early, late)
	if late > early+64 {
		t.Errorf("%d MiB after 8 loads, %d after 24", early, late)
	}
}
