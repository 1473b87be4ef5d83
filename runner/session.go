package runner

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/tfrun/tfrun/internal/rewrite"
	"github.com/tfrun/tfrun/runner/internal/isolate"
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
	found *scan.Result // what the model does beside computing

	digest func() (string, error) // of the model's files, worked out once

	gate   gate // of uses of the engine, for which Close waits
	engine tf.Engine

	xla       *xla.State  // nil where it is off
	noLengths atomic.Bool // this libtensorflow compiles each length by itself

	stats stats

	headsMu     sync.Mutex // one goroutine at a time changes the graph
	functionsMu sync.Mutex
	functions   map[string]*Function // by signature, with all outputs

	knownMu  sync.Mutex
	knownFor map[string]*known // by signature
}

// known is what the graph tells of a signature, whatever the options of those who use it. It is
// worked out when it is first asked for, and once, since it takes a walk over the graph.
type known struct {
	check func() error                   // why it cannot run, or nil
	exact func() (*rewrite.Exact, error) // its exact twin; nil where it has none
}

// known returns what is known of a signature of the graph.
func (s *Session) known(sig *savedmodel.Signature) *known {
	s.knownMu.Lock()
	defer s.knownMu.Unlock()
	k := s.knownFor[sig.Name]
	if k == nil {
		k = &known{
			check: sync.OnceValue(func() error { return s.graph.CheckSignature(sig) }),
			exact: sync.OnceValues(func() (*rewrite.Exact, error) {
				return rewrite.ExactOf(s.graph, sig, s.o.reduction(false))
			}),
		}
		s.knownFor[sig.Name] = k
	}
	return k
}

// Options returns the options that the model was loaded with. Their slices are the Session's own.
func (s *Session) Options() Options { return s.o }

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

// Digest returns a digest of the model's files. Models with the same digest give the same answers.
// It covers the graph, the assets, and the index of the variables, which holds a checksum of each.
func (s *Session) Digest() (string, error) { return s.digest() }

// Restarts is how often the process of an isolated model has died, see [Options.Isolate].
func (s *Session) Restarts() int {
	if e, ok := s.engine.(*isolate.Engine); ok {
		return e.Restarts()
	}
	return 0
}

// enter begins a use of the engine, which leave ends; it reports false when the session is closed.
func (s *Session) enter() bool { return s.gate.enter() }

func (s *Session) leave() { s.gate.leave() }

// Close waits for the runs that are under way and frees the model; other calls return [ErrClosed]
// from its beginning on. Closing twice is no error.
func (s *Session) Close() error { return s.gate.close(s.engine.Close) }

// modelSum is the digest of a model's files.
func modelSum(m *savedmodel.Model, mg *savedmodel.MetaGraph) (string, error) {
	h := sha256.New()
	names := []string{m.File, filepath.Join(m.Dir, "variables", "variables.index")}
	for _, a := range mg.Assets {
		names = append(names, filepath.Join(m.Dir, "assets", filepath.FromSlash(a.Filename)))
	}
	for _, name := range names {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("sha256 %x", h.Sum(nil)[:8]), nil
}
