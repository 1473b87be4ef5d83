//go:build cgo && !notf && linux

package job

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"

	"github.com/tfrun/tfrun/runner/internal/tf"
)

// TestSoak runs rows through a small model, from JSON to JSON and from npy to npy, and looks at
// what is left over: tensors in C memory, goroutines and open files. `make soak` sets TFRUN_SOAK to
// millions of rows; then the resident memory must be flat as well, once the first tenth has gone
// through.
func TestSoak(t *testing.T) {
	rows, long := int64(50_000), false
	if v := os.Getenv("TFRUN_SOAK"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatalf("TFRUN_SOAK=%s: %v", v, err)
		}
		rows, long = n, true
	}
	if underRace {
		rows = 2_000
	}
	s := load(t, "k3_autoencoder/model")
	p, err := s.NewPredictor(runner.PredictOptions{BatchSize: 256})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "in.npy")
	writeSoakRows(t, in, rows)
	for _, tt := range []struct {
		name string
		job  func() Job
	}{
		{"jsonl", func() Job {
			return Job{Source: Source{Files: []string{"-"}, Stdin: &soakRows{left: rows}, Format: "jsonl"}, Stdout: io.Discard}
		}},
		{"npy", func() Job { return Job{Source: Source{Files: []string{in}}, Output: filepath.Join(dir, "out.npy")} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, goroutines := openFiles(t), runtime.NumGoroutine()
			job := tt.job()
			warm, most := int64(0), int64(0)
			job.Progress = func(now Progress) {
				rss := residentNow(t)
				switch {
				case now.Rows < rows/10:
					warm = max(warm, rss)
				default:
					most = max(most, rss)
				}
			}
			sum, err := job.Run(t.Context(), p)
			if err != nil || sum.Rows != rows {
				t.Fatalf("%d rows of %d, %v", sum.Rows, rows, err)
			}
			t.Logf("%d rows in %v, %.0f rows/s; resident at most %d MiB in the first tenth, %d MiB after it",
				sum.Rows, sum.Duration.Round(time.Millisecond), float64(sum.Rows)/sum.Duration.Seconds(), warm>>20, most>>20)
			if long && float64(most) > 1.1*float64(warm) {
				t.Errorf("resident memory grew from %d to %d MiB", warm>>20, most>>20)
			}
			for range 200 { // finalizers and cleanups run in goroutines of their own
				if runtime.GC(); tf.LiveTensors() == 0 && runtime.NumGoroutine() <= goroutines {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n := tf.LiveTensors(); n != 0 {
				t.Errorf("%d tensors are left in C memory", n)
			}
			if n := runtime.NumGoroutine(); n > goroutines {
				t.Errorf("%d goroutines, %d before", n, goroutines)
			}
			if n := openFiles(t); n > files {
				t.Errorf("%d open files, %d before", n, files)
			}
		})
	}
}

// soakRows reads as lines of 8 numbers.
type soakRows struct {
	left, row int64
	buf       bytes.Buffer
}

func (r *soakRows) Read(p []byte) (int, error) {
	for r.buf.Len() < len(p) && r.left > 0 {
		x := float64(r.row%997) / 997
		fmt.Fprintf(&r.buf, "[%g,%g,0.25,-1,%d,0.5,1e-3,2]\n", x, 1-x, r.row%7)
		r.row++
		r.left--
	}
	return r.buf.Read(p) // io.EOF at the end
}

// writeSoakRows writes an npy file of rows of 8 numbers.
func writeSoakRows(t *testing.T, path string, rows int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	head := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 8), }", rows)
	head += fmt.Sprintf("%*s\n", 127-10-len(head), "")
	fmt.Fprintf(w, "\x93NUMPY\x01\x00%c%c%s", len(head), 0, head)
	block := tensor.Vector[float32](0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8).Bytes()
	for range rows {
		_, _ = w.Write(block) // Flush tells
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// openFiles counts this process' file descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// residentNow returns the bytes that this process has resident.
func residentNow(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
