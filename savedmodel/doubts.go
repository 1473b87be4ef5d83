package savedmodel

import (
	"fmt"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/strict"
	"github.com/tfrun/tfrun/internal/wire"
)

// Doubts lists what two readers of protobuf may read differently: a field that stands twice, which
// one reader merges and another overwrites, and a field that tfrun does not know. It looks at the
// graph, signatures, assets, saver and collections. Honest files have none.
func (mg *MetaGraph) Doubts() ([]graph.Doubt, error) {
	list, err := mg.graph.Doubts()
	if err != nil {
		return nil, err
	}
	d := (&pb.MetaGraphDef{}).ProtoReflect().Descriptor()
	seen := map[string]bool{}
	err = wire.Each(mg.raw.all, func(f wire.Field) error {
		fd := d.Fields().ByNumber(f.Num)
		if fd == nil || f.Type != protowire.BytesType {
			return nil // nobody reads it
		}
		name := string(fd.Name())
		if fd.IsMap() {
			key, err := wire.String(f.Data, wire.FieldMapKey)
			if err != nil {
				return err
			}
			name = fmt.Sprintf("%s[%q]", name, key)
		}
		if seen[name] && (fd.IsMap() || !fd.IsList()) {
			list = append(list, graph.Doubt{Msg: name + ": stands twice"})
		}
		seen[name] = true
		switch f.Num {
		case fieldMetaInfo, fieldGraphDef, fieldObjectGraph:
			return nil // tags are a list; the graph was looked at; no loader reads the objects
		}
		if err := strict.CheckKnown(f.Data, fd.Message()); err != nil {
			list = append(list, graph.Doubt{Msg: name + "." + err.Error()})
		}
		return nil
	})
	if err != nil {
		return nil, mg.damaged("its graph", err)
	}
	return list, nil
}
