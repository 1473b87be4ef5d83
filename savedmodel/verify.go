package savedmodel

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
)

// Verify looks at the files that loading the graph needs, and returns one clear error for the first
// that is missing or too short. TensorFlow's own loader reports success for a model whose
// variables.index is missing. Values are not read: see [Checkpoint.Read] for their checksums. Where
// links lead is looked at by [MetaGraph.Files].
func (mg *MetaGraph) Verify() error {
	if err := mg.verifyAssets(); err != nil {
		return err
	}
	return mg.verifyVariables()
}

// verifyAssets checks the asset files.
func (mg *MetaGraph) verifyAssets() error {
	read, err := mg.readAssets()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, a := range mg.Assets {
		switch {
		case seen[a.Tensor]:
			return formatError(mg.model.File, "lists asset %q twice, which TensorFlow refuses to load", a.Filename)
		case !filepath.IsLocal(a.Filename):
			return formatError(mg.model.File, "asset %q lies outside the model's directory", a.Filename)
		}
		seen[a.Tensor] = true
		path := filepath.Join(mg.model.Dir, dirAssets, a.Filename)
		switch info, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist) && !read[a.Tensor]:
		case errors.Is(err, fs.ErrNotExist):
			return &FileError{File: path, Msg: "is missing: the model reads this asset", Err: err}
		case err != nil:
			return &FileError{File: path, Msg: cause(err), Err: err}
		case !info.Mode().IsRegular():
			return formatError(path, "is no regular file")
		case info.Size() > maxAsset:
			return formatError(path, "is %d bytes long; TensorFlow would read all of it, and at most %d are let it", info.Size(), int64(maxAsset))
		}
	}
	return nil
}

// readAssets returns the tensors of the assets whose paths loading or a signature reads. A model
// may list others: TensorFlow never opens them, and does not miss them.
func (mg *MetaGraph) readAssets() (map[string]bool, error) {
	read := map[string]bool{}
	if len(mg.Assets) == 0 {
		return read, nil
	}
	reach, err := mg.graph.Reach()
	if err != nil {
		return nil, err
	}
	saver, err := mg.Saver()
	if err != nil {
		return nil, err
	}
	init, err := mg.InitOp()
	if err != nil {
		return nil, err
	}
	roots := []string{init, saver.GetRestoreOpName()}
	for _, name := range mg.SignatureNames() {
		roots = append(roots, mg.Signatures[name].Tensors(mg.Signatures[name].Outputs)...)
	}
	if err := reach.MarkNodes(roots); err != nil {
		return nil, err
	}
	for _, a := range mg.Assets {
		read[a.Tensor] = reach.Nodes[graph.NodeOf(a.Tensor)]
	}
	return read, nil
}

// maxAsset bounds an asset: vocabularies of ten million words take 100 MB. TensorFlow reads it
// without a bound, a line at a time.
const maxAsset = 1 << 30

// verifyVariables checks that the checkpoint is there, whole as far as sizes tell, and has what the
// restore op asks for.
func (mg *MetaGraph) verifyVariables() error {
	restore, err := mg.restored()
	if err != nil || len(restore.keys) == 0 {
		return err
	}
	c, err := mg.model.checkpoint(true)
	if errors.Is(err, fs.ErrNotExist) {
		return mg.missingIndex(restore, err)
	}
	if err != nil {
		return err
	}
	for _, key := range restore.keys {
		if c.Tensor(key) == nil {
			return formatError(c.Prefix+".index", "has no value for %q: these are another model's variables", strings.TrimSuffix(key, "/.ATTRIBUTES/VARIABLE_VALUE"))
		}
	}
	if err := mg.verifyTypes(c, restore); err != nil {
		return err
	}
	return c.CheckShards()
}

// verifyTypes checks that the entries which the restore op reads have the types that it wants, and
// the shapes of the variables that get them: TensorFlow would load another shape without a word,
// and each run would fail, or not, with an error that speaks of the row.
func (mg *MetaGraph) verifyTypes(c *Checkpoint, restore *restoreOps) error {
	flow, err := restore.reach.Flow(nil)
	if err != nil {
		return err
	}
	damaged := func(t *CheckpointTensor, format string, args ...any) error {
		return formatError(c.Prefix+".index", "does not fit the graph: entry %q (%q) %s", t.Key, t.Name, fmt.Sprintf(format, args...))
	}
	for _, f := range flow.All() {
		for _, n := range f.Nodes {
			for i, key := range wholeKeys(n) {
				types := n.Def.GetAttr()["dtypes"].GetList().GetType()
				t := c.Tensor(key)
				if t != nil && i < len(types) && graph.DType(types[i]) != t.DType {
					return damaged(t, "is %v, and the variable is %v", t.DType, graph.DType(types[i]))
				}
			}
			key, shape := assigned(flow, f, n)
			if t := c.Tensor(key); t != nil && !shape.Admits(t.Shape.Dims()) {
				return damaged(t, "has shape %v, and the variable has %v", t.Shape, shape)
			}
		}
	}
	return nil
}

// wholeKeys returns the keys that a restore operation reads, each at the place of its output; ""
// for what it reads slices of. Other operations have none.
func wholeKeys(n *graph.Node) []string {
	if n.Op != "RestoreV2" || n.In(1) == nil || n.In(2) == nil {
		return nil
	}
	slices := n.In(2).Def.GetAttr()["value"].GetTensor().GetStringVal()
	var keys []string
	for i, key := range n.In(1).Def.GetAttr()["value"].GetTensor().GetStringVal() {
		// the last value of a constant stands for those that are not there
		if n := len(slices); n > 0 && len(slices[min(i, n-1)]) > 0 {
			key = nil
		}
		keys = append(keys, string(key))
	}
	return keys
}

// assigned returns the key of the entry that an operation gives to a variable, unchanged, and the
// shape that the graph says the variable has.
func assigned(flow *graph.Flow, f *graph.Function, n *graph.Node) (key string, shape tensor.Shape) {
	if n.Op != "AssignVariableOp" && n.Op != "Assign" || len(n.Inputs) < 2 {
		return "", tensor.UnknownShape()
	}
	value := n.Inputs[1]
	for range len(f.Nodes) {
		if value.Node == nil || value.Node.Op != "Identity" || len(value.Node.Inputs) == 0 {
			break
		}
		value = value.Node.Inputs[0]
	}
	variable := flow.Origin(graph.Place{F: f, Ref: n.Inputs[0]}).Ref.Node
	if value.Node == nil || variable == nil {
		return "", tensor.UnknownShape()
	}
	keys := wholeKeys(value.Node)
	declared, ok := variable.Def.GetAttr()["shape"]
	if value.Out >= len(keys) || !ok {
		return "", tensor.UnknownShape()
	}
	return keys[value.Out], graph.Shape(declared.GetShape())
}

// missingIndex says that variables.index is missing, unless the model has no variable whose value
// it could hold.
func (mg *MetaGraph) missingIndex(restore *restoreOps, err error) error {
	if len(restore.values()) == 0 {
		return nil
	}
	var fe *FileError
	errors.As(err, &fe)
	dir := filepath.Join(mg.model.Dir, dirVariables)
	if _, err := os.Stat(dir); err != nil {
		return &FileError{File: dir, Msg: "is missing: it holds the values of the model's variables", Err: err}
	}
	return &FileError{File: fe.File, Msg: "is missing: without it TensorFlow would leave the model's variables empty", Err: err}
}

// restoreOps is what the graph's restore op does, as far as the graph says.
type restoreOps struct {
	keys    []string        // of the checkpoint's entries that are read
	handles map[string]bool // the resource names of the variables that the op reaches
	reach   *graph.Reach    // what the op reaches; nil for a model without one
}

// restored follows the graph from the saver's restore op.
func (mg *MetaGraph) restored() (*restoreOps, error) {
	r := &restoreOps{handles: map[string]bool{}}
	saver, err := mg.Saver()
	if err != nil || saver.GetRestoreOpName() == "" {
		return r, err
	}
	reach, err := mg.graph.Reach()
	if err != nil {
		return nil, err
	}
	reach.Feed(nil)
	if err := reach.Mark([]string{saver.GetRestoreOpName()}); err != nil {
		return nil, err
	}
	main, err := reach.Main(nil)
	if err != nil {
		return nil, err
	}
	addVariables(r.handles, main)
	r.addKeys(main)
	r.reach = reach
	for _, name := range slices.Sorted(maps.Keys(reach.Functions)) {
		f, err := mg.graph.Resolve(name)
		if err != nil {
			return nil, err
		}
		r.addKeys(f)
	}
	return r, nil
}

// addKeys adds the keys that restore operations with constant names read.
func (r *restoreOps) addKeys(f *graph.Function) {
	for _, n := range f.Nodes {
		if n.Op != "RestoreV2" || n.In(1) == nil {
			continue
		}
		for _, key := range n.In(1).Def.GetAttr()["value"].GetTensor().GetStringVal() {
			r.keys = append(r.keys, string(key))
		}
	}
}

// addVariables adds the [graph.ResourceName]s of the variables that the main graph holds.
func addVariables(names map[string]bool, main *graph.Function) {
	for _, n := range main.Nodes {
		if n.Op == "VarHandleOp" {
			names[graph.ResourceName(n.Def)] = true
		}
	}
}

// RestoredVariables returns the [graph.ResourceName]s of the variables that loading restores.
func (mg *MetaGraph) RestoredVariables() (map[string]bool, error) {
	r, err := mg.restored()
	if err != nil {
		return nil, err
	}
	return r.handles, nil
}

// RestoredKeys returns the keys of the checkpoint's entries that loading reads, the checkpoint's
// own bookkeeping left out. It has none where the model needs no checkpoint.
func (mg *MetaGraph) RestoredKeys() ([]string, error) {
	r, err := mg.restored()
	if err != nil {
		return nil, err
	}
	return r.values(), nil
}

// values are the keys of what variables are restored from.
func (r *restoreOps) values() []string {
	return slices.DeleteFunc(slices.Clone(r.keys), func(key string) bool { return key == objectGraphKey })
}

// variablesBehind returns the [graph.ResourceName]s of the variables that tensors or nodes of the
// main graph depend on.
func (mg *MetaGraph) variablesBehind(roots []string) (map[string]bool, error) {
	reach, err := mg.graph.Reach()
	if err != nil {
		return nil, err
	}
	reach.Feed(nil)
	if err := reach.MarkNodes(roots); err != nil {
		return nil, err
	}
	main, err := reach.Main(nil)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	addVariables(names, main)
	return names, nil
}

// unrestored returns the [graph.ResourceName]s of the variables that tensors depend on and that
// neither the restore op nor the init op reaches.
func (mg *MetaGraph) unrestored(tensors []string) (map[string]bool, error) {
	restore, err := mg.restored()
	if err != nil {
		return nil, err
	}
	init, err := mg.InitOp()
	if err != nil {
		return nil, err
	}
	initialized, err := mg.variablesBehind([]string{init})
	if err != nil {
		return nil, err
	}
	read, err := mg.variablesBehind(tensors)
	maps.DeleteFunc(read, func(name string, _ bool) bool { return restore.handles[name] || initialized[name] })
	return read, err
}
