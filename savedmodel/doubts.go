package savedmodel

import (
	"errors"
	"fmt"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/strict"
	"github.com/tfrun/tfrun/internal/wire"
)

// Doubts calls found with what two readers of protobuf may read differently: a field that stands
// twice, which one reader merges and another overwrites, and a field that tfrun does not know. It
// looks at the graph, signatures, assets, saver and collections. Honest files have none. An error
// of found ends it, and is returned.
func (mg *MetaGraph) Doubts(found func(graph.Doubt) error) error {
	if err := mg.graph.Doubts(found); err != nil {
		return err
	}
	d := (&pb.MetaGraphDef{}).ProtoReflect().Descriptor()
	seen := map[string]bool{}
	err := wire.Each(mg.raw.all, func(f wire.Field) error {
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
			if err := found(graph.Doubt{Msg: name + ": stands twice"}); err != nil {
				return err
			}
		}
		seen[name] = true
		switch f.Num {
		case fieldMetaInfo, fieldGraphDef, fieldObjectGraph:
			return nil // tags are a list; the graph was looked at; no loader reads the objects
		}
		if err := strict.CheckKnown(f.Data, fd.Message()); err != nil {
			return found(graph.Doubt{Msg: name + "." + err.Error()})
		}
		return nil
	})
	var cut *wire.Error
	if errors.As(err, &cut) {
		return mg.damaged("its graph", err)
	}
	return err
}
