package layers

import (
	"github.com/tfrun/tfrun/savedmodel"
)

// Of rebuilds the table of a model's layers; nil when the model holds none: it is no Keras model,
// or was saved without traces, signatures and metadata.
func Of(mg *savedmodel.MetaGraph) (*Table, error) {
	var t *Table
	var err error
	switch mg.Framework {
	case savedmodel.Keras2:
		t, err = keras2Layers(mg)
	case savedmodel.Keras3:
		t, err = exportedLayers(mg)
	}
	if t == nil || err != nil {
		return nil, err
	}
	t.explain(theSignature)
	return t, nil
}
