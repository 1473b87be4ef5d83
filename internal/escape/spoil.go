package escape

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tfrun/tfrun/internal/wire"
)

// Spoiled yields models that read the secret, in every place, written so that each field of the
// file in turn is one that readers may differ about. What [Cases] does for the fields that matter
// today, Spoiled does for all that are there.
func Spoiled(c Canary) iter.Seq[Case] {
	return func(yield func(Case) bool) {
		read := payloads(c)[0]
		for _, at := range places() {
			harmful, _ := newCase(read, at, plain, asIs).make()
			for _, f := range spoiledForms(harmful, harmlessDouble(harmful, read.op)) {
				if !yield(newCase(read, at, plain, f)) {
					return
				}
			}
		}
	}
}

// spoils are ways to write a field so that readers may differ about it: change gets the field and
// returns what stands in its place.
var spoils = []struct {
	name   string
	change func(f wire.Field, raw []byte) []byte
}{
	{"twice", func(_ wire.Field, raw []byte) []byte { return slices.Concat(raw, raw) }},
	{"and as a number", func(f wire.Field, raw []byte) []byte {
		return protowire.AppendVarint(protowire.AppendTag(raw, f.Num, protowire.VarintType), 1)
	}},
	{"and as bytes", func(f wire.Field, raw []byte) []byte { return field(raw, f.Num, []byte("x")) }},
	{"and as 4 bytes", func(f wire.Field, raw []byte) []byte {
		return protowire.AppendFixed32(protowire.AppendTag(raw, f.Num, protowire.Fixed32Type), 1)
	}},
	{"and as a group", func(f wire.Field, raw []byte) []byte {
		raw = field(protowire.AppendTag(raw, f.Num, protowire.StartGroupType), 1, []byte("x"))
		return protowire.AppendTag(raw, f.Num, protowire.EndGroupType)
	}},
	{"and a field that nobody knows", func(f wire.Field, raw []byte) []byte { return field(raw, 4242, f.Data) }},
	{"under a longer number", func(f wire.Field, raw []byte) []byte {
		tag := protowire.AppendTag(nil, f.Num, f.Type)
		return slices.Concat(longer(tag), raw[len(tag):])
	}},
	{"of a longer length", func(f wire.Field, raw []byte) []byte {
		if f.Type != protowire.BytesType {
			return raw
		}
		tag := protowire.AppendTag(nil, f.Num, f.Type)
		return slices.Concat(tag, longer(protowire.AppendVarint(nil, uint64(len(f.Data)))), f.Data)
	}},
}

// longer writes a number in a byte more than it needs.
func longer(varint []byte) []byte {
	last := len(varint) - 1
	return append(append(slices.Clone(varint[:last]), varint[last]|0x80), 0)
}

// spoiledForms lists the ways to write a model, or it and its double, that differ from the usual
// one.
func spoiledForms(harmful, double *pb.MetaGraphDef) []form {
	honest := savedModel(harmful)
	var list []form
	add := func(name string, write func(harmful, double *pb.MetaGraphDef) []byte) {
		if !bytes.Equal(write(harmful, double), honest) {
			list = append(list, form{name, serve, write})
		}
	}
	root := (&pb.SavedModel{}).ProtoReflect().Descriptor()
	for _, path := range fieldPaths(honest, root, nil, map[string]bool{}) {
		name, last := pathName(path, root), len(path)-1
		for _, first := range []string{"first", "last"} {
			add(name+" twice, the harmless "+first, func(harmful, double *pb.MetaGraphDef) []byte {
				return twice(path, savedModel(double), savedModel(harmful), first == "first")
			})
		}
		for _, s := range spoils {
			add(name+" "+s.name, func(harmful, _ *pb.MetaGraphDef) []byte {
				return within(path[:last], savedModel(harmful), func(m []byte) []byte { return changed(m, path[last], s.change) })
			})
		}
	}
	return list
}

// changed changes the fields of one number in a message.
func changed(message []byte, n protowire.Number, change func(f wire.Field, raw []byte) []byte) []byte {
	var out []byte
	must(wire.EachRaw(message, func(f wire.Field, raw []byte) error {
		if f.Num == n {
			raw = change(f, slices.Clone(raw))
		}
		out = append(out, raw...)
		return nil
	}))
	return out
}

// mostSteps bounds how deep fields are looked for: attributes hold functions, whose attributes hold
// functions.
const mostSteps = 10

// fieldPaths lists the fields that stand in a message and in those that it holds, each once, by the
// numbers that lead there.
func fieldPaths(message []byte, d protoreflect.MessageDescriptor, at []protowire.Number, seen map[string]bool) (list [][]protowire.Number) {
	must(wire.EachRaw(message, func(f wire.Field, _ []byte) error {
		path := append(slices.Clone(at), f.Num)
		if key := fmt.Sprint(path); !seen[key] {
			seen[key] = true
			list = append(list, path)
		}
		if inner := d.Fields().ByNumber(f.Num); inner.Message() != nil && len(path) < mostSteps {
			list = append(list, fieldPaths(f.Data, inner.Message(), path, seen)...)
		}
		return nil
	}))
	return list
}

// pathName names a field with those that lead there.
func pathName(path []protowire.Number, d protoreflect.MessageDescriptor) string {
	name := ""
	for i, n := range path {
		f := d.Fields().ByNumber(n)
		if d = f.Message(); i > 0 {
			name += "."
		}
		name += string(f.Name())
	}
	return name
}
