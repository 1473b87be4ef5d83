package scan

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/savedmodel"
)

// disguisedTexts are ways to write a JSON object that Python reads as before.
var disguisedTexts = map[string]func(text string) string{
	"as it is":                   func(t string) string { return t },
	"NaN":                        func(t string) string { return t[:len(t)-1] + `, "z": NaN}` },
	"an infinity":                func(t string) string { return `{"z": [1, -Infinity], ` + t[1:] },
	"a large number":             func(t string) string { return t[:len(t)-1] + `, "z": 1e999}` },
	"a long number":              func(t string) string { return `{"z": ` + strings.Repeat("9", 4000) + `, ` + t[1:] },
	"a key in capitals":          func(t string) string { return t[:len(t)-1] + `, "CONFIG": {}, "Class_Name": "Dense"}` },
	"no class in capitals":       func(t string) string { return t[:len(t)-1] + `, "CLASS_NAME": ""}` },
	"a key that stands twice":    func(t string) string { return `{"config": {}, "class_name": "Dense", ` + t[1:] },
	"a key of another type":      func(t string) string { return t[:len(t)-1] + `, "Name": 5, "trainable": "yes"}` },
	"NaN in the config":          inConfig(`"z": NaN, `),
	"a large number in it":       inConfig(`"z": -1e999, `),
	"half a surrogate pair":      func(t string) string { return t[:len(t)-1] + `, "z": "\ud800"}` },
	"space":                      func(t string) string { return "\n\t " + t + " \r\n" },
	"more than is read":          func(t string) string { return t[:len(t)-1] + `, "z": [0` + strings.Repeat(",0", 1<<20) + `]}` },
	"beside what trains a model": func(t string) string { return `{"training_config": {"loss": ` + t + `}}` },
}

// inConfig writes something at the beginning of the config.
func inConfig(more string) func(text string) string {
	return func(t string) string { return strings.Replace(t, `"config": {`, `"config": {`+more, 1) }
}

// TestHidden hides the bytecode of a Lambda layer, in the metadata of Keras 2 and in a
// configuration of Keras 3, from readers that are no Python. Whatever Python would read is found,
// or it is said that it cannot be.
func TestHidden(t *testing.T) {
	t.Parallel()
	for name, disguise := range disguisedTexts {
		config := disguise(`{"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wE="}}}}`)
		if found := Config([]byte(config)); !runsCode(found) {
			t.Errorf("%s, in a configuration: %v", name, found)
		}
		for at, change := range map[string]func(metadata []byte) []byte{
			"nothing else": func(b []byte) []byte { return b },
			"a field beside": func(b []byte) []byte {
				return protowire.AppendVarint(protowire.AppendTag(b, 99, protowire.VarintType), 1)
			},
			"the object stands twice": func(b []byte) []byte { return slices.Concat(b, b) },
			"an object without a text": func(b []byte) []byte {
				return protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), nil)
			},
		} {
			for _, root := range []string{"_tf_keras_network", "_generic_user_obj"} {
				m := hiddenModel(t, disguise, change, root)
				r, err := Scan(m.MetaGraphs[0])
				if err != nil {
					t.Fatalf("%s, %s, below %s: %v", name, at, root, err)
				}
				if !runsCode(r.Findings) {
					t.Errorf("%s, %s, below %s: %v", name, at, root, r.Findings)
				}
			}
		}
	}
}

// TestHiddenInObjects does the same with the metadata in the object graph, where TensorFlow up to
// 2.4 kept it.
func TestHiddenInObjects(t *testing.T) {
	t.Parallel()
	for name, disguise := range disguisedTexts {
		dir := modeltest.Copy(t, "k2_lambda_layer")
		m, err := savedmodel.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		meta, err := m.MetaGraphs[0].KerasMetadata()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "saved_model.pb")
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		def := &pb.SavedModel{}
		if err := proto.Unmarshal(data, def); err != nil {
			t.Fatal(err)
		}
		for id, o := range meta {
			text := disguise(string(o.Text))
			//lint:ignore SA1019 deprecated for writers; old models have nothing else
			def.MetaGraphs[0].ObjectGraphDef.Nodes[id].GetUserObject().Metadata = text
		}
		if data, err = proto.Marshal(def); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(file, data, 0o600), os.Remove(filepath.Join(dir, "keras_metadata.pb"))); err != nil {
			t.Fatal(err)
		}
		if m, err = savedmodel.Open(dir); err != nil {
			t.Fatal(err)
		}
		r, err := Scan(m.MetaGraphs[0])
		if err != nil || !runsCode(r.Findings) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// runsCode reports whether findings say that Keras runs code, or that it may.
func runsCode(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool {
		return f.Severity == Unsafe && (f.Kind == Bytecode || f.Kind == OddMetadata)
	})
}

// hiddenModel is a model with a Lambda layer, whose metadata is changed: the texts by disguise, the
// file by change. root is what the model's object is called in the graph.
func hiddenModel(t *testing.T, disguise func(string) string, change func([]byte) []byte, root string) *savedmodel.Model {
	t.Helper()
	dir := modeltest.Copy(t, "k2_lambda_layer")
	for file, edit := range map[string]func(b []byte) []byte{
		"keras_metadata.pb": func(b []byte) []byte {
			return change(rewritten(t, b, 1, func(node []byte) []byte {
				return rewritten(t, node, 5, func(text []byte) []byte {
					if strings.Contains(string(text), `"class_name": "Lambda", "config": {"name"`) || strings.Contains(string(text), `"Functional"`) {
						return []byte(disguise(string(text)))
					}
					return text
				})
			}))
		},
		"saved_model.pb": func(b []byte) []byte {
			return []byte(strings.ReplaceAll(string(b), "_tf_keras_network", root))
		},
	} {
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, edit(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := savedmodel.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rewritten changes the fields of one number in a message.
func rewritten(t *testing.T, message []byte, n protowire.Number, change func([]byte) []byte) (out []byte) {
	t.Helper()
	err := wire.EachRaw(message, func(f wire.Field, raw []byte) error {
		if f.Num == n && f.Type == protowire.BytesType {
			raw = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), change(f.Data))
		}
		out = append(out, raw...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
