package savedmodel

import (
	"errors"
	"fmt"
	"slices"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of saved_model.proto, meta_graph.proto and graph.proto.
const (
	fieldSchemaVersion = 1 // SavedModel
	fieldMetaGraphs    = 2

	fieldMetaInfo    = 1 // MetaGraphDef
	fieldGraphDef    = 2
	fieldSaverDef    = 3
	fieldCollections = 4
	fieldSignatures  = 5
	fieldAssetFiles  = 6
	fieldObjectGraph = 7

	fieldStrippedOps       = 2 // MetaInfoDef
	fieldTags              = 4
	fieldTensorFlowVersion = 5
)

// split fills m.MetaGraphs from a serialized SavedModel. It decodes the tags, the signatures and
// the assets only.
func (m *Model) split(data []byte) error {
	err := wire.Each(data, func(f wire.Field) error {
		switch {
		case f.Num == fieldSchemaVersion && f.Type == protowire.VarintType:
		case f.Num == fieldMetaGraphs && f.Type == protowire.BytesType:
			if len(m.MetaGraphs) == maxMetaGraphs {
				return formatError(m.File, "holds more than %d graphs", maxMetaGraphs)
			}
			mg, err := m.splitMetaGraph(f.Data)
			if err != nil {
				return err
			}
			m.MetaGraphs = append(m.MetaGraphs, mg)
		default:
			return &FormatError{File: m.File, Msg: "is not a SavedModel: no such field in its protobuf message", Offset: int64(f.Offset)}
		}
		return nil
	})
	switch bad := (*wire.Error)(nil); {
	case errors.As(err, &bad) && bad.Offset < 32 && !startsLikeSavedModel(data):
		return formatError(m.File, "is not a SavedModel: the bytes are no protobuf message")
	case errors.Is(err, wire.ErrCut):
		return formatError(m.File, "is cut off: it ends after %d bytes in the middle of a message; copy it again", len(data))
	case errors.As(err, &bad):
		return formatError(m.File, "is not a SavedModel, or is damaged: %v", bad)
	case err != nil:
		return err
	case len(m.MetaGraphs) == 0:
		return formatError(m.File, "holds no graph")
	}
	return nil
}

// startsLikeSavedModel tells a truncated SavedModel, whose first field is whole or begins a
// MetaGraphDef, from garbage.
func startsLikeSavedModel(data []byte) bool {
	num, typ, n := protowire.ConsumeTag(data)
	if n > 0 && num == fieldSchemaVersion && typ == protowire.VarintType {
		_, m := protowire.ConsumeVarint(data[n:])
		if m < 0 {
			return false
		}
		data = data[n+m:]
		num, typ, n = protowire.ConsumeTag(data)
	}
	if n <= 0 || num != fieldMetaGraphs || typ != protowire.BytesType {
		return false
	}
	size, k := protowire.ConsumeVarint(data[n:])
	if k < 0 || size > maxBinary {
		return false
	}
	// What is there of the graph must begin with one of its own fields.
	num, typ, n = protowire.ConsumeTag(data[n+k:])
	return n > 0 && num <= fieldObjectGraph && typ == protowire.BytesType
}

// splitMetaGraph decodes what names a MetaGraphDef and keeps the rest serialized.
func (m *Model) splitMetaGraph(data []byte) (*MetaGraph, error) {
	mg := &MetaGraph{model: m, Signatures: map[string]*Signature{}, raw: rawMetaGraph{all: data}}
	err := wire.Each(data, func(f wire.Field) error {
		if f.Type != protowire.BytesType {
			return nil
		}
		switch f.Num {
		case fieldMetaInfo:
			return mg.readMetaInfo(f.Data)
		case fieldGraphDef:
			mg.raw.graph = join(mg.raw.graph, f.Data)
		case fieldSaverDef:
			mg.raw.saver = join(mg.raw.saver, f.Data)
		case fieldCollections:
			mg.raw.collections = append(mg.raw.collections, f.Data)
		case fieldObjectGraph:
			mg.raw.objectGraph = join(mg.raw.objectGraph, f.Data)
		case fieldSignatures:
			return mg.readSignature(f.Data)
		case fieldAssetFiles:
			return mg.readAsset(f.Data)
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, wire.ErrCut) {
			return nil, formatError(m.File, "is damaged: a length inside its graph reaches beyond the graph's end")
		}
		return nil, err
	}
	if mg.Assets == nil {
		if err := mg.readLegacyAssets(); err != nil {
			return nil, mg.damaged("its list of assets", err)
		}
	}
	slices.Sort(mg.Tags)
	mg.Tags = slices.Compact(mg.Tags) // a set, as TensorFlow compares them
	mg.graph = graph.New(mg.raw.graph, mg.raw.ops, fileFaults(m.File))
	mg.objs = once(func() (*ObjectGraph, error) { return readObjectGraph(fileFaults(m.File), mg.raw.objectGraph) })
	mg.saver = once(mg.readSaver)
	mg.fills = once(mg.readFills)
	mg.Framework = frameworkOf(mg.raw.objectGraph)
	mg.shapeByGraph()
	return mg, nil
}

// shapeByGraph gives tensors of signatures the shapes that the graph has for them, where the
// signature names none, as in signatures that were written by hand. TensorFlow's loader goes by the
// graph, too. What is damaged in the graph is found where the graph is needed.
func (mg *MetaGraph) shapeByGraph() {
	for _, s := range mg.Signatures {
		for _, tensors := range []map[string]TensorInfo{s.Inputs, s.Outputs} {
			for key, t := range tensors {
				if !t.unshaped || s.InitOp || t.Encoding != Dense {
					continue
				}
				if def, err := mg.graph.Node(graph.NodeOf(t.Tensor)); err == nil && def != nil {
					if shape := graph.OutputShape(def, t.Tensor); shape.Ranked() {
						t.Shape = shape
						tensors[key] = t
					}
				}
			}
		}
	}
}

// join returns the concatenation of two pieces of one message, without copying in the usual case of
// a single piece.
func join(a, b []byte) []byte {
	if a == nil {
		return b[:len(b):len(b)]
	}
	return append(a, b...)
}

// readMetaInfo reads the tags and the version of a MetaInfoDef. Its list of op definitions, the
// largest part, is not decoded.
func (mg *MetaGraph) readMetaInfo(data []byte) error {
	return wire.Each(data, func(f wire.Field) error {
		switch {
		case f.Num == fieldTags && f.Type == protowire.BytesType:
			mg.Tags = append(mg.Tags, string(f.Data))
		case f.Num == fieldStrippedOps && f.Type == protowire.BytesType:
			mg.raw.ops = join(mg.raw.ops, f.Data)
		case f.Num == fieldTensorFlowVersion && f.Type == protowire.BytesType:
			mg.TensorFlowVersion = string(f.Data)
		}
		return nil
	})
}

// readSignature reads one entry of the signature map.
func (mg *MetaGraph) readSignature(entry []byte) error {
	var name string
	def := &pb.SignatureDef{}
	err := wire.Each(entry, func(f wire.Field) error {
		switch {
		case f.Num == 1 && f.Type == protowire.BytesType:
			name = string(f.Data)
		case f.Num == 2 && f.Type == protowire.BytesType:
			return mg.unmarshal(f.Data, def, "a signature")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(mg.Signatures) == maxSignatures {
		return formatError(mg.model.File, "has more than %d signatures", maxSignatures)
	}
	if mg.Signatures[name], err = newSignature(name, def); err != nil {
		return formatError(mg.model.File, "is damaged: %v", err)
	}
	if mg.model.tensors += mg.Signatures[name].size(); mg.model.tensors > maxTensors {
		return formatError(mg.model.File, "has signatures with more than %d inputs and outputs between them", maxTensors)
	}
	return nil
}

// size is the number of a signature's tensors, where one of several parts counts as these.
func (s *Signature) size() int {
	n := 0
	for _, tensors := range []map[string]TensorInfo{s.Inputs, s.Outputs} {
		for _, t := range tensors {
			n += 1 + len(t.Components)
		}
	}
	return n
}

// readAsset reads one AssetFileDef.
func (mg *MetaGraph) readAsset(data []byte) error {
	if len(mg.Assets) == maxAssets {
		return formatError(mg.model.File, "has more than %d assets", maxAssets)
	}
	def := &pb.AssetFileDef{}
	if err := mg.unmarshal(data, def, "an asset"); err != nil {
		return err
	}
	mg.Assets = append(mg.Assets, Asset{Tensor: def.GetTensorInfo().GetName(), Filename: def.GetFilename()})
	return nil
}

// readLegacyAssets reads the assets from the collection where releases before asset_file_def put
// them, as TensorFlow's loader does when there are no others (util::GetAssetFileDefs).
func (mg *MetaGraph) readLegacyAssets() error {
	def, err := mg.collection("saved_model_assets")
	if err != nil {
		return err
	}
	for _, packed := range def.GetAnyList().GetValue() {
		if err := mg.readAsset(packed.GetValue()); err != nil {
			return err
		}
	}
	return nil
}

// Proto decodes the whole graph, as TensorFlow's own message. It takes some 40 times as long as
// [Open] and is not kept: each call decodes anew.
func (mg *MetaGraph) Proto() (*pb.MetaGraphDef, error) {
	def := &pb.MetaGraphDef{}
	if err := mg.unmarshal(mg.raw.all, def, fmt.Sprintf("the graph [%v]", mg)); err != nil {
		return nil, err
	}
	return def, nil
}

// WithGraph returns a serialized SavedModel of this graph alone, with another GraphDef in the place
// of its own. nodes are the names of that GraphDef's nodes: signatures whose tensors are none of
// them are left out, and so are the tree of objects and the list of op definitions, which loaders
// in C++ do not read. If [FillOp] is one of them, it becomes the restore op.
func (mg *MetaGraph) WithGraph(def []byte, nodes map[string]bool) ([]byte, error) {
	var meta []byte
	wroteGraph := false
	err := wire.EachRaw(mg.raw.all, func(f wire.Field, raw []byte) error {
		switch f.Num {
		case fieldObjectGraph:
			return nil
		case fieldGraphDef:
			if !wroteGraph {
				meta = wire.Append(meta, fieldGraphDef, def)
				wroteGraph = true
			}
			return nil
		case fieldSaverDef:
			if nodes[FillOp] {
				return nil // another takes its place
			}
		case fieldMetaInfo:
			info, err := withoutField(f.Data, fieldStrippedOps)
			meta = wire.Append(meta, fieldMetaInfo, info)
			return err
		case fieldSignatures:
			name, err := wire.String(f.Data, wire.FieldMapKey)
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
	if nodes[FillOp] {
		saver, err := mg.fillingSaver()
		if err != nil {
			return nil, err
		}
		meta = wire.Append(meta, fieldSaverDef, saver)
	}
	out := protowire.AppendTag(nil, fieldSchemaVersion, protowire.VarintType)
	out = protowire.AppendVarint(out, 1)
	return wire.Append(out, fieldMetaGraphs, meta), nil
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
