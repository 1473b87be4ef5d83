package csv_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// rowJSON reads a file of one row whose cell x becomes a list, and returns it as JSON.
func rowJSON(t *testing.T, d tensor.DType, cell string) (string, error) {
	t.Helper()
	file := "id,x\n1,\"" + strings.ReplaceAll(cell, `"`, `""`) + "\"\n"
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(d, tensor.Unknown)})
	for e, err := range csv.Rows(spec, csv.Options{Open: rowtest.Stream([]byte(file))}, "f.csv").All(t.Context()) {
		if err != nil {
			return "", err
		}
		out, err := dataset.AppendJSON(nil, e.Tensors[0], nil)
		return string(out), err
	}
	t.Fatal("no row")
	return "", nil
}

// TestPythonLists reads cells as pandas writes lists, tuples and NumPy's arrays: str of them.
func TestPythonLists(t *testing.T) {
	tests := []struct {
		dtype      tensor.DType
		cell, want string
	}{
		{tensor.String, `['a', "it's", 'q"\'', 'tab\t\\ \xe9\u20ac\U0001f600 é']`, `["a","it's","q\"'","tab\t\\ é€😀 é"]`},
		{tensor.String, `["a", "b"]`, `["a","b"]`},
		{tensor.String, `[]`, `[]`},
		{tensor.Bool, `[True, False]`, `[true,false]`},
		{tensor.Float32, `[nan, inf, -inf, 1.5, 2]`, `[NaN,Infinity,-Infinity,1.5,2]`},
		{tensor.Float32, "[ 0.1 -2.   3.e-05\n  1.25e+10]", `[0.1,-2,0.00003,12500000000]`},
		{tensor.Int64, `(1, 2)`, `[1,2]`},
		{tensor.Int64, `(9007199254740993,)`, `[9007199254740993]`},
		{tensor.Int32, "[1 2 3]", `[1,2,3]`},
		{tensor.String, `('a', 'b')`, `["('a', 'b')"]`},
	}
	for _, test := range tests {
		got, err := rowJSON(t, test.dtype, test.cell)
		if err != nil {
			t.Errorf("%s: %v", test.cell, err)
		} else if got != test.want {
			t.Errorf("%s = %s, want %s", test.cell, got, test.want)
		}
	}
}

// TestPythonListErrors: what is no list of values is refused, in the words for JSON.
func TestPythonListErrors(t *testing.T) {
	for _, cell := range []string{`[1 2 ... 9]`, `['a`, `['\q']`, `['\ud800']`, `['\x1']`, `[None]`, `[1 2`, `[1.e]`, `[a b]`, `[1]]`} {
		for _, d := range []tensor.DType{tensor.Float32, tensor.String} {
			if got, err := rowJSON(t, d, cell); err == nil {
				t.Errorf("%s as %s = %s, want an error", cell, d, got)
			} else if !strings.HasPrefix(err.Error(), `f.csv:2: field "x": `) {
				t.Errorf("%s as %s: %v", cell, d, err)
			}
		}
	}
}

// TestListsOfOne: where a row holds one value its cell may have the brackets that lists of other
// lengths have.
func TestListsOfOne(t *testing.T) {
	for _, test := range []struct {
		spec       dataset.Spec
		cell, want string
	}{
		{dataset.TensorSpec(tensor.Float32, 1), "1.5", "[1.5]"},
		{dataset.TensorSpec(tensor.Float32, 1), "[1.5]", "[1.5]"},
		{dataset.TensorSpec(tensor.Int64, 1, 1), "[[ 9007199254740993 ]]", "[[9007199254740993]]"},
		{dataset.TensorSpec(tensor.Bool, 1), "[true]", "[true]"},
		{dataset.TensorSpec(tensor.Float32, 1), "[[1.5]]", ""},
		{dataset.TensorSpec(tensor.Float32, 1), "[]", ""},
		{dataset.TensorSpec(tensor.Float32), "[1.5]", "1.5"},
		{dataset.TensorSpec(tensor.Float32), "[1.5, 2]", ""},
		{dataset.TensorSpec(tensor.String, 1), `["a\n"]`, `["a\n"]`},
		{dataset.TensorSpec(tensor.String, 1), "[a]", `["[a]"]`},
		{dataset.TensorSpec(tensor.String, 1), "a", `["a"]`},
		{dataset.TensorSpec(tensor.String), `["a"]`, `"[\"a\"]"`},
		{dataset.TensorSpec(tensor.String, -1), " a ", `[" a "]`},
		{dataset.TensorSpec(tensor.String, -1), "", `[""]`},
		{dataset.TensorSpec(tensor.String, -1), ` ["a", " b "] `, `["a"," b "]`},
		{dataset.TensorSpec(tensor.String, -1), `"a"`, `["\"a\""]`},
		{dataset.TensorSpec(tensor.String, 1, 1), "\ta", `[["\ta"]]`},
		{dataset.TensorSpec(tensor.Float32, -1), " .5 ", "[0.5]"},
		{dataset.TensorSpec(tensor.Float32, -1), "True", "[1]"},
		{dataset.TensorSpec(tensor.Bool, -1), "1.0", "[true]"},
		{dataset.TensorSpec(tensor.Int64, 1, -1), "1e18", "[[1000000000000000000]]"},
		{dataset.TensorSpec(tensor.Int64, -1, -1), "1", ""},
		{dataset.TensorSpec(tensor.Int64, -1), "9007199254740993.0", "[9007199254740993]"},
	} {
		file := []byte("x\n\"" + strings.ReplaceAll(test.cell, `"`, `""`) + "\"\n")
		for e, err := range csv.Rows(dataset.Dict(map[string]dataset.Spec{"x": test.spec}), csv.Options{Open: rowtest.Stream(file)}, "f.csv").All(t.Context()) {
			got := []byte(nil)
			if err == nil {
				got, err = dataset.AppendJSON(nil, e.Tensors[0], nil)
			}
			if string(got) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%s of shape %v = %s, %v; want %s", test.cell, test.spec, got, err, test.want)
			}
		}
	}
}

func TestKeptCells(t *testing.T) {
	const file = "x,k\n1,a\n1,\n1,\"\"\n1,True\n1,\"false\"\n1,TRUE\n1,5\n1,\"-0.5e3\"\n1,01\n1,NaN\n1,null\n1,2024-01-02\n1,\"[1, 2]\"\n"
	want := []string{`"a"`, `null`, `""`, `true`, `false`, `true`, `5`, `-0.5e3`, `"01"`, `"NaN"`, `"null"`, `"2024-01-02"`, `"[1, 2]"`}
	spec := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32)})
	var got []string
	for e, err := range csv.Rows(spec, csv.Options{Open: rowtest.Stream([]byte(file)), Keep: []string{"k"}}, "f.csv").All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(e.Extra[0].Value))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
