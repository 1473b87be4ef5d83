package rewrite

import (
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// optimizerOff is a serialized ConfigProto. Put behind another one, it is merged into that.
var optimizerOff, _ = proto.Marshal(&pb.ConfigProto{
	GraphOptions: &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{DisableMetaOptimizer: true}},
})

// unoptimizedFunction returns a FunctionDef whose calls of functions ask for no optimizer.
func unoptimizedFunction(def []byte) ([]byte, error) {
	out := make([]byte, 0, len(def)+len(def)/8)
	err := wire.EachRaw(def, func(f wire.Field, raw []byte) (err error) {
		if f.Num == graph.FieldFunctionNodes && f.Type == protowire.BytesType {
			out, err = appendUnoptimized(out, graph.FieldFunctionNodes, f.Data)
			return err
		}
		out = append(out, raw...)
		return nil
	})
	return out, err
}

// appendUnoptimized appends a NodeDef as a field. Where it is a call of a function
// (tensorflow/core/ops/functional_ops.cc), its ConfigProto asks for no optimizer.
func appendUnoptimized(out []byte, num protowire.Number, node []byte) ([]byte, error) {
	var changed []byte
	err := wire.EachRaw(node, func(f wire.Field, raw []byte) error {
		if f.Num == graph.FieldNodeAttrs && f.Type == protowire.BytesType {
			key, err := wire.String(f.Data, graph.FieldMapKey)
			if err != nil {
				return err
			}
			if key == "config_proto" {
				config, err := graph.EntryString(f.Data)
				changed = protowire.AppendTag(changed, graph.FieldNodeAttrs, protowire.BytesType)
				changed = protowire.AppendBytes(changed, stringEntry(key, config+string(optimizerOff)))
				return err
			}
		}
		changed = append(changed, raw...)
		return nil
	})
	out = protowire.AppendTag(out, num, protowire.BytesType)
	return protowire.AppendBytes(out, changed), err
}

// stringEntry is an entry of a map of attributes whose value is a string.
func stringEntry(key, value string) []byte {
	attr := protowire.AppendTag(nil, graph.FieldAttrString, protowire.BytesType)
	attr = protowire.AppendString(attr, value)
	entry := protowire.AppendTag(nil, graph.FieldMapKey, protowire.BytesType)
	entry = protowire.AppendString(entry, key)
	entry = protowire.AppendTag(entry, graph.FieldMapValue, protowire.BytesType)
	return protowire.AppendBytes(entry, attr)
}
