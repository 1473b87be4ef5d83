package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
)

// Files are the paths that loading a graph hands to its operations.
type Files struct {
	// Checkpoint is what the names of the variables' files begin with; "" where there are none.
	Checkpoint string
	// Assets by their file names.
	Assets map[string]string
}

// LinkError says that a file of the model is a link to somewhere else.
type LinkError struct {
	Model, Path, Target string
}

// Error names the link and where it leads.
func (e *LinkError) Error() string {
	return fmt.Sprintf("%s: is a link that leaves the model: it leads to %s", e.Path, e.Target)
}

// Hints says what to type next.
func (e *LinkError) Hints() []string {
	return []string{"if the model's files are kept elsewhere on purpose: --allow-links"}
}

// Files returns the paths of the variables and the assets, with links resolved. A link that leaves
// the model's directory is a *[LinkError] unless links are allowed: the files of a model from
// somebody else would be those of this machine.
func (mg *MetaGraph) Files(links bool) (Files, error) {
	f := Files{Assets: map[string]string{}}
	root, err := mg.model.root()
	if err != nil {
		return f, err
	}
	resolve := func(path string) (string, error) { return mg.model.resolve(root, path, links) }
	for _, a := range mg.Assets {
		path := filepath.Join(root, dirAssets, a.Filename)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			f.Assets[a.Filename] = path // [MetaGraph.Verify] says where one is missing that is read
			continue
		}
		if f.Assets[a.Filename], err = resolve(path); err != nil {
			return f, err
		}
	}
	variables := filepath.Join(root, dirVariables)
	entries, err := os.ReadDir(variables)
	if err != nil {
		return f, nil //nolint:nilerr // [MetaGraph.Verify] says what is missing
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), variablesPrefix) {
			continue
		}
		if _, err := resolve(filepath.Join(variables, e.Name())); err != nil {
			return f, err
		}
		if e.Name() == variablesPrefix+".index" {
			f.Checkpoint = filepath.Join(variables, variablesPrefix)
		}
	}
	// It would find another model's variables, or none.
	if i := strings.IndexAny(f.Checkpoint, `[\`); i >= 0 {
		return f, &FileError{File: root, Msg: fmt.Sprintf("TensorFlow takes the path of variables for a pattern, as it has a %q: rename the folder", f.Checkpoint[i])}
	}
	return f, nil
}

// root returns the model's directory, absolute and without links.
func (m *Model) root() (string, error) {
	root, err := filepath.Abs(m.Dir)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return "", &FileError{File: m.Dir, Msg: cause(err), Err: err}
	}
	return root, nil
}

// resolve follows the links of a path below root, the model's directory. It fails with a
// *[LinkError] where they leave it, unless links are allowed.
func (m *Model) resolve(root, path string, links bool) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", &FileError{File: path, Msg: cause(err), Err: err}
	}
	if rel, err := filepath.Rel(root, target); err != nil || !filepath.IsLocal(rel) && !links {
		return "", &LinkError{Model: m.Dir, Path: filepath.Join(m.Dir, strings.TrimPrefix(path, root)), Target: target}
	}
	return target, nil
}

// open opens a file of the model, such as "variables/variables.index". It is the way to every file
// but saved_model.pb itself: the file must be a regular one, and no link that leaves the model's
// directory unless links are allowed.
func (m *Model) open(name string, links bool) (*os.File, int64, error) {
	path := filepath.Join(m.Dir, name)
	if !links {
		root, err := m.root()
		if err != nil {
			return nil, 0, err
		}
		// What stands in the way is said by opening, with the path as the caller knows it.
		var link *LinkError
		if _, err := m.resolve(root, filepath.Join(root, name), false); errors.As(err, &link) {
			return nil, 0, link
		}
	}
	return openRegular(path)
}

// read reads a whole file of the model, of at most limit bytes.
func (m *Model) read(name string, links bool, limit int64, check func(head []byte) error) ([]byte, error) {
	f, size, err := m.open(name, links)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readOpen(f, size, limit, check)
}

// variablesPrefix is what the names of a checkpoint's files begin with.
const variablesPrefix = "variables"

// Step is an operation that loading a model runs once.
type Step struct {
	Run   string            // the operation
	Feeds map[string]string // paths, by the tensors that are fed with them meanwhile
}

// Loading returns what is run before any signature, as TensorFlow's loader does it (cc/saved_model:
// RestoreSession, GetInitOp): the restore op, where there are variables, or [FillOp] in its place,
// then the init op. Both are fed with the paths of the assets, the restore op with that of the
// checkpoint too.
func (mg *MetaGraph) Loading(f Files) ([]Step, error) {
	saver, err := mg.Saver()
	if err != nil {
		return nil, err
	}
	init, err := mg.InitOp()
	if err != nil {
		return nil, err
	}
	feeds := func() map[string]string {
		m := map[string]string{}
		for _, a := range mg.Assets {
			m[graph.OutputOf(a.Tensor)] = f.Assets[a.Filename]
		}
		return m
	}
	var steps []Step
	if f.Checkpoint != "" && saver.GetRestoreOpName() != "" {
		paths := feeds()
		if name := saver.GetFilenameTensorName(); name != "" {
			paths[graph.OutputOf(name)] = f.Checkpoint
		}
		restore, err := mg.restoreOp()
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{restore, paths})
	}
	if init != "" {
		steps = append(steps, Step{init, feeds()})
	}
	return steps, nil
}
