//go:build cgo && !notf

package runner

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// The counters say what was run, while it is run and after the session is closed.
func TestSessionStats(t *testing.T) {
	s, err := Load(t.Context(), "../testdata/models/mod_scalar/model", Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Function("")
	if err != nil {
		t.Fatal(err)
	}
	in := f.Inputs()[0]
	x, err := tensor.New(in.DType)
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]tensor.Tensor{in.Name: x}
	const runs = 5
	fetched := int64(0)
	for range runs {
		out, err := s.Run(t.Context(), "", feeds)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out {
			fetched += int64(len(v.Bytes()))
		}
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	_, _ = s.Run(late, "", feeds) // fails, before or in TensorFlow
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := s.Stats()
	want := Stats{Runs: got.Runs, Failed: got.Runs - runs, FedBytes: got.Runs * int64(len(x.Bytes())), FetchedBytes: fetched, TensorBytes: got.TensorBytes}
	if got != want || got.Runs > runs+1 {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The log of an isolated model's process goes to its Logger.
func TestIsolatedLogger(t *testing.T) {
	t.Setenv("TF_CPP_MIN_LOG_LEVEL", "0")
	var log lockedBuffer
	s, err := Load(t.Context(), "../testdata/models/mod_scalar/model", Options{Isolate: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 1000 { // the handler is called when it is
		if text := log.String(); strings.Contains(text, "level=INFO") && strings.Contains(text, ".cc line=") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the logger got %q", log.String())
}

// lockedBuffer is a buffer for two goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
