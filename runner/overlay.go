package runner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
)

// overlay is a folder with a reduced copy of a model's graph beside links to its own variables and assets. TensorFlow loads it in the model's place.
type overlay struct {
	dir string // "" where the model itself is loaded
	why string // there is none although there might be
}

// newOverlay writes what is left of a graph when only the signatures of the options are to run, with twins for XLA where it is on. Where nothing is gained, or
// there is no place for temporary files, the model is loaded as it is.
func newOverlay(mg *savedmodel.MetaGraph, m *savedmodel.Model, o Options) (overlay, error) {
	if filepath.Ext(m.File) != ".pb" {
		return overlay{why: "the model is in text form"}, nil // which is for small graphs and people
	}
	info, err := os.Stat(m.File)
	if err != nil {
		return overlay{}, err
	}
	graph, err := mg.Reduced(savedmodel.Reduction{Signatures: o.Signatures, CPUOnly: !o.mayUseGPU(), Compiled: o.XLA.enabled()})
	if err != nil {
		return overlay{}, err
	}
	if int64(len(graph)) > info.Size()*3/4 && !o.XLA.enabled() {
		return overlay{}, nil
	}
	dir, err := os.MkdirTemp("", "tfrun-")
	if err != nil {
		return overlay{why: err.Error()}, nil //nolint:nilerr // no temporary folder: slower, not wrong
	}
	over := overlay{dir: dir}
	if err := over.fill(m.Dir, graph); err != nil {
		over.remove()
		return overlay{why: err.Error()}, nil //nolint:nilerr // the same
	}
	return over, nil
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

// remove takes the folder away; the links' targets stay. The graph is in TensorFlow's memory once it is loaded, and assets are read while it is.
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
	return &Error{Op: tfErr.Op, Msg: strings.ReplaceAll(tfErr.Msg, o.dir, strings.TrimSuffix(model, "/"))}
}

// loadFiles loads the model, or a reduced copy of its graph.
func (s *Session) loadFiles(o Options, load func(dir string) (engine, error)) error {
	var over overlay
	if !o.NoPrune {
		var err error
		if over, err = newOverlay(s.graph, s.model, o); err != nil {
			return err
		}
		defer over.remove()
	}
	s.noTwins = over.why
	dir := s.model.Dir
	if over.dir != "" {
		dir = over.dir
	}
	e, err := load(dir)
	if err != nil {
		var tfErr *Error
		if err = over.name(err, s.model.Dir); errors.As(err, &tfErr) {
			return fmt.Errorf("model %q: %w", s.model.Dir, err)
		}
		return err
	}
	s.engine = e
	return nil
}
