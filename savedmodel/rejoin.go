package savedmodel

import (
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// WithGraph returns a serialized SavedModel of this graph alone, with another GraphDef in the place
// of its own. nodes are the names of that GraphDef's nodes: signatures whose tensors are none of
// them are left out, and so are the tree of objects and the list of op definitions, which loaders
// in C++ do not read.
func (mg *MetaGraph) WithGraph(def []byte, nodes map[string]bool) ([]byte, error) {
	var meta []byte
	wroteGraph := false
	err := wire.EachRaw(mg.raw.all, func(f wire.Field, raw []byte) error {
		switch f.Num {
		case fieldObjectGraph:
			return nil
		case fieldGraphDef:
			if !wroteGraph {
				meta = protowire.AppendTag(meta, fieldGraphDef, protowire.BytesType)
				meta = protowire.AppendBytes(meta, def)
				wroteGraph = true
			}
			return nil
		case fieldMetaInfo:
			info, err := withoutField(f.Data, fieldStrippedOps)
			meta = protowire.AppendTag(meta, fieldMetaInfo, protowire.BytesType)
			meta = protowire.AppendBytes(meta, info)
			return err
		case fieldSignatures:
			name, err := wire.String(f.Data, graph.FieldMapKey)
			if err != nil || !mg.signatureIn(name, nodes) {
				return err
			}
		}
		meta = append(meta, raw...)
		return nil
	})
	if err != nil {
		return nil, mg.damaged("its graph", err)
	}
	out := protowire.AppendTag(nil, fieldSchemaVersion, protowire.VarintType)
	out = protowire.AppendVarint(out, 1)
	out = protowire.AppendTag(out, fieldMetaGraphs, protowire.BytesType)
	return protowire.AppendBytes(out, meta), nil
}

// withoutField returns a message without one of its fields.
func withoutField(message []byte, num protowire.Number) ([]byte, error) {
	var out []byte
	err := wire.EachRaw(message, func(f wire.Field, raw []byte) error {
		if f.Num != num {
			out = append(out, raw...)
		}
		return nil
	})
	return out, err
}

// signatureIn reports whether the graph still has all tensors of a signature.
func (mg *MetaGraph) signatureIn(name string, nodes map[string]bool) bool {
	s := mg.Signatures[name]
	if s == nil {
		return false
	}
	for _, tensors := range []map[string]TensorInfo{s.Inputs, s.Outputs} {
		for _, t := range tensors {
			for _, c := range append([]Component{{Tensor: t.Tensor}}, t.Components...) {
				if c.Tensor != "" && !nodes[graph.NodeOf(c.Tensor)] {
					return false
				}
			}
		}
	}
	return true
}
