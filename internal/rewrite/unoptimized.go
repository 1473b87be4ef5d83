package rewrite

import (
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/wire"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// optimizerOff is a serialized ConfigProto. Appended to another one it overrides its setting.
var optimizerOff, _ = proto.Marshal(&pb.ConfigProto{
	GraphOptions: &pb.GraphOptions{RewriteOptions: &pb.RewriterConfig{DisableMetaOptimizer: true}},
})

// unoptimizedFunction returns a FunctionDef whose calls turn the optimizer off.
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

// appendUnoptimized appends a NodeDef as a field. If it calls a function
// (tensorflow/core/ops/functional_ops.cc), its ConfigProto turns the optimizer off.
func appendUnoptimized(out []byte, num protowire.Number, node []byte) ([]byte, error) {
	var changed []byte
	err := wire.EachRaw(node, func(f wire.Field, raw []byte) error {
		if f.Num == graph.FieldNodeAttrs && f.Type == protowire.BytesType {
			key, err := wire.String(f.Data, wire.FieldMapKey)
			if err != nil {
				return err
			}
			if key == "config_proto" {
				config, err := graph.EntryString(f.Data)
				changed = wire.Append(changed, graph.FieldNodeAttrs, wire.Entry(key, wire.Append(nil, graph.FieldAttrString, []byte(config+string(optimizerOff)))))
				return err
			}
		}
		changed = append(changed, raw...)
		return nil
	})
	return wire.Append(out, num, changed), err
}
