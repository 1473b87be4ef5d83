package savedmodel

import (
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
)

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

// Saver returns the SaverDef, which says how the variables are restored: an empty message where the
// graph has no variables. The message is shared and must not be changed.
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
// none. It is named among the signatures, or else in the collection of the main op, or else in that
// of TensorFlow 1's legacy init op.
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
