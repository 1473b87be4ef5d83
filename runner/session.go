package runner

import (
	"sync"
	"sync/atomic"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/runner/internal/xla"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/scan"
)

// Session is a model loaded into TensorFlow, with its variables. [Load] makes one, and the caller
// closes it.
type Session struct {
	o     Options
	model *savedmodel.Model
	graph *savedmodel.MetaGraph
	found *scan.Result // what does more than compute

	digest func() (string, error) // of the model's files, worked out once

	// A run holds mu for reading, Close for writing: it waits for the runs that are under way.
	mu     sync.RWMutex
	closed bool
	engine tf.Engine

	xla       *xla.State  // nil where it is off
	noLengths atomic.Bool // this libtensorflow compiles each length by itself

	headsMu     sync.Mutex // one goroutine at a time changes the graph
	functionsMu sync.Mutex
	functions   map[string]*Function // by signature, with all outputs
}

// Model returns the files that the session was loaded from.
func (s *Session) Model() *savedmodel.Model { return s.model }

// MetaGraph returns the graph that was loaded.
func (s *Session) MetaGraph() *savedmodel.MetaGraph { return s.graph }

// Devices lists the processors that the session may use.
func (s *Session) Devices() ([]Device, error) {
	if !s.enter() {
		return nil, ErrClosed
	}
	defer s.leave()
	return s.engine.Devices()
}

// enter begins a use of the engine, which leave ends; it reports false when the session is closed.
func (s *Session) enter() bool {
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return false
	}
	return true
}

func (s *Session) leave() { s.mu.RUnlock() }

// Close waits for the runs that are under way and frees the model. Closing twice is no error.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.engine.Close()
}
