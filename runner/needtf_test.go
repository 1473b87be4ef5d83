//go:build cgo && !notf

package runner

import (
	"fmt"
	"testing"

	"github.com/tfrun/tfrun/runner/internal/tf"
)

// newestTried is the TensorFlow that all tests must hold on.
const newestTried = "2.21"

// needTF skips a test that cannot hold on a TensorFlow before version ("2.17"), and says why. It
// skips nothing on the newest that was tried.
func needTF(t *testing.T, version, why string) {
	t.Helper()
	lib, err := OpenLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	if needs(t, newestTried, version) {
		t.Fatalf("no test may need TensorFlow %s: %s is the newest that was tried", version, newestTried)
	}
	if needs(t, lib.Version, version) {
		t.Skipf("NOT TRIED on TensorFlow %s, needs %s: %s", lib.Version, version, why)
	}
}

// needs reports whether a TensorFlow is older than a test needs.
func needs(t *testing.T, have, version string) bool {
	t.Helper()
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("needTF(%q): %v", version, err)
	}
	return tf.OlderThan(have, major, minor)
}

func TestNeeds(t *testing.T) {
	for _, tt := range []struct {
		have, version string
		want          bool
	}{{"2.15.1", "2.16", true}, {"2.16.0", "2.16", false}, {"2.9.1", "2.16", true}, {"2.21.0", "2.21", false}, {"dev", "2.21", false}} {
		if got := needs(t, tt.have, tt.version); got != tt.want {
			t.Errorf("needs(%q, %q) = %v", tt.have, tt.version, got)
		}
	}
}
