//go:build cgo && !notf

package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel/scan"
	"github.com/tfrun/tfrun/tensor"
)

// A model with a custom operation is refused by the operation's name, runs with the library that
// has it, in this process or isolated, and is planned without loading the library.
func TestOpLibrary(t *testing.T) {
	m, file := modeltest.OpenBytes(t, modeltest.Twice(t)), modeltest.TwiceLibrary(t, "")
	var unsafe *UnsafeError
	if _, err := LoadModel(t.Context(), m, Options{}); !errors.As(err, &unsafe) || unsafe.Findings[0].Kind != scan.UnknownOp ||
		!strings.Contains(err.Error(), "runs TfrunTest>Twice") || !strings.Contains(strings.Join(unsafe.Hints(), " "), "--op-library") {
		t.Errorf("without the library: %v, want an *UnsafeError that names the operation and the flag", err)
	}
	o := Options{OpLibraries: []string{file}}
	if _, err := DryPredictor(m, o, PredictOptions{}); err != nil {
		t.Errorf("a plan: %v", err)
	}
	for _, isolate := range []bool{false, true, false} {
		o.Isolate = isolate
		s, err := LoadModel(t.Context(), m, o)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Run(t.Context(), "", map[string]tensor.Tensor{"x": tensor.Vector[float32](1, 2.5)})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if got, _ := tensor.Values[float32](out["y"]); !slices.Equal(got, []float32{2, 5}) {
			t.Errorf("isolate %v: y = %v, want 2 and 5", isolate, got)
		}
	}
}

// What cannot be loaded is an error that names the file and the reason, in one line.
func TestOpLibraryRefused(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	lib, err := OpenLibrary("")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{filepath.Join(dir, "none.so"): "no such file", text: "file too short", lib.Path: "registers no operation"} {
		var refused *OpLibraryError
		_, err := LoadModel(context.Background(), modeltest.OpenBytes(t, modeltest.Twice(t)), Options{OpLibraries: []string{file}})
		if !errors.As(err, &refused) || !strings.Contains(refused.Reason, want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want an *OpLibraryError: %s", file, err, want)
		}
	}
}

// The table of operations knows all that the library has: one that it does not know would be
// refused, whatever it does. `make ops` brings the table up to date.
func TestOperationsKnown(t *testing.T) {
	if _, err := OpenLibrary(""); err != nil {
		t.Fatal(err)
	}
	all, err := tf.Operations()
	if err != nil || len(all) < 1500 {
		t.Fatalf("the library has %d operations: %v", len(all), err)
	}
	unknown, err := UnknownOperations()
	if err != nil {
		t.Fatal(err)
	}
	unknown = slices.DeleteFunc(unknown, func(op string) bool { return op == "TfrunTest>Twice" })
	if len(unknown) > 0 {
		t.Errorf("internal/ops does not know %d operations of this libtensorflow: %v", len(unknown), unknown)
	}
}
