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
	root, err := filepath.Abs(mg.model.Dir)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return f, &FileError{File: mg.model.Dir, Msg: cause(err), Err: err}
	}
	resolve := func(path string) (string, error) {
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", &FileError{File: path, Msg: cause(err), Err: err}
		}
		if rel, err := filepath.Rel(root, target); err != nil || !filepath.IsLocal(rel) && !links {
			return "", &LinkError{Model: mg.model.Dir, Path: filepath.Join(mg.model.Dir, strings.TrimPrefix(path, root)), Target: target}
		}
		return target, nil
	}
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
	return f, nil
}

// variablesPrefix is what the names of a checkpoint's files begin with.
const variablesPrefix = "variables"

// Step is an operation that loading a model runs once.
type Step struct {
	Run   string            // the operation
	Feeds map[string]string // paths, by the tensors that are fed with them meanwhile
}

// Loading returns what is run before any signature, as TensorFlow's loader does it (cc/saved_model:
// RestoreSession, GetInitOp): the restore op, where there are variables, then the init op. Both are
// fed with the paths of the assets, the restore op with that of the checkpoint too.
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
		steps = append(steps, Step{saver.GetRestoreOpName(), paths})
	}
	if init != "" {
		steps = append(steps, Step{init, feeds()})
	}
	return steps, nil
}
