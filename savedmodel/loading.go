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
	saver := &pb.SaverDef{}
	if err := mg.unmarshal(mg.raw.saver, saver, "the saver"); err != nil {
		return nil, err
	}
	init, err := mg.initOp()
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

// initOpKey is the name of the init op's entry among the signatures, and of its output
// (constants.h: kSavedModelInitOpSignatureKey).
const initOpKey = "__saved_model_init_op"

// initOp returns the operation that is run after the variables are restored; "" where there is none.
// It is the one among the signatures, or else the main op, or else the legacy init op.
func (mg *MetaGraph) initOp() (string, error) {
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
