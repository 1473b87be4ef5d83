package savedmodel

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tfrun/tfrun/internal/wire"
)

// Framework says which framework wrote a model, as far as the files show.
type Framework string

// The frameworks that leave their marks in a SavedModel.
const (
	// tf_keras or tf.keras: model.save, or tf.saved_model.save of a model
	Keras2 Framework = "keras2"
	// model.export, keras.export.ExportArchive, or tf.saved_model.save of a model
	Keras3   Framework = "keras3"
	TFModule Framework = "tf.Module" // tf.saved_model.save of any other object
	TF1      Framework = "tf1"       // tf.compat.v1.saved_model: no object graph
)

// rootObject returns the identifier of the object graph's root and the names of its children,
// decoding no other object.
func rootObject(data []byte) (identifier string, children []string) {
	stop := &FormatError{}
	_ = wire.Each(data, func(f wire.Field) error {
		if f.Num != fieldObjects || f.Type != protowire.BytesType {
			return nil
		}
		_ = wire.Each(f.Data, func(f wire.Field) error {
			switch f.Num {
			case fieldUserObject:
				identifier, _ = wire.String(f.Data, fieldIdentifier)
			case fieldChildren:
				if name, err := wire.String(f.Data, 2); err == nil {
					children = append(children, name)
				}
			}
			return nil
		})
		return stop
	})
	return identifier, children
}

// frameworkOf finds out which framework wrote a model, by the root of its serialized object graph.
func frameworkOf(objects []byte) Framework {
	if objects == nil {
		return TF1
	}
	id, children := rootObject(objects)
	has := func(name string) bool { return slices.Contains(children, name) }
	switch {
	case strings.HasPrefix(id, "_tf_keras"):
		return Keras2
	// keras.export.ExportArchive, which Keras 2 and Keras 3 have
	case has("_misc_assets") && has("variables") && has("trainable_variables"):
		// The archive of Keras 2 is itself the object that is saved; Keras 3 makes one for it.
		if has("_endpoint_names") || copiesNothing(objects) {
			return Keras2
		}
		return Keras3
	case has("_inbound_nodes") && has("_outbound_nodes"): // tf.saved_model.save
		return Keras3
	}
	return TFModule
}

// copiesNothing reports whether the lists of an exported archive hold the same variables: Keras 3
// keeps a second object for each in _all_variables, Keras 2 does not.
func copiesNothing(objects []byte) bool {
	g, err := readObjectGraph("", objects)
	if err != nil {
		return false
	}
	all := g.Items(g.Child(0, "_all_variables"))
	return slices.ContainsFunc(g.Items(g.Child(0, "variables")), func(id int) bool { return slices.Contains(all, id) })
}
