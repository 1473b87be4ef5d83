package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
)

// site is a field of some message of a model.
type site struct {
	message protoreflect.Message
	field   protoreflect.FieldDescriptor
}

// sites lists the fields that are set, in all messages of a message.
func sites(m protoreflect.Message, list []site) []site {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		list = append(list, site{m, fd})
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					list = sites(v.Message(), list)
					return true
				})
			}
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				list = sites(v.List().Get(i).Message(), list)
			}
		case fd.Message() != nil:
			list = sites(v.Message(), list)
		}
		return true
	})
	return list
}

// distort changes what a site says: to something else that is well-formed, so that it is a sound
// model to protobuf and none to anybody else. others have values for texts.
func distort(r *rand.Rand, s site, others []site) {
	m, fd := s.message, s.field
	v := m.Get(fd)
	switch {
	case fd.IsMap():
		var keys []protoreflect.MapKey
		v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool { keys = append(keys, k); return true })
		k := keys[r.IntN(len(keys))]
		if other := keys[r.IntN(len(keys))]; r.IntN(2) == 0 {
			m.Mutable(fd).Map().Set(k, v.Map().Get(other))
		} else {
			m.Mutable(fd).Map().Clear(k)
		}
	case fd.IsList():
		list := m.Mutable(fd).List()
		i, j := r.IntN(list.Len()), r.IntN(list.Len())
		switch r.IntN(4) {
		case 0:
			list.Truncate(i)
		case 1:
			list.Append(list.Get(i))
		case 2:
			a, b := list.Get(i), list.Get(j)
			list.Set(i, b)
			list.Set(j, a)
		case 3:
			if fd.Kind() == protoreflect.StringKind {
				list.Set(i, protoreflect.ValueOfString(anyText(r, others)))
			} else {
				m.Clear(fd)
			}
		}
	case fd.Message() != nil:
		m.Clear(fd)
	case fd.Kind() == protoreflect.StringKind:
		m.Set(fd, protoreflect.ValueOfString(anyText(r, others)))
	case fd.Kind() == protoreflect.Int64Kind:
		m.Set(fd, protoreflect.ValueOfInt64([]int64{-1, 0, 1, 2, 3, 255, 1 << 31, -1 << 63}[r.IntN(8)]))
	case fd.Kind() == protoreflect.Int32Kind:
		m.Set(fd, protoreflect.ValueOfInt32([]int32{-1, 0, 1, 2, 3, 255, 1<<31 - 1, -1 << 31}[r.IntN(8)]))
	case fd.Kind() == protoreflect.EnumKind:
		m.Set(fd, protoreflect.ValueOfEnum(protoreflect.EnumNumber(r.IntN(30))))
	case fd.Kind() == protoreflect.BoolKind:
		m.Set(fd, protoreflect.ValueOfBool(!v.Bool()))
	default:
		m.Clear(fd)
	}
}

// anyText is a text that stands somewhere in the model: a node's name, an op, a tensor.
func anyText(r *rand.Rand, others []site) string {
	for range 20 {
		s := others[r.IntN(len(others))]
		switch v := s.message.Get(s.field); {
		case s.field.Kind() != protoreflect.StringKind || s.field.IsMap():
		case s.field.IsList():
			if v.List().Len() > 0 {
				return v.List().Get(r.IntN(v.List().Len())).String()
			}
		default:
			return v.String()
		}
	}
	return ""
}

// TestDistortedModels holds that no walk over a model panics where its parts contradict each other:
// ranks, inputs, functions, signatures and attributes that do not belong together.
func TestDistortedModels(t *testing.T) {
	names := []string{"mod_vocab_asset", "mod_control_flow", "mod_ragged", "mod_sparse", "mod_dtypes", "mod_lookup_table", "k2_masked", "k3_gru", "k3_mha", "k3_cnn2d", "tf1_while", "own_tf1_census", "k3_wide_deep"}
	rounds := 60
	if testing.Short() {
		rounds = 5
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join(modeltest.Dir(name), "saved_model.pb"))
			if err != nil {
				t.Fatal(err)
			}
			whole := &pb.SavedModel{}
			if err := proto.Unmarshal(data, whole); err != nil {
				t.Fatal(err)
			}
			for seed := range rounds {
				r := rand.New(rand.NewPCG(uint64(seed), 17)) //nolint:gosec // a test that repeats itself
				m := proto.Clone(whole).(*pb.SavedModel)
				list := sites(m.ProtoReflect(), nil)
				dims := slices.DeleteFunc(slices.Clone(list), func(s site) bool { return s.message.Descriptor().Name() != "TensorShapeProto" })
				for k := range 2 + r.IntN(8) {
					from := list
					if k%2 == 0 { // most of what walks count with are ranks
						from = dims
					}
					if s := from[r.IntN(len(from))]; s.message.Has(s.field) {
						distort(r, s, list)
					}
				}
				distorted, err := proto.Marshal(m)
				if err != nil {
					continue
				}
				walkAll(t, fmt.Sprint("distortion ", seed), modeltest.Dir(name), distorted)
			}
		})
	}
}

// walkAll does everything with a model. A panic fails the test.
func walkAll(t *testing.T, what, dir string, data []byte) {
	for _, w := range walks {
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s, %s: panic: %v\n%s", what, w.name, p, debug.Stack())
				}
			}()
			m, err := savedmodel.FromBytes(dir, data)
			if err != nil {
				return
			}
			w.walk(m)
		}()
	}
}
