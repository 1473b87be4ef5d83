package shape

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"

	nodepb "github.com/galeone/tensorflow/tensorflow/go/core/framework/node_def_go_proto"
	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/tensor"
	"google.golang.org/protobuf/proto"
)

// recorded is an operation with what TensorFlow's shape inference gave for it
// (testdata/make_ops.py).
type recorded struct {
	Node []byte
	In   []struct {
		Shape tensor.Shape
		Ints  []int64
		Held  tensor.Shape
	}
	Out []tensor.Shape
}

// call returns the recorded operation.
func (r *recorded) call(t *testing.T) *Call {
	def := &nodepb.NodeDef{}
	if err := proto.Unmarshal(r.Node, def); err != nil {
		t.Fatal(err)
	}
	n := graph.NewNode(def)
	n.Inputs = make([]graph.Ref, len(r.In))
	return &Call{
		Node: n,
		In:   func(k int) tensor.Shape { return r.In[k].Shape },
		Ints: func(k int) []int64 { return r.In[k].Ints },
		Held: func(k int) Held { return Held{Shape: r.In[k].Held, Len: tensor.Unknown} },
	}
}

// TestRulesAreTensorFlows compares each rule with TensorFlow's own inference, for inputs that are
// known, known in part, and not known. A size may be unknown here that TensorFlow knows, but none
// may be another, and none be known that TensorFlow leaves open.
func TestRulesAreTensorFlows(t *testing.T) {
	t.Parallel()
	lines := linesOf(t, "testdata/ops.jsonl.gz")
	cases, agree, without, missed := 0, 0, 0, map[string]int{}
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		c := r.call(t)
		cases++
		for out, want := range r.Out {
			got := Of(c, out)
			switch {
			case got.Equal(want):
				agree++
			case rules[c.Node.Op] == nil:
				without++
			case vaguer(got, want):
				missed[c.Node.Op]++
			default:
				t.Errorf("%s of %v gives %v, but TensorFlow %v (output %d; %v)", c.Node.Op, r.In, got, want, out, c.Node.Def.GetAttr())
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for op, n := range missed {
		total += n
		t.Logf("%s: %d shapes of which TensorFlow knows more", op, n)
	}
	t.Logf("%d operations: %d shapes are TensorFlow's, of %d it knows more, for %d there is no rule", cases, agree, total, without)
	if cases < 6000 || total > agree/20 || without > agree/10 {
		t.Errorf("%d operations; of %d shapes TensorFlow knows more, and %d have no rule, beside %d that are its own", cases, total, without, agree)
	}
}

// TestRefused compares what is refused with what TensorFlow refused to run
// (testdata/make_refused.py).
func TestRefused(t *testing.T) {
	t.Parallel()
	lines := linesOf(t, "testdata/refused.jsonl.gz")
	ran, refused := 0, 0
	for lines.Scan() {
		var r struct {
			recorded
			Ran bool
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		c := r.call(t)
		if got := c.refused(); got == r.Ran {
			t.Errorf("%s: refused %v, but TensorFlow ran it: %v (%v)", c.operands(), got, r.Ran, c.Node.Def.GetAttr())
		}
		if r.Ran {
			ran++
		} else {
			refused++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if ran < 1000 || refused < 1000 {
		t.Errorf("%d operations that ran, and %d that were refused", ran, refused)
	}
}

// linesOf reads a compressed file line by line.
func linesOf(t *testing.T, name string) *bufio.Scanner {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	return lines
}

// vaguer reports whether all that a shape says is true of another.
func vaguer(s, of tensor.Shape) bool {
	if !s.Ranked() {
		return true
	}
	return s.Rank() == of.Rank() && !slices.ContainsFunc(AllAxes(s.Rank()), func(i int64) bool {
		return s.Dim(int(i)) != tensor.Unknown && s.Dim(int(i)) != of.Dim(int(i))
	})
}
