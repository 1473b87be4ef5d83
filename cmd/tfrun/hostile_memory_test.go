//go:build cgo && !notf && !race && linux

package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	dtInt32 = 3
	dtInt64 = 9
)

// scalarNode is a constant of one value.
func scalarNode(name string, t, v int) []byte {
	var content []byte
	switch t {
	case dtFloat:
		content = binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v)))
	case dtInt32:
		content = binary.LittleEndian.AppendUint32(nil, uint32(v))
	default:
		content = binary.LittleEndian.AppendUint64(nil, uint64(v))
	}
	return constant(name, t, msg(1, t, 2, []byte(nil), 4, string(content)))
}

// listNode is a constant of one axis.
func listNode(name string, t int, vs ...int) []byte {
	var content []byte
	for _, v := range vs {
		if t == dtFloat {
			content = binary.LittleEndian.AppendUint32(content, math.Float32bits(float32(v)))
		} else {
			content = binary.LittleEndian.AppendUint32(content, uint32(v))
		}
	}
	return constant(name, t, msg(1, t, 2, shapeOf(len(vs)), 4, string(content)))
}

func attrT(key string, t int) []byte { return attr(key, msg(6, t)) }
func attrN(key string, n int) []byte { return attr(key, msg(3, n)) }

// grown is a model that computes the tensor v, a float's, of any shape, from nodes and the input x,
// and adds its sum to x.
func grown(v string, nodes ...any) func() []byte {
	return func() []byte {
		return through(append(nodes,
			1, listNode("all", dtInt32, 0),
			1, node("flat", "Reshape", 3, v, 3, "one", 5, typeT(dtFloat), 5, attrT("Tshape", dtInt32)),
			1, listNode("one", dtInt32, -1),
			1, node("sum", "Sum", 3, "flat", 3, "all", 5, typeT(dtFloat), 5, attrT("Tidx", dtInt32)),
			1, node("y", "AddV2", 3, "x", 3, "sum", 5, typeT(dtFloat)))...)
	}
}

// doubled appends a tensor to itself n times. The last is named prefix followed by n.
func doubled(prefix, first string, n int) []any {
	nodes := []any{1, scalarNode("axis", dtInt32, 0)}
	for i := range n {
		from := first
		if i > 0 {
			from = fmt.Sprint(prefix, i)
		}
		nodes = append(nodes, 1, node(fmt.Sprint(prefix, i+1), "ConcatV2", 3, from, 3, from, 3, "axis", 5, typeT(dtFloat), 5, attrN("N", 2), 5, attrT("Tidx", dtInt32)))
	}
	return nodes
}

// greedy lists models of a few hundred bytes that ask for more memory than there is, by name.
func greedy() map[string]func() []byte {
	const n = 1 << 30 // 4 GiB of floats
	flatX := []any{1, listNode("minus", dtInt32, -1), 1, node("row", "Reshape", 3, "x", 3, "minus", 5, typeT(dtFloat), 5, attrT("Tshape", dtInt32))}
	double := func(name, ret string) []byte {
		return function(name, ret, scalarNode("axis", dtInt32, 0), node("d", "ConcatV2", 3, "a", 3, "a", 3, "axis:output:0", 5, typeT(dtFloat), 5, attrN("N", 2), 5, attrT("Tidx", dtInt32)))
	}
	calls := func() []any {
		nodes := append(flatX[:len(flatX):len(flatX)], 2, msg(1, double("double", "d:output:0")))
		for i, from := 0, "row"; i < 40; i++ {
			nodes = append(nodes, 1, call(fmt.Sprint("c", i+1), "double", from))
			from = fmt.Sprint("c", i+1)
		}
		return nodes
	}
	never := msg(1, dtBool, 2, []byte(nil), 11, 1)
	return map[string]func() []byte{
		"Fill":          grown("v", 1, listNode("n", dtInt32, n), 1, scalarNode("f", dtFloat, 1), 1, node("v", "Fill", 3, "n", 3, "f", 5, typeT(dtFloat), 5, attrT("index_type", dtInt32))),
		"Tile":          grown("v", 1, listNode("n", dtInt32, n), 1, listNode("f", dtFloat, 1), 1, node("v", "Tile", 3, "f", 3, "n", 5, typeT(dtFloat), 5, attrT("Tmultiples", dtInt32))),
		"BroadcastTo":   grown("v", 1, listNode("n", dtInt32, n), 1, scalarNode("f", dtFloat, 1), 1, node("v", "BroadcastTo", 3, "f", 3, "n", 5, typeT(dtFloat), 5, attrT("Tidx", dtInt32))),
		"Range":         grown("v", 1, scalarNode("n", dtFloat, n), 1, scalarNode("a", dtFloat, 0), 1, scalarNode("f", dtFloat, 1), 1, node("v", "Range", 3, "a", 3, "n", 3, "f", 5, attrT("Tidx", dtFloat))),
		"Pad":           grown("v", 1, listNode("f", dtFloat, 1), 1, constant("n", dtInt32, msg(1, dtInt32, 2, shapeOf(1, 2), 4, "\x00\x00\x00\x00\x00\x00\x00\x40")), 1, node("v", "Pad", 3, "f", 3, "n", 5, typeT(dtFloat), 5, attrT("Tpaddings", dtInt32))),
		"OneHot":        grown("v", 1, listNode("i", dtInt32, 1, 2, 3, 4), 1, scalarNode("n", dtInt32, n/4), 1, scalarNode("on", dtFloat, 1), 1, scalarNode("off", dtFloat, 0), 1, node("v", "OneHot", 3, "i", 3, "n", 3, "on", 3, "off", 5, typeT(dtFloat), 5, attrT("TI", dtInt32), 5, attrN("axis", -1))),
		"RandomUniform": grown("v", 1, listNode("n", dtInt32, n), 1, node("v", "RandomUniform", 3, "n", 5, attrT("T", dtInt32), 5, dtype(dtFloat))),
		"as many as the row says": grown("v", append(flatX[:len(flatX):len(flatX)],
			1, node("n", "Cast", 3, "row", 5, attrT("SrcT", dtFloat), 5, attrT("DstT", dtInt64)),
			1, scalarNode("f", dtFloat, 1), 1, node("v", "Fill", 3, "n", 3, "f", 5, typeT(dtFloat), 5, attrT("index_type", dtInt64)))...),
		"a constant doubled 40 times":       grown("d40", append(doubled("d", "f", 40), 1, listNode("f", dtFloat, 1))...),
		"a row doubled 40 times":            grown("d40", append(doubled("d", "row", 40), flatX...)...),
		"a function that doubles, 40 times": grown("c40", calls()...),
		"a product of a column and a row":   grown("v", append([]any{1, node("v", "MatMul", 3, "a", 3, "b", 5, typeT(dtFloat))}, 1, listNode("na", dtInt32, 1<<15, 1), 1, listNode("nb", dtInt32, 1, 1<<15), 1, scalarNode("f", dtFloat, 1), 1, node("a", "Fill", 3, "na", 3, "f", 5, typeT(dtFloat), 5, attrT("index_type", dtInt32)), 1, node("b", "Fill", 3, "nb", 3, "f", 5, typeT(dtFloat), 5, attrT("index_type", dtInt32)))...),
		"a loop that doubles": grown("exit", append(flatX[:len(flatX):len(flatX)],
			1, node("enter", "Enter", 3, "row", 5, typeT(dtFloat), 5, attr("frame_name", msg(2, "l"))),
			1, node("merge", "Merge", 3, "enter", 3, "next", 5, typeT(dtFloat), 5, attrN("N", 2)),
			1, node("go", "Const", 3, "^merge", 5, dtype(dtBool), 5, attr("value", msg(8, never))),
			1, node("cond", "LoopCond", 3, "go"),
			1, node("switch", "Switch", 3, "merge", 3, "cond", 5, typeT(dtFloat)),
			1, node("body", "Identity", 3, "switch:1", 5, typeT(dtFloat)),
			1, node("axis", "Const", 3, "^body", 5, dtype(dtInt32), 5, attr("value", msg(8, msg(1, dtInt32, 2, []byte(nil), 7, 0)))),
			1, node("twice", "ConcatV2", 3, "body", 3, "body", 3, "axis", 5, typeT(dtFloat), 5, attrN("N", 2), 5, attrT("Tidx", dtInt32)),
			1, node("next", "NextIteration", 3, "twice", 5, typeT(dtFloat)),
			1, node("exit", "Exit", 3, "switch", 5, typeT(dtFloat)))...),
		"texts doubled 40 times": func() []byte {
			nodes := []any{1, node("s0", "AsString", 3, "x", 5, typeT(dtFloat))}
			for i := range 40 {
				from := fmt.Sprint("s", i)
				nodes = append(nodes, 1, node(fmt.Sprint("s", i+1), "StringJoin", 3, from, 3, from, 5, attrN("N", 2)))
			}
			return through(append(nodes, 1, node("len", "StringLength", 3, "s40"), 1, node("y", "Cast", 3, "len", 5, attrT("SrcT", dtInt32), 5, attrT("DstT", dtFloat)))...)
		},
		"while it is loaded": func() []byte {
			graph := msg(1, placeholder(-1, -1), 1, identity("y", "x"),
				1, listNode("n", dtInt32, n), 1, scalarNode("f", dtFloat, 1), 1, node("v", "Fill", 3, "n", 3, "f", 5, typeT(dtFloat), 5, attrT("index_type", dtInt32)),
				1, node("var", "VarHandleOp", 5, dtype(dtFloat), 5, attr("shape", msg(7, shapeOf(n)))),
				1, node("init", "AssignVariableOp", 3, "var", 3, "v", 5, dtype(dtFloat)))
			return graphModel(graph, plainSig("x:0", "y:0"), 5, msg(1, "__saved_model_init_op", 2, msg(2, msg(1, "__saved_model_init_op", 2, msg(1, "init")))))
		},
	}
}

// hostileGreed lists models that ask for more memory than there is, with a limit in the place of
// the machine's end.
func hostileGreed() []hostileCase {
	cases := []hostileCase{{"model", "memory: this process, and that of an isolated model, may allocate what the machine has, and no more", (*hostile).bounded}}
	for _, m := range []struct {
		name  string
		flags []string
	}{
		{"", nil},
		{", `--isolate`", []string{"--isolate"}},
		{", `--skip-bad-rows`", []string{"--skip-bad-rows"}},
		{", `--isolate --skip-bad-rows`", []string{"--isolate", "--skip-bad-rows"}},
	} {
		cases = append(cases, hostileCase{"model", "memory: more than there is, in " + fmt.Sprint(len(greedy())) + " ways" + m.name, func(h *hostile) string { return h.greedily(m.flags) }})
	}
	return cases
}

// bounded looks at the limits of the processes while they run.
func (h *hostile) bounded() string {
	for _, flags := range [][]string{nil, {"--isolate"}} {
		cmd := h.command(append([]string{"predict", h.model("k3_autoencoder"), "-", "--batch-size", "1", "-q"}, flags...)...)
		in, lines := h.pipes(cmd.StdinPipe, cmd.StdoutPipe)
		if err := cmd.Start(); err != nil {
			h.Fatal(err)
		}
		h.give(in, lines, "[1,2,3,4,5,6,7,8]\n")
		pids := append(h.children(cmd.Process.Pid), fmt.Sprint(cmd.Process.Pid))
		if len(pids) != 1+len(flags) {
			h.Errorf("%q: processes %q", flags, pids)
		}
		for _, pid := range pids {
			limits, err := os.ReadFile(filepath.Join("/proc", pid, "limits"))
			_, data, _ := strings.Cut(string(limits), "Max data size")
			fields := strings.Fields(data)
			if err != nil || len(fields) < 2 || fields[0] == "unlimited" || fields[1] != "unlimited" {
				h.Errorf("%q: %v, data: %.60s", flags, err, data)
			}
		}
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			h.Error(err)
		}
	}
	return "exit 0: a soft limit of data, no hard one"
}

// greedily runs each model that asks for too much, with a good row beside it where bad rows are
// passed over and the model's need depends on the row.
func (h *hostile) greedily(flags []string) string {
	rows := h.file("rows.jsonl", []byte("[4000000000]\n"))
	skips := strings.Contains(strings.Join(flags, " "), "skip")
	for name, model := range greedy() {
		h.file(name+"/saved_model.pb", model())
		args := append([]string{"-c", `ulimit -d 900000; exec "$0" "$@"`, h.tfrun, "predict", name, rows, "-o", "out.jsonl", "-q"}, flags...)
		cmd := exec.CommandContext(h.Context(), "sh", args...)
		cmd.Dir = h.dir
		r := h.wait(cmd)
		switch {
		case r.code == exitDied, r.code == exitData && (!skips || name == "while it is loaded"), r.code == exitBadRows && skips, r.code == exitFailed && name == "while it is loaded":
		default:
			h.Errorf("%s: exit code %d: %s", name, r.code, short(r.stderr))
		}
		if _, err := os.Lstat(filepath.Join(h.dir, "out.jsonl")); (err == nil) != (r.code == exitBadRows) {
			h.Errorf("%s: exit code %d, and the output: %v", name, r.code, err)
		}
		_ = os.Remove(filepath.Join(h.dir, "out.jsonl"))
	}
	return "one line each, of the row or of what TensorFlow ended the process with"
}
