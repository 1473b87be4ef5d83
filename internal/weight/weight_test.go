package weight

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	pb "github.com/galeone/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// nested makes a message of a field in a field … of many empty messages: what takes most memory
// for its size.
func nested(n int, path ...protowire.Number) []byte {
	var b []byte
	for range n {
		b = protowire.AppendBytes(protowire.AppendTag(b, path[len(path)-1], protowire.BytesType), nil)
	}
	for i := len(path) - 2; i >= 0; i-- {
		b = protowire.AppendBytes(protowire.AppendTag(nil, path[i], protowire.BytesType), b)
	}
	return b
}

// TestOf holds the estimate against what Go takes in truth, of messages that are empty, of numbers,
// and of models.
func TestOf(t *testing.T) {
	const n = 200_000
	messages := map[string][]byte{
		"graphs":                   nested(n, 2),
		"assets":                   nested(n, 2, 6),
		"nodes":                    nested(n, 2, 2, 1),
		"nodes of functions":       nested(n, 2, 2, 2, 1, 3),
		"arguments of functions":   nested(n, 2, 2, 2, 1, 1, 2),
		"tensors of an attribute":  nested(n, 2, 2, 1, 5, 2, 1, 8),
		"shapes of an attribute":   nested(n, 2, 2, 1, 5, 2, 1, 7),
		"dimensions":               nested(n, 2, 2, 1, 5, 2, 7, 2),
		"functions of a list":      nested(n, 2, 2, 1, 5, 2, 1, 9),
		"inputs":                   nested(n, 2, 2, 1, 3),
		"attributes":               attributes(n),
		"objects":                  nested(n, 2, 7, 1),
		"children of an object":    nested(n, 2, 7, 1, 1),
		"definitions of ops":       nested(n, 2, 1, 2, 1),
		"values of a collection":   nested(n, 2, 4, 2, 1, 1),
		"tags":                     nested(n, 2, 1, 4),
		"texts of a constant":      nested(n, 2, 2, 1, 5, 2, 8, 8),
		"numbers of an attribute":  protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil),
		"a list of small integers": packed(n),
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "models", "k*_*", "model", "saved_model.pb"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 100_000 {
			messages[file] = data
		}
	}
	for name, message := range messages {
		got := Of(message, (&pb.SavedModel{}).ProtoReflect().Descriptor()).Bytes
		want := decodedSize(t, message)
		if want > 1<<20 && (got < want*6/10 || got > want*2) {
			t.Errorf("%s: %d bytes, Go took %d", name, got, want)
		}
	}
}

// attributes is a node with many attributes that have a name and nothing else.
func attributes(n int) []byte {
	var node []byte
	for i := range n {
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), fmt.Sprintf("%x", i))
		node = protowire.AppendBytes(protowire.AppendTag(node, 5, protowire.BytesType), entry)
	}
	for _, field := range []protowire.Number{1, 2, 2} {
		node = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), node)
	}
	return node
}

// TestEntries holds that the widest map of a message is found.
func TestEntries(t *testing.T) {
	if got := Of(attributes(1000), (&pb.SavedModel{}).ProtoReflect().Descriptor()).Entries; got != 1000 {
		t.Errorf("a map of 1000 entries counts %d", got)
	}
}

// packed is a model with a list of whole numbers of a byte each.
func packed(n int) []byte {
	b := nested(1, 2, 2, 1, 5, 2, 1, 3)
	list := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), make([]byte, n))
	for _, field := range []protowire.Number{1, 2, 5, 1, 2, 2} {
		list = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), list)
	}
	return append(b, list...)
}

// decodedSize is what decoding a message leaves on the heap.
func decodedSize(t *testing.T, message []byte) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := &pb.SavedModel{}
	if err := proto.Unmarshal(message, m); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(m)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestOfDamaged holds that what cannot be decoded is weighed up to there.
func TestOfDamaged(t *testing.T) {
	d := (&nodepb.NodeDef{}).ProtoReflect().Descriptor()
	whole := Of([]byte("\x0a\x01a"), d).Bytes
	for _, damaged := range []string{"\x0a\x01a\x0a\x7f", "\x0a\x01a\xff", "\x0a\x01a\x07", "\x0a\x01a\x08"} {
		if got := Of([]byte(damaged), d).Bytes; got != whole {
			t.Errorf("Of(%q) = %d, want %d", damaged, got, whole)
		}
	}
}

// TestParts counts what stands in lists of a node, but for a tensor's values.
func TestParts(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		name    string
		message []byte
		want    int64
	}{
		{"nodes", nested(n, 2, 2, 1), 0},
		{"inputs", nested(n, 2, 2, 1, 3), n},
		{"inputs in functions", nested(n, 2, 2, 2, 1, 3, 3), n},
		{"functions of a list", nested(n, 2, 2, 1, 5, 2, 1, 9), 16 * n},
		{"tensors of a list", nested(n, 2, 2, 1, 5, 2, 1, 8), 16 * n},
		{"shapes of a list", nested(n, 2, 2, 1, 5, 2, 1, 7), 3 * n},
		{"texts of a list", nested(n, 2, 2, 1, 5, 2, 1, 2), 4 * n},
		{"a packed list of types", nestedIn(make([]byte, n), 2, 2, 1, 5, 2, 1, 6), n},
		{"a packed list of long numbers", nestedIn([]byte("\xff\xff\x01\xff\x01"), 2, 2, 1, 5, 2, 1, 3), 2},
		{"a packed list of floats", nestedIn(make([]byte, 4*n), 2, 2, 1, 5, 2, 1, 4), n},
		{"floats of a constant", nestedIn(make([]byte, 4*n), 2, 2, 1, 5, 2, 8, 5), 0},
		{"numbers of a constant", nestedIn(make([]byte, n), 2, 2, 1, 5, 2, 8, 7), n / 5},
		{"long numbers of a constant", nestedIn(make([]byte, n), 2, 2, 1, 5, 2, 8, 10), 2 * n / 5},
		{"texts of a constant", nested(n, 2, 2, 1, 5, 2, 8, 8), n / 4},
		{"arguments of functions", nested(n, 2, 2, 2, 1, 1, 2), 0},
	} {
		if w := Of(c.message, (&pb.SavedModel{}).ProtoReflect().Descriptor()); w.Parts != c.want {
			t.Errorf("%s: %d parts, want %d", c.name, w.Parts, c.want)
		}
	}
}

// TestBody counts the nodes of the largest function.
func TestBody(t *testing.T) {
	small, large := nested(3, 2, 2, 2, 1, 3), nested(5, 2, 2, 2, 1, 3)
	if w := Of(append(append(nested(9, 2, 2, 1), large...), small...), (&pb.SavedModel{}).ProtoReflect().Descriptor()); w.Body != 5 {
		t.Errorf("%d nodes, want 5", w.Body)
	}
}

// nestedIn puts data into a field in a field ….
func nestedIn(data []byte, path ...protowire.Number) []byte {
	for i := len(path) - 1; i >= 0; i-- {
		data = protowire.AppendBytes(protowire.AppendTag(nil, path[i], protowire.BytesType), data)
	}
	return data
}
