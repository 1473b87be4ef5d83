//go:build cgo && !notf

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/tensor"
)

// TestAsFastAsTheCommand runs this program and tfrun predict by turns over the same rows, from
// process start to the file of results, which must be the same. `make speed` sets TFRUN_SPEED to
// the number of rounds; then the median of the rounds' ratios must be within 5 % of 1. Without it
// there are few rows, one round and no bound.
func TestAsFastAsTheCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	rounds, _ := strconv.Atoi(os.Getenv("TFRUN_SPEED"))
	dir := t.TempDir()
	build := func(pkg string) string {
		name := filepath.Join(dir, filepath.Base(pkg))
		out, err := exec.Command("go", "build", "-ldflags", os.Getenv("TFRUN_LDFLAGS"), "-o", name, pkg).CombinedOutput() //nolint:gosec // of this module
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return name
	}
	program, command := build("github.com/tfrun/tfrun/examples/predict"), build("github.com/tfrun/tfrun/cmd/tfrun")
	models := filepath.Join("..", "..", "testdata", "models")
	for _, tt := range []struct {
		model      string
		width      int64 // of a row; -1: lengths by chance
		rows, many int
	}{
		{"k3_autoencoder", 8, 2000, 2_000_000},
		{"k3_seed", -1, 600, 6000},
	} {
		if rounds > 0 {
			tt.rows = tt.many
		}
		model, rows := filepath.Join(models, tt.model, "model"), rowsFile(t, dir, tt.width, tt.rows)
		ext := filepath.Ext(rows)
		run := func(name string, args ...string) (time.Duration, []byte) {
			out := args[len(args)-1]
			cmd := exec.Command(name, args...) //nolint:gosec // built above
			cmd.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3")
			start := time.Now()
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s %q: %v\n%s", name, args, err, said)
			}
			took := time.Since(start)
			data, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			return took, data
		}
		var ratios []float64
		for round := range max(rounds, 1) + 1 {
			mine, got := run(program, model, rows, filepath.Join(dir, "program"+ext))
			theirs, want := run(command, "predict", model, rows, "--quiet", "-o", filepath.Join(dir, "command"+ext))
			if !bytes.Equal(got, want) {
				t.Fatalf("%s: the results are not the same", tt.model)
			}
			if round > 0 { // the first reads files into the page cache
				ratios = append(ratios, mine.Seconds()/theirs.Seconds())
			}
		}
		slices.Sort(ratios)
		median := ratios[len(ratios)/2]
		t.Logf("%s, %d rows: this program takes %.3f of the command's time (%.3f–%.3f in %d rounds)", tt.model, tt.rows, median, ratios[0], ratios[len(ratios)-1], len(ratios))
		if rounds > 0 && (median < 0.95 || median > 1.05) {
			t.Errorf("%s: the median ratio is %.3f, want 0.95 to 1.05", tt.model, median)
		}
	}
}

// rowsFile writes rows by chance: an npy file of a fixed width, or JSON lines of ids.
func rowsFile(t *testing.T, dir string, width int64, rows int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same rows every time
	var b bytes.Buffer
	name := filepath.Join(dir, "rows.npy")
	if width < 0 {
		name = filepath.Join(dir, "rows.jsonl")
		for range rows {
			ids := make([]int, 10+rng.IntN(60))
			for i := range ids {
				ids[i] = 1 + rng.IntN(90)
			}
			line, err := json.Marshal(ids)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(line, '\n'))
		}
	} else {
		w, err := npy.NewWriter(&b, dataset.TensorSpec(tensor.Float32, width), npy.WriterOptions{Names: []string{"x"}})
		for i := 0; err == nil && i < rows; i++ {
			values := make([]float32, width)
			for k := range values {
				values[k] = rng.Float32()
			}
			err = w.Write(dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(values...)}})
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
