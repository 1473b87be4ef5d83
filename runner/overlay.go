package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/runner/internal/tf"
	"github.com/tfrun/tfrun/savedmodel"
)

// overlay is a folder with a reduced copy of a model's graph beside links to its own variables and
// assets. TensorFlow loads it in the model's place.
type overlay struct {
	dir string // "" where the model itself is loaded
	why string // there is none although there might be
	// inTurn says that one run at a time is to use what is loaded: see [savedmodel.Sharing].
	inTurn bool
}

// newOverlay writes what is left of a graph when only the signatures of the options are to run,
// with twins for XLA where it is on. Where nothing is gained, or there is no place for temporary
// files, the model is loaded as it is. A graph that is for one of several devices is written in any
// case. lengths is [savedmodel.Reduction]'s.
func newOverlay(mg *savedmodel.MetaGraph, m *savedmodel.Model, o Options, place string, lengths bool) (overlay, error) {
	switch {
	case place != "":
	case o.NoPrune:
		return asItIs(mg, o, "the whole graph is loaded, as it is")
	case filepath.Ext(m.File) != ".pb":
		// which is for small graphs and people
		return asItIs(mg, o, "the model is in text form")
	}
	info, err := os.Stat(m.File)
	if err != nil {
		return overlay{}, err
	}
	r := o.reduction(lengths)
	graph, sharing, err := mg.ReducedApart(r)
	if err != nil {
		return overlay{}, err
	}
	changed := r.Compiled || r.NoOptimizer || sharing.Sums > 0
	if !changed && r.Lookups {
		if changed, err = mg.HasLookups(o.Signatures...); err != nil {
			return overlay{}, err
		}
	}
	if place != "" {
		if graph, err = tf.PlaceGraph(graph, place); err != nil {
			return overlay{}, err
		}
	} else if int64(len(graph)) > info.Size()*3/4 && !changed {
		return overlay{inTurn: len(sharing.Kernels) > 0}, nil
	}
	over := overlay{inTurn: len(sharing.Kernels) > 0}
	if over.dir, err = temporaryFolder(); err == nil {
		err = over.fill(m.Dir, graph)
	}
	if err != nil {
		over.remove()
		if place != "" {
			return overlay{}, &TemporaryError{Err: err}
		}
		// slower, not wrong
		return overlay{why: err.Error(), inTurn: over.inTurn || sharing.Sums > 0}, nil
	}
	return over, nil
}

// asItIs is no overlay, for the reason why.
func asItIs(mg *savedmodel.MetaGraph, o Options, why string) (overlay, error) {
	_, sharing, err := mg.ReducedApart(o.reduction(false))
	return overlay{why: why, inTurn: sharing.Sums > 0 || len(sharing.Kernels) > 0}, err
}

// reduction says what is loaded of a graph.
func (o Options) reduction(lengths bool) savedmodel.Reduction {
	mayUseGPU := o.config().MayUseGPU()
	optimizer := o.optimizer(mayUseGPU)
	return savedmodel.Reduction{
		Signatures: o.Signatures, CPUOnly: !mayUseGPU, Compiled: o.XLA.enabled(), Lengths: lengths,
		Lookups: !mayUseGPU && optimizer == OptimizerFunctions, NoOptimizer: optimizer == OptimizerNone,
	}
}

// TemporaryError says that a model cannot be put on several devices, because there is no place for
// the files that say so to TensorFlow.
type TemporaryError struct {
	Err error // of the file system
}

// Error says what the files are for.
func (e *TemporaryError) Error() string {
	return fmt.Sprintf("a graph for each GPU needs a folder for temporary files: %v", e.Err)
}

// Unwrap returns the file system's error.
func (e *TemporaryError) Unwrap() error { return e.Err }

// Hints says what to do instead.
func (e *TemporaryError) Hints() []string {
	return []string{"give one: export TMPDIR=…; a container takes --tmpfs /tmp", "or take one GPU: --device gpu:0"}
}

// temporaryFolder makes a folder of its own, in memory where the usual place cannot be written: a
// container with a read-only root has /dev/shm.
func temporaryFolder() (string, error) {
	dir, err := os.MkdirTemp("", "tfrun-")
	if err != nil {
		if shared, sharedErr := os.MkdirTemp("/dev/shm", "tfrun-"); sharedErr == nil {
			return shared, nil
		}
	}
	return dir, err
}

// fill writes the graph and the links.
func (o overlay) fill(model string, graph []byte) error {
	model, err := filepath.Abs(model)
	if err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(o.dir, "saved_model.pb"), graph, 0o600)
	for _, name := range []string{"variables", "assets"} {
		if _, statErr := os.Stat(filepath.Join(model, name)); statErr == nil {
			err = errors.Join(err, os.Symlink(filepath.Join(model, name), filepath.Join(o.dir, name)))
		}
	}
	return err
}

// remove takes the folder away; the links' targets stay. The graph is in TensorFlow's memory once
// it is loaded, and assets are read while it is.
func (o overlay) remove() {
	if o.dir != "" {
		_ = os.RemoveAll(o.dir) // a temporary folder that stays is no failure
	}
}

// name puts the model's folder in the place of the overlay's in an error.
func (o overlay) name(err error, model string) error {
	var tfErr *Error
	if o.dir == "" || !errors.As(err, &tfErr) {
		return err
	}
	return &Error{Op: tfErr.Op, Code: tfErr.Code, Msg: strings.ReplaceAll(tfErr.Msg, o.dir, strings.TrimSuffix(model, "/"))}
}

// loadFiles loads the model, or a reduced copy of its graph; why says why there is none although
// there might be.
func (s *Session) loadFiles(ctx context.Context, o Options, place string) (e tf.Engine, why string, err error) {
	why, err = s.withFiles(o, place, func(dir string, c tf.Config) (err error) {
		e, err = tf.Load(ctx, dir, s.graph.Tags, c)
		return err
	})
	return e, why, err
}

// withFiles has load load what loadFiles does, with the configuration to load it with.
func (s *Session) withFiles(o Options, place string, load func(dir string, c tf.Config) error) (why string, err error) {
	if s.xla == nil || s.noLengths.Load() {
		return s.withOverlay(o, place, false, load)
	}
	why, err = s.withOverlay(o, place, true, load)
	// which this libtensorflow does not know
	if err != nil && strings.Contains(err.Error(), savedmodel.LengthsOp) {
		s.noLengths.Store(true)
		return s.withOverlay(o, place, false, load)
	}
	return why, err
}

func (s *Session) withOverlay(o Options, place string, lengths bool, load func(dir string, c tf.Config) error) (why string, err error) {
	over, err := newOverlay(s.graph, s.model, o, place, lengths)
	if err != nil {
		return "", err
	}
	defer over.remove()
	dir := s.model.Dir
	if over.dir != "" {
		dir = over.dir
	}
	c := o.config()
	c.Place, c.InTurn = place, o.InTurn || over.inTurn
	if err = load(dir, c); err != nil {
		var tfErr *Error
		var died *ProcessError
		if err = over.name(err, s.model.Dir); exhausted(err) {
			err = &MemoryError{Err: err}
		}
		if errors.As(err, &tfErr) || errors.As(err, &died) {
			err = fmt.Errorf("model %q: %w", s.model.Dir, err)
		}
		return "", err
	}
	return over.why, nil
}
