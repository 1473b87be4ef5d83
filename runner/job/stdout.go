package job

import (
	"bufio"
	"sync"
	"time"
)

// stdout writes results soon, but not every row by itself.
type stdout struct {
	flushed time.Time

	mu    sync.Mutex // guards the fields below
	w     *bufio.Writer
	timer *time.Timer // flushes the last results if no others follow; nil: nothing waits
}

// Write collects bytes, which are written soon.
func (s *stdout) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(b)
	if s.timer == nil {
		// The writer keeps an error for the next call.
		s.timer = time.AfterFunc(flushEvery, func() { _ = s.flush() })
	}
	return n, err
}

// CheckpointDue reports whether the last flush was long enough ago.
func (s *stdout) CheckpointDue(now time.Time) bool { return now.Sub(s.flushed) >= flushEvery }

// Checkpoint flushes.
func (s *stdout) Checkpoint(int64, []byte) error {
	s.flushed = time.Now()
	return s.flush()
}

// flush writes what is collected.
func (s *stdout) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return s.w.Flush()
}

// flushEvery is how long a result may wait before the reader of standard output sees it.
const flushEvery = 100 * time.Millisecond
