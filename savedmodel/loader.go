package savedmodel

import (
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
)

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

// LoaderRoots lists the nodes that loading runs or feeds: the saver's, the init ops, the tables'
// initializers, the assets' paths.
func (mg *MetaGraph) LoaderRoots() ([]string, error) {
	saver, err := mg.Saver()
	if err != nil {
		return nil, err
	}
	roots := append(mg.initOps(), saver.GetRestoreOpName(), saver.GetFilenameTensorName())
	tables, err := mg.collection("table_initializer")
	if err != nil {
		return nil, mg.damaged("its collections", err)
	}
	roots = append(roots, tables.GetNodeList().GetValue()...)
	for _, a := range mg.Assets {
		roots = append(roots, a.Tensor)
	}
	return roots, nil
}

// initOps returns the names of the nodes that a loader runs after restoring: the init op's entry
// among the signatures, or the collections of TensorFlow 1 (constants.h:
// kSavedModelInitOpSignatureKey, kSavedModelMainOpKey, kSavedModelLegacyInitOpKey).
func (mg *MetaGraph) initOps() []string {
	var ops []string
	if s := mg.Signatures["__saved_model_init_op"]; s != nil {
		for _, t := range s.Outputs {
			ops = append(ops, t.Tensor)
		}
	}
	for _, name := range []string{"saved_model_main_op", "legacy_init_op"} {
		if def, err := mg.collection(name); err == nil {
			ops = append(ops, def.GetNodeList().GetValue()...)
		}
	}
	return ops
}
