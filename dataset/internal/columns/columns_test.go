package columns_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/tensor"
)

func dict(items map[string]dataset.Spec) dataset.Spec { return dataset.Dict(items) }

func TestMatch(t *testing.T) {
	scalar, four := dataset.TensorSpec(tensor.Float32), dataset.TensorSpec(tensor.Float32, 2, 2)
	tests := []struct {
		name string
		spec dataset.Spec
		have []string
		o    columns.Options
		want columns.Pick
		err  string
	}{
		{
			"by name", dict(map[string]dataset.Spec{"b": scalar, "a": scalar}),
			[]string{"b", "c", "a"},
			columns.Options{Keep: []string{"c"}},
			columns.Pick{Components: [][]int{{2}, {0}}, Keep: []int{1}},
			"",
		},
		{
			"mapped", dict(map[string]dataset.Spec{"x": four}),
			[]string{"f0", "id", "f1", "f2", "f3"},
			columns.Options{Map: map[string][]string{"x": {"f*"}}},
			columns.Pick{Components: [][]int{{0, 2, 3, 4}}},
			"",
		},
		{
			"a name that looks like a pattern", dict(map[string]dataset.Spec{"x": scalar}),
			[]string{"f*", "f1"},
			columns.Options{Map: map[string][]string{"x": {"f*"}}},
			columns.Pick{Components: [][]int{{0}}},
			"",
		},
		{"the only column", dict(map[string]dataset.Spec{"x": scalar}), []string{"review"}, columns.Options{}, columns.Pick{Components: [][]int{{0}}}, ""},
		{
			"all that are left", dict(map[string]dataset.Spec{"x": four, "y": scalar}),
			[]string{"", "0", "y", "1", "2", "id", "3"},
			columns.Options{Keep: []string{"id"}},
			columns.Pick{Components: [][]int{{1, 3, 4, 6}, {2}}, Keep: []int{5}},
			"",
		},
		{
			"part of a structure", dict(map[string]dataset.Spec{"s": dict(map[string]dataset.Spec{"v": scalar})}),
			[]string{"s.v"},
			columns.Options{},
			columns.Pick{Components: [][]int{{0}}},
			"",
		},
		{
			"missing", dict(map[string]dataset.Spec{"tokens": scalar, "y": scalar}),
			[]string{"Token", "y", "z"},
			columns.Options{},
			columns.Pick{},
			`f: no column "tokens"; the columns are "Token", "y", "z"; did you mean "Token"?`,
		},
		{"two missing", dict(map[string]dataset.Spec{"a": scalar, "b": scalar}), []string{"c"}, columns.Options{}, columns.Pick{}, `f: no column "b"; the columns are "c"`},
		{
			"mapped and missing", dict(map[string]dataset.Spec{"x": scalar}),
			[]string{"a"},
			columns.Options{Map: map[string][]string{"x": {"nothing"}}},
			columns.Pick{},
			`f: input "x": no column "nothing"; the columns are "a"`,
		},
		{
			"nothing matches", dict(map[string]dataset.Spec{"x": scalar}),
			[]string{"a"},
			columns.Options{Map: map[string][]string{"x": {"b*"}}},
			columns.Pick{},
			`f: input "x": column "b*": no column matches the pattern; the columns are "a"`,
		},
		{"mapped to nothing", dict(map[string]dataset.Spec{"x": scalar}), nil, columns.Options{Map: map[string][]string{"x": {}}}, columns.Pick{}, `f: input "x": it is mapped to no column`},
		{
			"no such input", dict(map[string]dataset.Spec{"x": scalar}),
			[]string{"a"},
			columns.Options{Map: map[string][]string{"xs": {"a"}}},
			columns.Pick{},
			`f: column "a" is for input "xs", which there is not; did you mean "x"?`,
		},
		{"kept and missing", dict(map[string]dataset.Spec{"x": scalar}), []string{"x"}, columns.Options{Keep: []string{"id"}}, columns.Pick{}, `f: no column "id"; the columns are "x"`},
		{"twice", dict(map[string]dataset.Spec{"x": scalar}), []string{"x", "x"}, columns.Options{}, columns.Pick{}, `f: column "x": the file has several columns of this name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := columns.Match("f", tt.spec, tt.have, tt.o)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("Match: %v\nwant %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Match (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSide(t *testing.T) {
	for _, tt := range []struct {
		spec dataset.Spec
		n    int
		want []int64
		ok   bool
	}{
		{dataset.TensorSpec(tensor.Float32), 1, []int64{}, true},
		{dataset.TensorSpec(tensor.Float32), 2, nil, false},
		{dataset.TensorSpec(tensor.Float32, 1, 1), 1, []int64{1, 1}, true},
		{dataset.TensorSpec(tensor.Float32, -1, 4), 8, []int64{2, 4}, true},
		{dataset.TensorSpec(tensor.Float32, -1, 4), 7, nil, false},
		{dataset.TensorSpec(tensor.Float32, -1, -1), 4, nil, false},
		{dataset.TensorSpec(tensor.Float32, 1<<40, 1<<40), 4, nil, false},
		{dataset.TensorSpec(tensor.Float32, -1, 0), 4, nil, false},
		{dataset.UnknownRankSpec(tensor.Float32), 3, []int64{3}, true},
		{dataset.UnknownRankSpec(tensor.Float32), 1, []int64{}, true},
		{dataset.RaggedSpec(tensor.Float32, 1, -1, -1), 1, nil, false},
	} {
		got, ok := tt.spec.Leaf().Side(tt.n)
		if ok != tt.ok || ok && cmp.Diff(tt.want, got) != "" {
			t.Errorf("Side(%v, %d) = %v, %v; want %v, %v", tt.spec, tt.n, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNear(t *testing.T) {
	for _, tt := range [][3]string{{"tokens", "token", "token"}, {"x", "X", "X"}, {"x", "y", ""}, {"input_ids", "inputs_id", "inputs_id"}, {"text", "label", ""}, {"image", "image_bytes", "image_bytes"}} {
		if got := columns.Near(tt[0], []string{tt[1]}); got != tt[2] {
			t.Errorf("Near(%q, %q) = %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}

// TestMany matches as many columns as a wide file has, all of them kept, in time that is linear in
// their number: the square of it would take minutes.
func TestMany(t *testing.T) {
	const n = 200_000
	have := make([]string, n)
	for i := range have {
		have[i] = fmt.Sprint("c", i)
	}
	keep := have[1:]
	pick, err := columns.Match("f", dataset.TensorSpec(tensor.Float32), have, columns.Options{Keep: keep})
	if err != nil || len(pick.Keep) != n-1 || len(pick.Components) != 1 || len(pick.Components[0]) != 1 || pick.Components[0][0] != 0 {
		t.Fatalf("%d kept, %v, %v", len(pick.Keep), pick.Components, err)
	}
	if names, err := columns.Names(dataset.TensorSpec(tensor.Float32), []string{"y"}, keep); err != nil || len(names) != n {
		t.Fatalf("%d names, %v", len(names), err)
	}
	e := dataset.Element{Extra: make([]dataset.Field, len(keep))}
	for k, name := range keep {
		e.Extra[k] = dataset.Field{Key: name, Value: []byte(name)}
	}
	for k, name := range keep {
		if got := string(columns.Extra(e, k, name).Value); got != name {
			t.Fatalf("column %s is %q", name, got)
		}
	}
	if got := string(columns.Extra(e, 7, "c1").Value); got != "c1" {
		t.Errorf("a column that stands elsewhere is %q", got)
	}
}
