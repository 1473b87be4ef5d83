package padding

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/savedmodel"
)

const truthDir = "../../testdata/padding"

// truth is what testdata/padding/make_padding.py found out by running a model.
type truth struct {
	Outputs map[string]struct {
		Padding        *bool // nil: nothing can be padded
		Company, Zeros bool
	}
	Rows []map[string]any
}

// meets reports whether all rows are such as a need wants them.
func (c truth) meets(n Need) bool {
	if n.Least > 0 {
		return true // or the rows would not have run
	}
	for _, row := range c.Rows {
		if least, whole := lowest(row[n.Input]); n.Other == "" && whole && least <= 0 {
			return false
		}
	}
	return true
}

// lowest is the smallest number in nested lists; whole says that all are whole numbers.
func lowest(v any) (least float64, whole bool) {
	list, ok := v.([]any)
	if !ok {
		x, _ := v.(float64)
		return x, x == math.Trunc(x)
	}
	least, whole = math.Inf(1), true
	for _, x := range list {
		l, w := lowest(x)
		least, whole = min(least, l), whole && w
	}
	return least, whole
}

func readFile(t *testing.T, name string) map[string]truth {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]truth{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func open(t *testing.T, dir string) (*savedmodel.MetaGraph, *savedmodel.Signature) {
	t.Helper()
	m, err := savedmodel.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	mg, err := m.MetaGraph()
	if err != nil {
		t.Fatal(err)
	}
	sig, err := mg.Signature("")
	if err != nil {
		t.Logf("%s: %v", dir, err)
	}
	return mg, sig
}

// counts are the outputs of which neither padding nor other rows change a row's answer.
type counts struct {
	strict              bool // what is said to depend does
	independent, proven int
}

// check holds what is said of an output against the truth.
func (c *counts) check(t *testing.T, name string, out Output, all truth) {
	t.Helper()
	want := all.Outputs[out.Name]
	told := func(what string, r Result, same bool) {
		assumes := slices.ContainsFunc(r.Needs, func(n Need) bool { return n.Padless || n.Ones })
		why := strings.Join(r.Chain, "; ")
		switch {
		case r.Answer == Independent && slices.ContainsFunc(r.Needs, func(n Need) bool { return !all.meets(n) }):
		case r.Answer == Independent && !same:
			t.Errorf("%s, %s: proven to be independent of %s, and is not", name, out.Name, what)
		case r.Answer == Independent && !assumes && !want.Zeros && what == "padding":
			t.Errorf("%s, %s: proven to be independent of padding for rows that hold padding values, and is not", name, out.Name)
		case r.Answer == Depends && same && c.strict:
			t.Errorf("%s, %s: said to depend on %s, and does not: %s", name, out.Name, what, why)
		case r.Answer == Unknown && same:
			t.Logf("%s, %s: not proven to be independent of %s: %s", name, out.Name, what, why)
		}
	}
	told("other rows", out.Company, want.Company)
	same := want.Company
	if want.Padding != nil {
		same = same && *want.Padding
		told("padding", out.Padding, same)
	}
	if same {
		c.independent++
		if out.Company.Answer == Independent && (want.Padding == nil || out.Padding.Answer == Independent) {
			c.proven++
		}
	}
}

// TestProofsAreTrue: nothing is proven that running the models contradicts, and most of what is
// true is proven.
func TestProofsAreTrue(t *testing.T) {
	all := readFile(t, filepath.Join(truthDir, "truth.json"))
	c := counts{strict: true}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		mg, sig := open(t, filepath.Join(truthDir, name))
		if sig == nil {
			continue
		}
		outputs, err := Of(mg, sig, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, out := range outputs {
			c.check(t, name, out, all[name])
		}
	}
	t.Logf("%d of %d outputs that are independent are proven to be", c.proven, c.independent)
	if c.proven*5 < c.independent*4 {
		t.Errorf("%d of %d outputs that are independent are proven to be: less than 80 %%", c.proven, c.independent)
	}
}

// TestRandomGraphs holds proofs about graphs drawn at random against what running them says. More
// of them are made by make_padding.py --random, in a folder that TFRUN_PADDING_RANDOM names.
func TestRandomGraphs(t *testing.T) {
	dir := os.Getenv("TFRUN_PADDING_RANDOM")
	if dir == "" {
		t.Skip("NOT TRIED: TFRUN_PADDING_RANDOM names no folder of random graphs")
	}
	all := readFile(t, filepath.Join(dir, "random.json"))
	m, err := savedmodel.Open(filepath.Join(dir, "random"))
	if err != nil {
		t.Fatal(err)
	}
	mg, err := m.MetaGraph()
	if err != nil {
		t.Fatal(err)
	}
	var c counts
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sig, err := mg.Signature(name)
		if err != nil {
			t.Fatal(err)
		}
		outputs, err := Of(mg, sig, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range outputs {
			c.check(t, name, out, all[name])
		}
	}
	t.Logf("%d of %d outputs that are independent are proven to be", c.proven, c.independent)
}
