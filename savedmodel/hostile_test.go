package savedmodel_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"google.golang.org/protobuf/encoding/protowire"
)

// mutations is how many damaged copies of each file the test reads; TFRUN_MUTATIONS raises it.
func mutations() int {
	if n, err := strconv.Atoi(os.Getenv("TFRUN_MUTATIONS")); err == nil {
		return n
	}
	return 12
}

// mutate damages a few bytes of data: values, lengths, pieces cut out, doubled or exchanged.
func mutate(r *rand.Rand, data []byte) []byte {
	b := bytes.Clone(data)
	for range 1 + r.IntN(4) {
		if len(b) < 8 {
			return b
		}
		i := r.IntN(len(b) - 4)
		n := 1 + r.IntN(min(64, len(b)-i-1))
		switch r.IntN(7) {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b[i] ^= 1 << r.IntN(8)
		case 2:
			b = append(b[:i], b[i+n:]...)
		case 3:
			b = append(b[:i:i], append(bytes.Clone(b[i:i+n]), b[i:]...)...)
		case 4:
			j := r.IntN(len(b) - n)
			copy(b[i:i+n], bytes.Clone(b[j:j+n]))
		case 5:
			copy(b[i:], []byte{0xff, 0xff, 0xff, 0x7f}[:1+r.IntN(4)])
		case 6:
			b[i] = []byte{0, 1, 2, 0x7f, 0x80, 0xff}[r.IntN(6)]
		}
	}
	return b
}

func TestMutatedModels(t *testing.T) {
	t.Parallel()
	names := append([]string{"k3_seq2seq", "k3_mha", "k3_string_lookup", "k2_mha", "k3_masked", "own_k3_nested_deep", "own_k3_random_42", "tf1_main_op", "mod_ragged"}, savedmodel.FuzzModels...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join("..", "testdata", "models", name, "model")
			data, err := os.ReadFile(filepath.Join(dir, savedmodel.FileBinary))
			if err != nil {
				t.Fatal(err)
			}
			meta, _ := os.ReadFile(filepath.Join(dir, savedmodel.FileMetadata))
			r := rand.New(rand.NewPCG(1, 2))
			for range mutations() {
				if m, err := savedmodel.NewModel(dir, savedmodel.FileBinary, "", mutate(r, data)); err == nil {
					use(t, m)
				}
				if len(meta) == 0 {
					continue
				}
				bad, err := savedmodel.ParseMetadata(savedmodel.FileMetadata, mutate(r, meta))
				m, openErr := savedmodel.NewModel(dir, savedmodel.FileBinary, "", data)
				if openErr != nil {
					t.Fatal(openErr)
				}
				m.SetMetadata(bad, err)
				use(t, m)
			}
		})
	}
}

func TestTwoGigabytes(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1<<31 - 1, 1 << 31, 5 << 30} {
		dir := t.TempDir()
		f, err := os.Create(filepath.Join(dir, savedmodel.FileBinary))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Skipf("the file system holds no file of %d bytes: %v", size, err)
		}
		f.Close()
		modeltest.Within(t, time.Second, func() {
			if _, err := savedmodel.Open(dir); err == nil || !strings.Contains(err.Error(), savedmodel.FileBinary) {
				t.Errorf("Open of %d zeros = %v, want an error with the file's name", size, err)
			}
		})
	}
}

// message builds a protobuf message from fields: numbers with []byte, string or message values.
func message(parts ...any) []byte {
	var b []byte
	for i := 0; i+1 < len(parts); i += 2 {
		num := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case int:
			b = protowire.AppendTag(b, num, protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(v))
		case string:
			b = protowire.AppendTag(b, num, protowire.BytesType)
			b = protowire.AppendString(b, v)
		case []byte:
			b = wire.Append(b, num, v)
		}
	}
	return b
}

// callNode is a NodeDef that calls a function.
func callNode(name, function string) []byte {
	attr := message(1, "f", 2, message(10, message(1, function)))
	return message(1, name, 2, "PartitionedCall", 5, attr)
}

// hostileModel puts a library and an object graph into a model with one signature, whose output
// calls function f0.
func hostileModel(library, objects []byte) []byte {
	graph := message(1, callNode("out", "f0"), 2, library)
	sig := message(1, "serving_default", 2, message(2, message(1, "y", 2, message(1, "out:0"))))
	meta := message(1, message(4, "serve"), 2, graph, 5, sig)
	if objects != nil {
		meta = append(meta, message(7, objects)...)
	}
	return message(1, 1, 2, meta)
}

func TestHundredThousandNestedFunctions(t *testing.T) {
	t.Parallel()
	n := modeltest.Many()
	keras := message(1, message(4, message(1, "_generic_user_object"), 1, message(2, "_misc_assets"), 1, message(2, "variables"), 1, message(2, "trainable_variables")))
	for name, target := range map[string]func(i int) int{
		"chain":  func(i int) int { return i + 1 },
		"circle": func(i int) int { return (i + 1) % 3 },
		"self":   func(i int) int { return i },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var library []byte
			for i := range n {
				def := message(1, message(1, fmt.Sprintf("f%d", i)), 3, callNode("call", fmt.Sprintf("f%d", target(i))))
				library = append(library, message(1, def)...)
			}
			for _, objects := range [][]byte{nil, keras} {
				modeltest.Within(t, time.Minute, func() {
					m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", hostileModel(library, objects))
					if err != nil {
						t.Fatal(err)
					}
					use(t, m)
					count := 0
					for _, err := range m.MetaGraphs[0].Graph().Functions() {
						if err != nil {
							t.Fatal(err)
						}
						count++
					}
					if count != n {
						t.Errorf("%d functions, want %d", count, n)
					}
				})
			}
		})
	}
}

func TestManyNodesInOneScope(t *testing.T) {
	t.Parallel()
	keras := message(1, message(4, message(1, "_generic_user_object"), 1, message(2, "_misc_assets"), 1, message(2, "variables"), 1, message(2, "trainable_variables")))
	n := modeltest.Many()
	if os.Getenv("TFRUN_MUTATIONS") == "" {
		n /= 10
	}
	for _, name := range []string{"model/layer_%d/Relu", "model/Relu_%d", "model/a/b/c/d/e/f/g/%d", "a/%d"} {
		var nodes []byte
		for i := range n {
			input := fmt.Sprintf(name+":activations:0", max(0, i-1))
			nodes = append(nodes, message(3, message(1, fmt.Sprintf(name, i), 2, "Relu", 3, input))...)
		}
		def := append(message(1, message(1, "f0", 3, message(1, "y"))), nodes...)
		def = append(def, message(4, message(1, "y", 2, fmt.Sprintf(name+":activations:0", n-1)))...)
		modeltest.Within(t, time.Minute, func() {
			m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", hostileModel(message(1, def), keras))
			if err != nil {
				t.Fatal(err)
			}
			use(t, m)
		})
	}
}

func TestDeepMessages(t *testing.T) {
	t.Parallel()
	// A structured value in a structured value …: tuple_value is field 53, its values field 1.
	value := message(1, message())
	for range 100_000 {
		if len(value) > 1<<15 {
			break
		}
		value = message(53, message(1, value))
	}
	objects := message(2, message(1, "f0", 2, message(4, value)))
	m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", hostileModel(nil, objects))
	if err != nil {
		t.Fatal(err)
	}
	use(t, m)
	text := strings.Repeat("meta_graphs { ", 1_000_000)
	if _, err := savedmodel.TextToBinary(savedmodel.FileText, []byte(text)); err == nil {
		t.Error("a text that nests a million messages was accepted")
	}
}

func TestObjectsThatHoldThemselves(t *testing.T) {
	t.Parallel()
	root := message(4, message(1, "_tf_keras_network"), 1, message(1, 0, 2, "layer-0"), 1, message(1, 1, 2, "layer-1"), 1, message(1, 0, 2, "keras_api"), 1, message(1, 0, 2, "layers"), 1, message(1, 1, 2, "0"))
	other := message(4, message(1, "_tf_keras_layer"), 1, message(1, 0, 2, "self"), 1, message(1, 1, 2, "me"))
	m, err := savedmodel.NewModel("none", savedmodel.FileBinary, "", hostileModel(nil, message(1, root, 1, other)))
	if err != nil {
		t.Fatal(err)
	}
	use(t, m)
	m, err = savedmodel.NewModel("none", savedmodel.FileBinary, "", hostileModel(nil, message(1, message(4, message(1, "_tf_keras_network"), 1, message(1, 99, 2, "x")))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layers.Of(m.MetaGraphs[0]); err == nil {
		t.Error("an edge to an object that does not exist was accepted")
	}
}
