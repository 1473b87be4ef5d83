package savedmodel

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	shapepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_shape_go_proto"
	slicepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/tensor_slice_go_proto"
	typespb "github.com/galeone/tensorflow/tensorflow/go/core/framework/types_go_proto"
	versionspb "github.com/galeone/tensorflow/tensorflow/go/core/framework/versions_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"
)

// TestDamagedVariables damages a checkpoint in one way at a time. Verify, or reading the values as
// `shapes --variables --stats` does and as a load that failed does, says which file it is, and
// which entry where it is one's.
func TestDamagedVariables(t *testing.T) {
	t.Parallel()
	const (
		// of the model's first layer: float32 (5,)
		bias  = "_all_variables/1/.ATTRIBUTES/VARIABLE_VALUE"
		index = "variables.index"
		data  = "variables.data-00000-of-00001"
	)
	entry := func(change func(e *pb.BundleEntryProto)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			editIndex(t, filepath.Join(dir, index), func(key string, value []byte) []byte {
				e := &pb.BundleEntryProto{}
				if key != bias {
					return value
				}
				if err := proto.Unmarshal(value, e); err != nil {
					t.Fatal(err)
				}
				change(e)
				return encoded(t, e)
			})
		}
	}
	header := func(change func(h *pb.BundleHeaderProto)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			editIndex(t, filepath.Join(dir, index), func(key string, value []byte) []byte {
				h := &pb.BundleHeaderProto{}
				if key != "" {
					return value
				}
				if err := proto.Unmarshal(value, h); err != nil {
					t.Fatal(err)
				}
				change(h)
				return encoded(t, h)
			})
		}
	}
	without := func(gone string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			editIndex(t, filepath.Join(dir, index), func(key string, value []byte) []byte {
				if key == gone {
					return nil
				}
				return value
			})
		}
	}
	file := func(name string, change func(b []byte) []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			name := filepath.Join(dir, name)
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, change(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	instead := func(name string, put func(string) error) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			name := filepath.Join(dir, name)
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			if err := put(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	nothing := func(string) error { return nil }
	mkdir := func(name string) error { return os.Mkdir(name, 0o777) }
	flip := func(at int) func(b []byte) []byte {
		return func(b []byte) []byte { b[at] ^= 1; return b }
	}
	shape := func(dims ...int64) *shapepb.TensorShapeProto {
		s := &shapepb.TensorShapeProto{}
		for _, d := range dims {
			s.Dim = append(s.Dim, &shapepb.TensorShapeProto_Dim{Size: d})
		}
		return s
	}
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string) // to the folder of the variables
		file   string
		says   string
	}{
		{"no index", instead(index, nothing), index, "is missing"},
		{"an index cut off", file(index, func(b []byte) []byte { return b[:len(b)/2] }), index, "cut off"},
		{"an index of noise", file(index, func(b []byte) []byte { return bytes.Repeat([]byte{0x9e, 7}, len(b)/2) }), index, "not a checkpoint index"},
		{"an index with a bit changed", file(index, flip(20)), index, "the checksum of the block at byte 0"},
		{"a directory for an index", instead(index, mkdir), index, "is no regular file"},
		{"an index of a later version", header(func(h *pb.BundleHeaderProto) {
			h.Version = &versionspb.VersionDef{Producer: 99, MinConsumer: 99}
		}), index, "want a checkpoint of version 1, got 99"},
		{"an index that rules version 1 out", header(func(h *pb.BundleHeaderProto) { h.Version.BadConsumers = []int32{1} }), index, "want a checkpoint of version 1"},
		{"big-endian values", header(func(h *pb.BundleHeaderProto) { h.Endianness = pb.BundleHeaderProto_BIG }), index, "big-endian"},
		{"no header", without(""), index, "has no header"},
		{"no values", instead(data, nothing), data, "is missing"},
		{"half of the values", file(data, func(b []byte) []byte { return b[:len(b)/2] }), data, "is cut off"},
		{"values of no bytes", file(data, func([]byte) []byte { return nil }), data, "is cut off: 0 bytes long"},
		{"a directory for values", instead(data, mkdir), data, "is no regular file"},
		{"a value with a bit changed", file(data, flip(657)), data, `the values of "enc/dense/bias" are damaged`},
		{"the object graph with a bit changed", file(data, flip(1500)), data, `the values of "_CHECKPOINTABLE_OBJECT_GRAPH" are damaged`},
		{"a variable without an entry", without(bias), index, `has no value for "_all_variables/1"`},
		{"an entry of noise", func(t *testing.T, dir string) {
			editIndex(t, filepath.Join(dir, index), func(key string, value []byte) []byte {
				if key == bias {
					return []byte{0xff, 0xff}
				}
				return value
			})
		}, index, bias},
		{"another type of the same size", entry(func(e *pb.BundleEntryProto) { e.Dtype = typespb.DataType_DT_INT32 }), index, `("enc/dense/bias") is int32, and the variable is float32`},
		{"another type", entry(func(e *pb.BundleEntryProto) { e.Dtype = typespb.DataType_DT_DOUBLE }), index, bias + `" has 20 bytes`},
		{"texts for numbers", entry(func(e *pb.BundleEntryProto) { e.Dtype = typespb.DataType_DT_STRING }), index, `("enc/dense/bias") is string`},
		{"a type that there is not", entry(func(e *pb.BundleEntryProto) { e.Dtype = 77 }), index, `("enc/dense/bias") is dtype(77)`},
		{"another shape", entry(func(e *pb.BundleEntryProto) { e.Shape = shape(2, 2) }), index, bias + `" has 20 bytes`},
		{"another shape of the same size", entry(func(e *pb.BundleEntryProto) { e.Shape = shape(1, 5) }), index, `("enc/dense/bias") has shape (1, 5), and the variable has (5,)`},
		{"a place behind the end", entry(func(e *pb.BundleEntryProto) { e.Offset = 1 << 20 }), data, "is cut off"},
		{"a place before the beginning", entry(func(e *pb.BundleEntryProto) { e.Offset = -4 }), index, bias + `" lies at an impossible place`},
		{"another variable's place", entry(func(e *pb.BundleEntryProto) { e.Offset = 4 }), data, `the values of "enc/dense/bias" are damaged`},
		{"no bytes", entry(func(e *pb.BundleEntryProto) { e.Size = 0 }), index, bias + `" has 0 bytes`},
		{"a data file that there is not", entry(func(e *pb.BundleEntryProto) { e.ShardId = 3 }), index, bias + `" lies in data file 3 of 1`},
		{"another checksum", entry(func(e *pb.BundleEntryProto) { e.Crc32C++ }), data, `the values of "enc/dense/bias" are damaged`},
		{"slices without an entry", entry(func(e *pb.BundleEntryProto) {
			e.Slices = []*slicepb.TensorSliceProto{{Extent: []*slicepb.TensorSliceProto_Extent{{Start: 0}}}}
		}), index, bias + `" lacks 1 of the 1 slices`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "model")
			if err := os.CopyFS(dir, os.DirFS("../testdata/models/k3_autoencoder/model")); err != nil {
				t.Fatal(err)
			}
			c.damage(t, filepath.Join(dir, "variables"))
			err := verified(t, dir)
			if err == nil {
				t.Fatal("nothing was found")
			}
			if want := filepath.Join(dir, "variables", c.file); !strings.HasPrefix(err.Error(), want+": ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v\nwant %s: … %s", err, want, c.says)
			}
		})
	}
}

// verified looks at a model as loading it does, and then at the values, as what follows a load that
// failed does.
func verified(t *testing.T, dir string) error {
	t.Helper()
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.MetaGraphs[0].Verify(); err != nil {
		return err
	}
	keys, err := m.MetaGraphs[0].RestoredKeys()
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Checkpoint()
	if err != nil {
		return err
	}
	return c.CheckValues(t.Context(), keys)
}

// TestDamagedSlices takes a slice of a partitioned variable away, or gives it another type or
// shape.
func TestDamagedSlices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(e *pb.BundleEntryProto) *pb.BundleEntryProto
		says   string
	}{
		{"missing", func(*pb.BundleEntryProto) *pb.BundleEntryProto { return nil }, `entry "rows" lacks 1 of the 3 slices`},
		{"of another type", func(e *pb.BundleEntryProto) *pb.BundleEntryProto {
			e.Dtype = typespb.DataType_DT_INT32
			return e
		}, `entry "rows" is float32, and its slice of shape`},
		{"of another shape", func(e *pb.BundleEntryProto) *pb.BundleEntryProto {
			d := e.Shape.Dim
			d[0], d[1] = d[1], d[0]
			return e
		}, `entry "rows" has a slice of shape (4, 3) in the place of one of [3 4]`},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("testdata/partitioned")); err != nil {
			t.Fatal(err)
		}
		done := false
		editIndex(t, filepath.Join(dir, "variables", "variables.index"), func(key string, value []byte) []byte {
			name, _, ok := sliceKey([]byte(key))
			if !ok || name != "rows" || done {
				return value
			}
			done = true
			e := &pb.BundleEntryProto{}
			if err := proto.Unmarshal(value, e); err != nil {
				t.Fatal(err)
			}
			if e = c.change(e); e == nil {
				return nil
			}
			return encoded(t, e)
		})
		_, err := (&Model{Dir: dir}).Checkpoint()
		if err == nil || !strings.Contains(err.Error(), "variables.index: is damaged: "+c.says) {
			t.Errorf("%s: %v, want %s", c.name, err, c.says)
		}
	}
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// editIndex rewrites the index of a checkpoint: edit gets each entry with its key, the header under
// "", and changes it, or returns nil to leave it out.
func editIndex(t *testing.T, file string, edit func(key string, value []byte) []byte) {
	t.Helper()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entries [][]byte
	err = eachEntry(old, func(key, value []byte) error {
		if value = edit(string(key), value); value != nil {
			entries = append(entries, tableEntry(0, string(key), string(value)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var b tableBuilder
	if err := os.WriteFile(file, b.finish(b.add(tableBlock(entries...))), 0o600); err != nil {
		t.Fatal(err)
	}
}
