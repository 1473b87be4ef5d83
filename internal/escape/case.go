package escape

import (
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/tfrun/tfrun/internal/ops"
)

// Case is a model that tries to reach the canary.
type Case struct {
	Op       string   // the operation that touches the canary
	Place    string   // the place in the model where it is
	Disguise string   // how its path is hidden
	Form     string   // how the model is encoded
	Tags     []string // of the graph to load
	Path     string   // the value for the input "path", in models that have one

	make func() (harmful *pb.MetaGraphDef, assets map[string][]byte)
	form form
}

// String describes the case.
func (c Case) String() string {
	return c.Op + " in " + c.Place + ", path " + c.Disguise + ", " + c.Form
}

// Bytes returns the model in the form of saved_model.pb.
func (c Case) Bytes() []byte {
	harmful, _ := c.make()
	return c.form.write(harmful, harmlessDouble(harmful, c.Op))
}

// Text returns the model in the form of saved_model.pbtxt.
func (c Case) Text() []byte {
	harmful, _ := c.make()
	text, err := prototext.Marshal(&pb.SavedModel{SavedModelSchemaVersion: 1, MetaGraphs: []*pb.MetaGraphDef{harmful}})
	must(err)
	return text
}

// Write writes the model's files, with the assets, to a folder. With text the model is a
// saved_model.pbtxt.
func (c Case) Write(dir string, text bool) error {
	name, data := "saved_model.pb", c.Bytes
	if text {
		name, data = "saved_model.pbtxt", c.Text
	}
	if err := os.MkdirAll(filepath.Join(dir, "assets"), 0o700); err != nil {
		return err
	}
	harmful, assets := c.make()
	if harmful.GetSaverDef() != nil {
		if err := writeCheckpoint(filepath.Join(dir, "variables"), "own"); err != nil {
			return err
		}
	}
	for file, data := range assets {
		if err := os.WriteFile(filepath.Join(dir, "assets", file), data, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, name), data(), 0o600)
}

// Cases yields every operation that can reach the canary in every place, and with each disguise of
// its path if it has one; and some of these operations in every place in every form.
func Cases(c Canary) iter.Seq[Case] {
	return func(yield func(Case) bool) {
		for _, p := range payloads(c) {
			for _, at := range places() {
				for i, d := range disguises {
					if i > 0 && p.path == "" || d.main && !at.main {
						continue
					}
					if !yield(newCase(p, at, d, asIs)) {
						return
					}
				}
				if !slices.Contains([]string{"ReadFile", "WriteFile", "PrintV2", "InitializeTableFromTextFileV2"}, p.op) {
					continue
				}
				for _, f := range forms() {
					if !yield(newCase(p, at, plain, f)) {
						return
					}
				}
			}
		}
	}
}

// Refused yields, in every place, every operation of TensorFlow that does more than compute or keep
// state in memory, and an unknown operation. These models cannot run; what is tested is that
// TensorFlow does not get them.
func Refused(c Canary) iter.Seq[Case] {
	return func(yield func(Case) bool) {
		names := append(slices.Sorted(maps.Keys(ops.All())), "Nobody>Knows")
		for _, name := range names {
			o := ops.Of(name)
			if o != nil && o.Pure() {
				continue
			}
			p := payload{name, "", func(b *body, _ ref) ref {
				a := attrs{}
				if o != nil && o.Attr != "" {
					a[o.Attr] = "file://" + c.Out("attribute")
				}
				return b.identity(b.text("done"), after(b.add(name, "", a)))
			}}
			for _, at := range places() {
				if !yield(newCase(p, at, plain, asIs)) {
					return
				}
			}
		}
	}
}

// Called yields models that read the secret, and others that write a file, in a function that each
// operation which may run, and runs functions, names in each of its attributes: alone, as the
// last of several, in the attributes of another function, or under a name that the operation does
// not have. Most are not as their operation wants them; what is tested is that TensorFlow does not
// get them.
func Called(c Canary) iter.Seq[Case] {
	return func(yield func(Case) bool) {
		for _, p := range payloads(c)[:2] {
			for _, name := range slices.Sorted(maps.Keys(ops.All())) {
				o := ops.Of(name)
				if !o.Pure() || o.Calls == nil {
					continue
				}
				for _, key := range append(slices.Clone(o.Calls), "escape") {
					for _, at := range calledPlaces(name, key) {
						if !yield(newCase(p, at, plain, asIs)) {
							return
						}
					}
				}
			}
		}
	}
}

// newCase returns a case; its model is made when it is asked for.
func newCase(p payload, at place, d disguise, f form) Case {
	return Case{Op: p.op, Place: at.name, Disguise: d.name, Form: f.name, Tags: f.tags, Path: p.path, form: f, make: func() (*pb.MetaGraphDef, map[string][]byte) {
		m := newModel()
		at.put(m, func(b *body) ref {
			if p.path == "" {
				return p.add(b, ref{})
			}
			return p.add(b, d.make(m, b, p.path))
		})
		return m.done(), m.assets
	}}
}
