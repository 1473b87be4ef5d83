//go:build cgo && !notf && !race && linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tfrun/tfrun/internal/words"
)

// msg builds a protobuf message of fields: numbers, each with a number, a text or the bytes of a
// message, of which nil is an empty one.
func msg(parts ...any) []byte {
	var b []byte
	for i := 0; i < len(parts); i += 2 {
		num := protowire.Number(parts[i].(int))
		switch v := parts[i+1].(type) {
		case int:
			b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), uint64(v))
		case string:
			b = protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), v)
		case []byte:
			b = protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
		case nil:
			b = protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), nil)
		default:
			panic("a field of another type")
		}
	}
	return b
}

const (
	dtFloat  = 1
	dtString = 7
	dtBool   = 10
)

// The parts of a GraphDef.
func node(name, op string, rest ...any) []byte { return msg(append([]any{1, name, 2, op}, rest...)...) }
func attr(key string, value []byte) []byte     { return msg(1, key, 2, value) }
func dtype(t int) []byte                       { return attr("dtype", msg(6, t)) }
func typeT(t int) []byte                       { return attr("T", msg(6, t)) }
func shapeOf(dims ...int) []byte {
	var b []byte
	for _, d := range dims {
		b = append(b, msg(2, msg(1, d))...)
	}
	return b
}

func tensorInfo(name string, dtype int, shape []byte) []byte { return msg(1, name, 2, dtype, 3, shape) }

func placeholder(dims ...int) []byte {
	return node("x", "Placeholder", 5, dtype(dtFloat), 5, attr("shape", msg(7, shapeOf(dims...))))
}

func identity(name, input string) []byte { return node(name, "Identity", 3, input, 5, typeT(dtFloat)) }

// constant is a node that holds what a TensorProto says.
func constant(name string, t int, tensor []byte) []byte {
	return node(name, "Const", 5, dtype(t), 5, attr("value", msg(8, tensor)))
}

// sig is a signature from x to y.
func sig(x, y []byte) []byte {
	return msg(1, msg(1, "x", 2, x), 2, msg(1, "y", 2, y), 3, "tensorflow/serving/predict")
}

// graphModel is a SavedModel of a graph, with more fields of the MetaGraphDef.
func graphModel(graph []byte, signature []byte, more ...any) []byte {
	graph = append(graph, msg(4, msg(1, 1994))...)
	meta := msg(append([]any{1, msg(4, "serve", 5, "2.21.0"), 2, graph, 5, msg(1, "serving_default", 2, signature)}, more...)...)
	return msg(1, 1, 2, meta)
}

// through is a model of nodes between a placeholder x of shape [?, ?] and an output y, a float of
// the same shape.
func through(more ...any) []byte {
	graph := msg(append([]any{1, placeholder(-1, -1)}, more...)...)
	return graphModel(graph, plainSig("x:0", "y:0"))
}

func plainSig(x, y string) []byte {
	return sig(tensorInfo(x, dtFloat, shapeOf(-1, -1)), tensorInfo(y, dtFloat, shapeOf(-1, -1)))
}

// function is a FunctionDef from a float to a float whose body is nodes; the last of them is ret.
func function(name string, ret string, nodes ...[]byte) []byte {
	arg := func(n string) []byte { return msg(1, n, 3, dtFloat) }
	b := msg(1, msg(1, name, 2, arg("a"), 3, arg("r")))
	for _, n := range nodes {
		b = append(b, msg(3, n)...)
	}
	return append(b, msg(4, msg(1, "r", 2, ret))...)
}

// call is a node that calls a function.
func call(name, function, input string) []byte {
	list := attr("Tin", msg(1, msg(6, dtFloat)))
	return node(name, "StatefulPartitionedCall", 3, input, 5, list, 5, attr("Tout", msg(1, msg(6, dtFloat))), 5, attr("f", msg(10, msg(1, function))))
}

// loop is the nodes of a loop that ends at once, in a frame, with so many steps at a time. Their
// names begin with prefix, and the loop's value is prefix + "exit".
func loop(prefix, frame string, parallel int) []any {
	never := msg(1, dtBool, 2, []byte(nil), 11, 0)
	return []any{
		1, node(prefix+"enter", "Enter", 3, "x", 5, typeT(dtFloat), 5, attr("frame_name", msg(2, frame)), 5, attr("parallel_iterations", msg(3, parallel))),
		1, node(prefix+"merge", "Merge", 3, prefix+"enter", 3, prefix+"next", 5, typeT(dtFloat), 5, attr("N", msg(3, 2))),
		1, node(prefix+"go", "Const", 3, "^"+prefix+"merge", 5, dtype(dtBool), 5, attr("value", msg(8, never))),
		1, node(prefix+"cond", "LoopCond", 3, prefix+"go"),
		1, node(prefix+"switch", "Switch", 3, prefix+"merge", 3, prefix+"cond", 5, typeT(dtFloat)),
		1, node(prefix+"next", "NextIteration", 3, prefix+"switch:1", 5, typeT(dtFloat)),
		1, node(prefix+"exit", "Exit", 3, prefix+"switch", 5, typeT(dtFloat)),
	}
}

// modelCase is a case of a model that shapes and scan must survive, and predict too.
func modelCase(name string, build func(h *hostile)) hostileCase {
	return hostileCase{"model", name, func(h *hostile) string {
		build(h)
		rows := h.eights(1)
		var said []string
		commands := [][]string{{"shapes", "m"}, {"shapes", "m", "--explain"}, {"shapes", "m", "m"}}
		for _, format := range []string{"json", "markdown", "csv", "html", "mermaid", "dot", "svg"} {
			commands = append(commands, []string{"shapes", "m", "--format", format})
		}
		forms := len(commands)
		for _, args := range append(commands, []string{"shapes", "m", "--variables", "--stats"}, []string{"scan", "m"}, []string{"scan", "m", "--format", "json"}) {
			r := h.run(nil, args...)
			if i := strings.IndexFunc(r.stdout, func(r rune) bool { return r != '\n' && r != '\t' && words.Steers(r) }); i >= 0 || strings.Contains(r.stdout, "<script") {
				h.Errorf("tfrun %q: byte %d steers a terminal, or there is a script", args, i)
			}
			said = append(said, fmt.Sprintf("%s: %s", strings.Join(append(args[:1:1], args[2:]...), " "), h.want(r, r.code, "")))
		}
		if all := merge(said[:forms]); len(all) == 1 {
			_, outcome, _ := strings.Cut(all[0], ": ")
			said = append([]string{"shapes in every form: " + outcome}, said[forms:]...)
		}
		for _, args := range [][]string{{"doctor", "m"}, {"bench", "m", "--quick", "--duration", "1s", "--no-cold-start"}, {"predict", "m", rows, "-o", "out.jsonl"}} {
			r := h.run(nil, args...)
			// the words may be TensorFlow's
			said = append(said, fmt.Sprintf("%s: exit %d", args[0], r.code))
		}
		return strings.Join(merge(said), "; ")
	}}
}

// merge puts commands with the same outcome together.
func merge(said []string) []string {
	var names, outcomes []string
	for _, s := range said {
		name, outcome, _ := strings.Cut(s, ": ")
		if n := len(outcomes); n > 0 && outcomes[n-1] == outcome {
			names[n-1] += ", " + name
			continue
		}
		names, outcomes = append(names, name), append(outcomes, outcome)
	}
	for i := range names {
		names[i] += ": " + outcomes[i]
	}
	return names
}

// saved writes saved_model.pb.
func saved(model func() []byte) func(*hostile) {
	return func(h *hostile) { h.file("m/saved_model.pb", model()) }
}

// hostileModels lists models that are made to harm who looks at them.
func hostileModels() []hostileCase {
	y := identity("y", "x")
	cases := []hostileCase{
		modelCase("a function that calls itself", saved(func() []byte {
			f := function("f", "c:output:0", call("c", "f", "a"))
			return through(1, call("y", "f", "x"), 2, msg(1, f))
		})),
		modelCase("two functions that call each other", saved(func() []byte {
			f := function("f", "c:output:0", call("c", "g", "a"))
			g := function("g", "c:output:0", call("c", "f", "a"))
			return through(1, call("y", "f", "x"), 2, msg(1, f, 1, g))
		})),
		modelCase("functions that call the next one twice, 60 levels: 2^60 calls", saved(func() []byte {
			var library []byte
			for i := range 60 {
				next := fmt.Sprintf("f%d", i+1)
				library = append(library, msg(1, function(fmt.Sprintf("f%d", i), "d:output:0", call("c", next, "a"), call("d", next, "c:output:0")))...)
			}
			library = append(library, msg(1, function("f60", "i:output:0", identity("i", "a")))...)
			return through(1, call("y", "f0", "x"), 2, library)
		})),
		modelCase("a function that does not exist", saved(func() []byte { return through(1, call("y", "nowhere", "x")) })),
		modelCase("functions of one name, twice", saved(func() []byte {
			f := function("f", "i:output:0", identity("i", "a"))
			return through(1, call("y", "f", "x"), 2, msg(1, f, 1, f))
		})),
		modelCase("nodes of one name, twice", saved(func() []byte { return through(1, y, 1, y) })),
		modelCase("nodes in a circle", saved(func() []byte { return through(1, identity("y", "z"), 1, identity("z", "y")) })),
		modelCase("a node of an operation that does not exist", saved(func() []byte { return through(1, node("y", "NoSuchOp", 3, "x")) })),
		modelCase("a node with output 2^31 for an input", saved(func() []byte { return through(1, identity("y", "x:2147483647")) })),
		modelCase("a signature of tensors that do not exist", saved(func() []byte {
			return graphModel(msg(1, placeholder(-1, -1), 1, y), plainSig("no:0", "nowhere:7"))
		})),
		modelCase("a signature whose tensor has index -1, and one without", saved(func() []byte {
			return graphModel(msg(1, placeholder(-1, -1), 1, y), plainSig("x:-1", "y"))
		})),
		modelCase("a signature that reads what a node does not give", saved(func() []byte {
			return graphModel(msg(1, placeholder(-1, -1), 1, y), plainSig("x:0", "y:5"))
		})),
		modelCase("a signature whose dimensions overflow", saved(func() []byte {
			x := tensorInfo("x:0", dtFloat, shapeOf(-1, 1<<40, 1<<40))
			return graphModel(msg(1, placeholder(-1, 1<<40, 1<<40), 1, y), sig(x, tensorInfo("y:0", dtFloat, shapeOf(1<<62, 1<<62))))
		})),
		modelCase("a signature with a dimension of -2^63", saved(func() []byte {
			x := tensorInfo("x:0", dtFloat, shapeOf(-1<<63, -5))
			return graphModel(msg(1, placeholder(-1<<63, -5), 1, y), sig(x, tensorInfo("y:0", dtFloat, shapeOf(-7))))
		})),
		modelCase("a signature whose batch is 2^31 - 1 rows", saved(func() []byte {
			x := tensorInfo("x:0", dtFloat, shapeOf(1<<31-1, -1))
			return graphModel(msg(1, placeholder(1<<31-1, -1), 1, y), sig(x, tensorInfo("y:0", dtFloat, shapeOf(1<<31-1, -1))))
		})),
		modelCase("an input of 300 axes", saved(func() []byte {
			dims := make([]int, 300)
			for i := range dims {
				dims[i] = 1
			}
			x := tensorInfo("x:0", dtFloat, shapeOf(dims...))
			return graphModel(msg(1, placeholder(dims...), 1, y), sig(x, tensorInfo("y:0", dtFloat, shapeOf(dims...))))
		})),
		modelCase("a placeholder whose dimensions overflow, behind an honest signature", saved(func() []byte {
			return graphModel(msg(1, placeholder(1<<40, 1<<40), 1, y), plainSig("x:0", "y:0"))
		})),
		modelCase("a dtype that there is not", saved(func() []byte {
			x := tensorInfo("x:0", 9999, shapeOf(-1, -1))
			return graphModel(msg(1, node("x", "Placeholder", 5, dtype(9999)), 1, y), sig(x, tensorInfo("y:0", -1, shapeOf(-1))))
		})),
		modelCase("a constant that claims 2^60 values", saved(func() []byte {
			c := constant("c", dtFloat, msg(1, dtFloat, 2, shapeOf(1<<30, 1<<30), 5, "\x00\x00\x80\x3f"))
			return through(1, c, 1, node("y", "AddV2", 3, "x", 3, "c", 5, typeT(dtFloat)))
		})),
		modelCase("a constant of 8 GB in a few bytes", saved(func() []byte {
			c := constant("c", dtFloat, msg(1, dtFloat, 2, shapeOf(2e9), 5, "\x00\x00\x80\x3f"))
			return through(1, c, 1, node("y", "AddV2", 3, "x", 3, "c", 5, typeT(dtFloat)))
		})),
		modelCase("a constant whose dimensions overflow", saved(func() []byte {
			c := constant("c", dtFloat, msg(1, dtFloat, 2, shapeOf(1<<40, 1<<40, 1<<40), 4, "\x00\x00\x80\x3f"))
			return through(1, c, 1, node("y", "AddV2", 3, "x", 3, "c", 5, typeT(dtFloat)))
		})),
		modelCase("a constant with a dimension of -1", saved(func() []byte {
			c := constant("c", dtFloat, msg(1, dtFloat, 2, shapeOf(-1), 4, "\x00\x00\x80\x3f"))
			return through(1, c, 1, node("y", "AddV2", 3, "x", 3, "c", 5, typeT(dtFloat)))
		})),
		modelCase("a constant of a million strings that hold nothing", saved(func() []byte {
			c := constant("c", dtString, msg(1, dtString, 2, shapeOf(1_000_000), 4, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
			return through(1, c, 1, y)
		})),
		modelCase("an operation that allocates 2^50 values", saved(func() []byte {
			dims := constant("dims", 9, msg(1, 9, 2, shapeOf(2), 4, string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 1<<25), 1<<25))))
			value := constant("v", dtFloat, msg(1, dtFloat, 2, nil, 5, "\x00\x00\x80\x3f"))
			fill := node("f", "Fill", 3, "dims", 3, "v", 5, typeT(dtFloat), 5, attr("index_type", msg(6, 9)))
			sum := node("y", "AddV2", 3, "x", 3, "f", 5, typeT(dtFloat))
			return through(1, dims, 1, value, 1, fill, 1, sum)
		})),
		modelCase("a constant of one dtype that holds another", saved(func() []byte {
			c := node("axis", "Const", 5, dtype(3), 5, attr("value", msg(8, msg(1, dtFloat, 2, nil, 7, 0))))
			join := node("y", "ConcatV2", 3, "x", 3, "x", 3, "axis", 5, typeT(dtFloat), 5, attr("N", msg(3, 2)), 5, attr("Tidx", msg(6, 3)))
			return through(1, c, 1, join)
		})),
		modelCase("an operation that says it has 2^31 - 1 inputs", saved(func() []byte {
			c := node("axis", "Const", 5, dtype(3), 5, attr("value", msg(8, msg(1, 3, 2, nil, 7, 0))))
			join := node("y", "ConcatV2", 3, "x", 3, "x", 3, "axis", 5, typeT(dtFloat), 5, attr("N", msg(3, 1<<31-1)), 5, attr("Tidx", msg(6, 3)))
			return through(1, c, 1, join)
		})),
		modelCase("an operation that says it has -2 inputs", saved(func() []byte {
			return through(1, node("y", "AddN", 3, "x", 3, "x", 5, typeT(dtFloat), 5, attr("N", msg(3, -2))))
		})),
		modelCase("an operation that says it has 2^62 outputs", saved(func() []byte {
			return through(1, node("y", "Unpack", 3, "x", 5, typeT(dtFloat), 5, attr("num", msg(3, 1<<62)), 5, attr("axis", msg(3, 0))))
		})),
		modelCase("attributes nested 60 deep", saved(func() []byte { return through(1, append(y, nestedAttr(60)...)) })),
		modelCase("attributes nested 10,000 deep", saved(func() []byte { return through(1, append(y, nestedAttr(10_000)...)) })),
		modelCase("16 MB of nested groups, in fields that nobody knows", saved(func() []byte {
			return append(through(1, y), bytes.Repeat([]byte{0xfb, 0x01}, 8<<20)...)
		})),
		modelCase("16 MB of nested messages, in the graph", saved(func() []byte {
			return msg(1, 1, 2, msg(1, msg(4, "serve"), 2, bytes.Repeat(protowire.AppendTag(nil, 1, protowire.StartGroupType), 16<<20)))
		})),
		modelCase("a name of 16 MB, with newlines, escapes and bytes that are no UTF-8", saved(func() []byte {
			name := strings.Repeat("\n\x1b[31m\xff\x00|", 2<<20)
			return through(1, identity(name, "x"), 1, identity("y", name))
		})),
		modelCase("200,000 signatures", saved(func() []byte {
			var all []any
			s := plainSig("x:0", "y:0")
			for i := range 200_000 {
				all = append(all, 5, msg(1, fmt.Sprintf("s%d", i), 2, s))
			}
			return graphModel(msg(1, placeholder(-1, -1), 1, y), s, all...)
		})),
		modelCase("a Functional of Keras 3: 8,000 layers whose objects share a chain of 64,000", saved(func() []byte {
			return layersOf("a Functional of Keras 3", "hidden layers without anything between layers without variables", "a chain that all share", "nothing", 8000)
		})),
		modelCase("an export of Keras 3: 80 models of 50 levels, one in the other, with weights that nothing reads between", saved(func() []byte {
			return layersOf("an export of an own class of Keras 3", "models in models", "nothing", "weights that nothing reads", 4000)
		})),
		modelCase("50,000 nodes in a chain", saved(func() []byte {
			nodes := []any{1, identity("n0", "x")}
			for i := 1; i < 50_000; i++ {
				nodes = append(nodes, 1, identity(fmt.Sprintf("n%d", i), fmt.Sprintf("n%d", i-1)))
			}
			return through(append(nodes, 1, identity("y", "n49999"))...)
		})),
		modelCase("a loop without a name", saved(func() []byte { return through(append(loop("", "", 10), 1, identity("y", "exit"))...) })),
		modelCase("loops that meet", saved(func() []byte {
			nodes := append(loop("", "f", 10), loop("other", "g", 10)...)
			return through(append(nodes, 1, node("y", "AddV2", 3, "exit", 3, "otherswitch", 5, typeT(dtFloat)))...)
		})),
		modelCase("an exit from no loop", saved(func() []byte { return through(1, node("y", "Exit", 3, "x", 5, typeT(dtFloat))) })),
		modelCase("a loop of which -2 steps run at a time", saved(func() []byte { return through(append(loop("", "f", -2), 1, identity("y", "exit"))...) })),
		modelCase("a loop of which 2^31 - 1 steps run at a time", saved(func() []byte {
			return through(append(loop("", "f", 1<<31-1), 1, identity("y", "exit"))...)
		})),
		modelCase("two graphs with the same tags", saved(func() []byte {
			m := through(1, y)
			return append(m, m[2:]...)
		})),
		modelCase("objects that hold each other", saved(func() []byte {
			object := func(kind string, children ...any) []byte { return msg(append([]any{4, msg(1, kind)}, children...)...) }
			a := object("_tf_keras_network", 1, msg(1, 1, 2, "layer-0"), 1, msg(1, 0, 2, "layers"), 1, msg(1, 0, 2, "keras_api"))
			b := object("_tf_keras_layer", 1, msg(1, 0, 2, "parent"), 1, msg(1, 1, 2, "me"))
			return graphModel(msg(1, placeholder(-1, -1), 1, y), plainSig("x:0", "y:0"), 7, msg(1, a, 1, b))
		})),
		modelCase("an object whose child has number 2^31", saved(func() []byte {
			root := msg(1, msg(1, 1<<31-1, 2, "x"), 4, msg(1, "_generic_user_object"))
			return graphModel(msg(1, placeholder(-1, -1), 1, y), plainSig("x:0", "y:0"), 7, msg(1, root))
		})),
		modelCase("an asset called `../../../../etc/passwd`", saved(func() []byte { return assetModel("../../../../etc/passwd") })),
		modelCase("an asset called `/etc/passwd`", saved(func() []byte { return assetModel("/etc/passwd") })),
		modelCase("an asset that is a link to `/dev/zero`", func(h *hostile) {
			h.file("m/saved_model.pb", assetModel("vocab.txt"))
			h.mkdir("m/assets")
			h.link("m/assets/vocab.txt", "/dev/zero")
		}),
		modelCase("Keras metadata nested 100,000 deep", func(h *hostile) {
			h.file("m/saved_model.pb", kerasModel())
			json := `{"class_name": "Functional", "config": {"layers": ` + strings.Repeat(`[{"config":`, 100_000)
			h.file("m/keras_metadata.pb", msg(1, msg(2, 0, 3, "root", 4, "_tf_keras_network", 5, json)))
		}),
		modelCase("Keras metadata of 32 MB of numbers", func(h *hostile) {
			h.file("m/saved_model.pb", kerasModel())
			json := `{"class_name": "Functional", "config": {"name": "m", "layers": [` + strings.Repeat("1,", 16<<20) + `1]}}`
			h.file("m/keras_metadata.pb", msg(1, msg(2, 0, 3, "root", 4, "_tf_keras_network", 5, json)))
		}),
		modelCase("Keras metadata that is a link to `/dev/zero`", func(h *hostile) {
			h.file("m/saved_model.pb", kerasModel())
			h.link("m/keras_metadata.pb", "/dev/zero")
		}),
		modelCase("`saved_model.pb` is a FIFO that nobody writes to", func(h *hostile) { h.fifo("m/saved_model.pb") }),
		modelCase("`saved_model.pb` is a link to `/dev/zero`", func(h *hostile) { h.mkdir("m"); h.link("m/saved_model.pb", "/dev/zero") }),
		modelCase("`saved_model.pb` is a link to itself", func(h *hostile) { h.mkdir("m"); h.link("m/saved_model.pb", "saved_model.pb") }),
		modelCase("the model's directory is a link to itself", func(h *hostile) { h.link("m", "m") }),
		modelCase("`saved_model.pb` of 5 GB of zeros", func(h *hostile) { h.sparse("m/saved_model.pb", 5<<30) }),
		modelCase("`saved_model.pb` of 2 GB - 1 that begins as a model does", func(h *hostile) {
			h.file("m/saved_model.pb", through(1, y)[:2])
			h.sparse("m/saved_model.pb", 1<<31-1)
		}),
		modelCase("`variables` is a link to itself", variables(func(h *hostile) { h.link("m/variables", "variables") })),
		modelCase("`variables.index` is a FIFO", variables(func(h *hostile) { h.fifo("m/variables/variables.index") })),
		modelCase("`variables.index` is a link to `/dev/zero`", variables(func(h *hostile) {
			h.mkdir("m/variables")
			h.link("m/variables/variables.index", "/dev/zero")
		})),
		modelCase("the values are a FIFO", variables(func(h *hostile) {
			h.file("m/variables/variables.index", index(entry(0, 8, shapeOf(2))))
			h.fifo("m/variables/variables.data-00000-of-00001")
		})),
		modelCase("`variables.index` of 3 GB of zeros", variables(func(h *hostile) { h.sparse("m/variables/variables.index", 3<<30) })),
	}
	return append(cases, hostileIndexes()...)
}

func nestedAttr(n int) []byte {
	value := msg(4, "")
	for range n {
		value = msg(10, msg(1, "f", 2, attr("a", value)))
	}
	return msg(5, attr("deep", value))
}

// assetModel has an asset.
func assetModel(name string) []byte {
	path := node("path", "Const", 5, dtype(dtString), 5, attr("value", msg(8, msg(1, dtString, 2, nil, 8, "x"))))
	graph := msg(1, placeholder(-1, -1), 1, identity("y", "x"), 1, path)
	return graphModel(graph, plainSig("x:0", "y:0"), 6, msg(1, msg(1, "path:0"), 2, name))
}

// kerasModel is one whose layers Keras' metadata tells.
func kerasModel() []byte {
	root := msg(4, msg(1, "_tf_keras_network"))
	return graphModel(msg(1, placeholder(-1, -1), 1, identity("y", "x")), plainSig("x:0", "y:0"), 7, msg(1, root))
}

// variables is a model with one variable, "v", whose files write puts there.
func variables(write func(h *hostile)) func(*hostile) {
	return func(h *hostile) {
		names := constant("save/names", dtString, msg(1, dtString, 2, shapeOf(1), 8, "v"))
		slices := constant("save/slices", dtString, msg(1, dtString, 2, shapeOf(1), 8, ""))
		prefix := constant("save/Const", dtString, msg(1, dtString, 2, nil, 8, "model"))
		restore := node("save/RestoreV2", "RestoreV2", 3, "save/Const", 3, "save/names", 3, "save/slices", 5, attr("dtypes", msg(1, msg(6, dtFloat))))
		handle := node("v", "VarHandleOp", 5, dtype(dtFloat), 5, attr("shape", msg(7, shapeOf(2))), 5, attr("shared_name", msg(2, "v")))
		assign := node("save/Assign", "AssignVariableOp", 3, "v", 3, "save/RestoreV2", 5, dtype(dtFloat))
		all := node("save/restore_all", "NoOp", 3, "^save/Assign")
		graph := msg(1, placeholder(-1, -1), 1, identity("y", "x"), 1, names, 1, slices, 1, prefix, 1, restore, 1, handle, 1, assign, 1, all)
		saver := msg(1, "save/Const:0", 2, "save/Const:0", 3, "save/restore_all", 7, 2)
		h.file("m/saved_model.pb", graphModel(graph, plainSig("x:0", "y:0"), 3, saver))
		write(h)
	}
}

// entry is a BundleEntryProto of variable v.
func entry(offset, size int, shape []byte, more ...any) []byte {
	return msg(append([]any{1, dtFloat, 2, shape, 4, offset, 5, size}, more...)...)
}

// index is a checkpoint's index of variable v: a table of one block, as TensorFlow writes it.
func index(v []byte, more ...[]byte) []byte {
	header := msg(1, 1, 3, msg(1, 1))
	pairs := [][2]string{{"", string(header)}, {"v", string(v)}}
	for i, m := range more {
		pairs = append(pairs, [2]string{fmt.Sprintf("w%d", i), string(m)})
	}
	return table(block(pairs, 1))
}

// block is a block of a table, with its restarts.
func block(pairs [][2]string, restarts uint32) []byte {
	var b []byte
	for _, p := range pairs {
		b = append(b, 0)
		b = protowire.AppendVarint(b, uint64(len(p[0])))
		b = protowire.AppendVarint(b, uint64(len(p[1])))
		b = append(b, p[0]+p[1]...)
	}
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, restarts)
}

// table puts a block of data, and one that points to it, into a file.
func table(data []byte) []byte {
	var b []byte
	add := func(block []byte) (handle []byte) {
		handle = protowire.AppendVarint(protowire.AppendVarint(nil, uint64(len(b))), uint64(len(block)))
		sum := crc32.Checksum(append(bytes.Clone(block), 0), crc32.MakeTable(crc32.Castagnoli))
		b = binary.LittleEndian.AppendUint32(append(append(b, block...), 0), (sum>>15|sum<<17)+0xa282ead8)
		return handle
	}
	handle := add(data)
	meta := add(block(nil, 1))
	top := add(block([][2]string{{"z", string(handle)}}, 1))
	footer := append(append(make([]byte, 0, 48), meta...), top...)
	footer = append(footer, make([]byte, 40-len(footer))...)
	return append(append(b, footer...), "\x57\xfb\x80\x8b\x24\x75\x47\xdb"...)
}

// hostileIndexes lists checkpoints that are not what they say.
func hostileIndexes() []hostileCase {
	const minus = -1
	var cases []hostileCase
	for _, c := range []struct {
		name  string
		index func() []byte
	}{
		{"a variable that is what it says", func() []byte { return index(entry(0, 8, shapeOf(2))) }},
		{"a variable beyond the end of the values", func() []byte { return index(entry(1<<40, 8, shapeOf(2))) }},
		{"a variable at -1", func() []byte { return index(entry(minus, 8, shapeOf(2))) }},
		{"a variable of -1 bytes", func() []byte { return index(entry(0, minus, shapeOf(2))) }},
		{"a variable whose end overflows", func() []byte { return index(entry(1<<63-1, 1<<63-1, shapeOf(2))) }},
		{"a variable of fewer bytes than its shape has", func() []byte { return index(entry(0, 4, shapeOf(2))) }},
		{"a variable of 2^60 values", func() []byte { return index(entry(0, 8, shapeOf(1<<30, 1<<30))) }},
		{"a variable whose dimensions overflow", func() []byte { return index(entry(0, 8, shapeOf(1<<62, 1<<62))) }},
		{"a variable with a dimension of -1", func() []byte { return index(entry(0, 8, shapeOf(-1))) }},
		{"a variable in shard 2^31 - 1", func() []byte { return index(entry(0, 8, shapeOf(2), 3, 1<<31-1)) }},
		{"a variable in shard -1", func() []byte { return index(entry(0, 8, shapeOf(2), 3, minus)) }},
		{"a variable of a dtype that there is not", func() []byte { return index(msg(1, 999, 2, shapeOf(2), 5, 8)) }},
		{"strings whose lengths are negative", func() []byte { return index(msg(1, dtString, 2, shapeOf(2), 5, 8)) }},
		{"variables that lie over each other", func() []byte { return index(entry(0, 8, shapeOf(2)), entry(4, 8, shapeOf(2)), entry(0, 8, shapeOf(2))) }},
		{"a wrong checksum of the values", func() []byte { return index(append(entry(0, 8, shapeOf(2)), 0x35, 1, 2, 3, 4)) }},
		{"slices of slices", func() []byte {
			return index(entry(0, 8, shapeOf(2), 7, msg(1, msg(1, 1<<40)), 7, msg(1, msg(1, int(minus), 2, int(minus)))))
		}},
		{"an index with 2^32 - 1 restarts", func() []byte { return table(block([][2]string{{"", ""}}, 1<<32-1)) }},
		{"an index of keys longer than their block", func() []byte {
			b := block(nil, 1)
			return table(append([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f}, b...))
		}},
		{"an index whose footer points beyond it", func() []byte {
			b := index(entry(0, 8, shapeOf(2)))
			copy(b[len(b)-48:], "\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
			return b
		}},
		{"an index of noise with a table's end", func() []byte {
			b := bytes.Repeat([]byte("\xde\xad\xbe\xef\x00\x01"), 10_000)
			return append(b, "\x57\xfb\x80\x8b\x24\x75\x47\xdb"...)
		}},
		{"2^31 shards", func() []byte {
			return table(block([][2]string{{"", string(msg(1, 1<<31-1))}, {"v", string(entry(0, 8, shapeOf(2)))}}, 1))
		}},
	} {
		cases = append(cases, modelCase("checkpoint: "+c.name, variables(func(h *hostile) {
			h.file("m/variables/variables.index", c.index())
			h.file("m/variables/variables.data-00000-of-00001", []byte("\x00\x00\x80\x3f\xff\xff\xff\xff"))
		})))
	}
	return cases
}

func (h *hostile) mkdir(name string) {
	h.Helper()
	if err := os.MkdirAll(filepath.Join(h.dir, name), 0o777); err != nil {
		h.Fatal(err)
	}
}

// fifo makes a named pipe.
func (h *hostile) fifo(name string) {
	h.Helper()
	h.mkdir(filepath.Dir(name))
	if err := syscall.Mkfifo(filepath.Join(h.dir, name), 0o666); err != nil {
		h.Fatal(err)
	}
}

// sparse makes a file of the size, zeros from where it ends, that takes no room.
func (h *hostile) sparse(name string, size int64) {
	h.Helper()
	path := filepath.Join(h.dir, name)
	if _, err := os.Stat(path); err != nil {
		h.stream(name, func(io.Writer) error { return nil })
	}
	if err := os.Truncate(path, size); err != nil {
		h.Skipf("the file system holds no file of %d bytes: %v", size, err)
	}
}
