package job

import (
	"bufio"
	"sync"
	"time"
)

// stdout shows results soon, but not every row by itself.
type stdout struct {
	flushed time.Time

	mu    sync.Mutex // of what follows
	w     *bufio.Writer
	timer *time.Timer // will flush what no later result does; nil when nothing waits
}

// Write collects bytes, which are flushed soon.
func (s *stdout) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(b)
	if s.timer == nil {
		// the writer keeps its error for the next call
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

// flush hands on what is collected.
func (s *stdout) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	return s.w.Flush()
}

// flushEvery is how long a result may wait before whoever reads stdout sees it.
const flushEvery = 100 * time.Millisecond
