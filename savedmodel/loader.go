package savedmodel

import (
	"maps"
	"os"
	"path/filepath"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

// Step is an operation that loading a model runs once.
type Step struct {
	Run   string            // the operation
	Feeds map[string]string // paths, by the tensors that are fed with them meanwhile
}

// Loading returns what is run before any signature, as TensorFlow's loader does it (cc/saved_model:
// RestoreSession, GetInitOp): the restore op, where there are variables, then the init op. Both are
// fed with the paths of the assets, the restore op with that of the checkpoint too.
func (mg *MetaGraph) Loading() ([]Step, error) {
	dir, err := filepath.Abs(mg.model.Dir)
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
	assets := map[string]string{}
	for _, a := range mg.Assets {
		assets[graph.OutputOf(a.Tensor)] = filepath.Join(dir, dirAssets, a.Filename)
	}
	var steps []Step
	checkpoint := filepath.Join(dir, dirVariables, "variables")
	if _, err := os.Stat(checkpoint + ".index"); err == nil && saver.GetRestoreOpName() != "" {
		feeds := maps.Clone(assets)
		feeds[graph.OutputOf(saver.GetFilenameTensorName())] = checkpoint
		steps = append(steps, Step{saver.GetRestoreOpName(), feeds})
	}
	if init != "" {
		steps = append(steps, Step{init, assets})
	}
	return steps, nil
}

// LoaderRoots lists the nodes that loading runs or feeds: the restore op and the checkpoint's path,
// the init op, the assets' paths.
func (mg *MetaGraph) LoaderRoots() ([]string, error) {
	saver, err := mg.Saver()
	if err != nil {
		return nil, err
	}
	init, err := mg.InitOp()
	if err != nil {
		return nil, err
	}
	roots := []string{init, saver.GetRestoreOpName(), saver.GetFilenameTensorName()}
	for _, a := range mg.Assets {
		roots = append(roots, a.Tensor)
	}
	return roots, nil
}

// Saver decodes what says how the variables are restored: an empty message where the graph has no
// variables. It is shared: it must not be changed.
func (mg *MetaGraph) Saver() (*pb.SaverDef, error) { return mg.saver() }

// readSaver decodes the SaverDef.
func (mg *MetaGraph) readSaver() (*pb.SaverDef, error) {
	saver := &pb.SaverDef{}
	if err := mg.unmarshal(mg.raw.saver, saver, "the saver"); err != nil {
		return nil, err
	}
	return saver, nil
}

// initOpKey is the name of the init op's entry among the signatures, and of its output
// (constants.h: kSavedModelInitOpSignatureKey).
const initOpKey = "__saved_model_init_op"

// InitOp returns the operation that a loader runs after restoring the variables; "" where there is
// none. It is the one among the signatures, or else the main op, or else the legacy init op of
// TensorFlow 1.
func (mg *MetaGraph) InitOp() (string, error) {
	if s := mg.Signatures[initOpKey]; s != nil {
		return graph.NodeOf(s.Outputs[initOpKey].Tensor), nil
	}
	for _, name := range []string{"saved_model_main_op", "legacy_init_op"} {
		def, err := mg.collection(name)
		if err != nil {
			return "", mg.damaged("its collections", err)
		}
		switch list := def.GetNodeList().GetValue(); {
		case len(list) > 1:
			return "", formatError(mg.model.File, "its collection %s names %d operations, where TensorFlow takes one", name, len(list))
		case len(list) == 1:
			return graph.NodeOf(list[0]), nil
		}
	}
	return "", nil
}
