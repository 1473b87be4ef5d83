package layers

import (
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// keras2Layers rebuilds the table of a model that Keras 2 saved: from its metadata or, where that
// names no layers, is damaged, of another model or not there, like an export's. nil: there is
// nothing to go by.
func keras2Layers(mg *savedmodel.MetaGraph) (*Table, error) {
	meta, damage := mg.KerasMetadata()
	if err := otherModel(mg, meta); err != nil {
		meta, damage = nil, err
	}
	t, err := metadataLayers(mg, meta)
	if t == nil && err == nil {
		t, err = exportedLayers(mg)
	}
	if t != nil && damage != nil {
		// TensorFlow loads such a model all the same.
		t.Notes = append(t.Notes, damage.Error())
	}
	return t, err
}

// metadataLayers rebuilds the table from the metadata; nil where that has no layers.
func metadataLayers(mg *savedmodel.MetaGraph, meta savedmodel.KerasMetadata) (*Table, error) {
	objs, err := mg.Objects()
	if err != nil || len(meta) == 0 {
		return nil, err
	}
	k := &keras2{mg: mg, objs: objs, meta: meta, table: &Table{}}
	if sig, err := tableSignature(mg); err == nil {
		if k.body, err = body.Of(mg, sig); err != nil {
			return nil, err
		}
		k.table.Signature, k.table.body = sig.Name, k.body
	}
	k.findTrainable()
	if err := k.build(); err != nil || len(k.table.Layers) == 0 {
		return nil, err
	}
	k.noteOtherInput()
	return k.table, nil
}

// build fills in the table.
func (k *keras2) build() error {
	root := k.meta[0]
	rootID := ""
	if len(k.objs.Nodes) > 0 {
		rootID = k.objs.Nodes[0].GetUserObject().GetIdentifier()
	}
	model := &ModelConfig{}
	if root != nil {
		var err error
		if model, err = parseModelConfig(root.Config); err != nil {
			model = &ModelConfig{} // a subclassed model's config may be anything
		}
		k.table.ModelName, k.table.ModelClass = root.Name, root.ClassName
	}
	n := &network{k: k, id: 0, config: model, sequential: rootID == stackObject || root != nil && root.ClassName == "Sequential"}
	n.functional = !n.sequential && len(model.Layers) > 0 && model.InputLayers != nil
	n.subclassed = !n.sequential && !n.functional && (root == nil || rootID == modelObject || len(model.Layers) == 0) && rootID != graphObject
	if k.table.ModelClass == "" {
		k.table.ModelClass = map[bool]string{true: "Sequential"}[n.sequential]
	}
	k.countCalls(model, 0)
	if k.body != nil {
		n.scope = scopes.Of(k.body, nil, false)
		n.inputs = k.body.InputShapes()
		k.own = ownSignature(k.body)
	}
	n.build(0)
	k.table.Layers = n.rows
	k.table.steps = n.steps
	k.table.Connected = n.functional && !n.chain()
	if !k.table.Connected {
		for _, r := range n.rows {
			r.ConnectedTo = nil
		}
	}
	return nil
}
