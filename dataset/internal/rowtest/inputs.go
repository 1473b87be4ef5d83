package rowtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// inputTypes maps types of values, in pyarrow's words, to the dtype of an input that takes them
// without conversion.
var inputTypes = map[string]tensor.DType{
	"bool": tensor.Bool, "int8": tensor.Int8, "int16": tensor.Int16, "int32": tensor.Int32, "int64": tensor.Int64,
	"uint8": tensor.Uint8, "uint16": tensor.Uint16, "uint32": tensor.Uint32, "uint64": tensor.Uint64,
	"halffloat": tensor.Float16, "float": tensor.Float32, "double": tensor.Float64,
	"string": tensor.String, "large_string": tensor.String, "string_view": tensor.String,
	"binary": tensor.String, "large_binary": tensor.String, "binary_view": tensor.String, "fixed_size_binary": tensor.String,
}

var (
	listName  = regexp.MustCompile(`^(?:large_|fixed_size_)?list(?:_view)?<[^:<]*: (.*)>(?:\[\d+\])?$`)
	otherName = regexp.MustCompile(`^(?:dictionary<values=(.*), indices=\w+, ordered=\d>|run_end_encoded<run_ends: \w+, values: (.*)>)$`)
)

// inputType returns the dtype of a type's values, and how deep they stand in lists. ok is false for
// types that are converted: structures, times, decimals.
func inputType(name string) (d tensor.DType, depth int, ok bool) {
	for {
		name = strings.ReplaceAll(name, " not null", "")
		if m := listName.FindStringSubmatch(name); m != nil {
			name, depth = m[1], depth+1
		} else if m := otherName.FindStringSubmatch(name); m != nil {
			name = m[1] + m[2]
		} else {
			name, _, _ = strings.Cut(name, "[")
			d, ok = inputTypes[name]
			return d, depth, ok
		}
	}
}

// CheckInputs reads the columns of a file as inputs, each of the dtype and depth that pyarrow
// tells, and compares them with the values that pyarrow tells. Rows with a null, and rows whose
// lists differ in length, must be refused.
func (want Table) CheckInputs(t *testing.T, rows func(spec dataset.Spec) *dataset.Dataset) {
	t.Helper()
	for _, name := range want.Names {
		d, depth, ok := inputType(want.Types[name])
		if !ok {
			continue
		}
		spec := dataset.TensorSpec(d, slices.Repeat([]int64{tensor.Unknown}, depth)...)
		row := 0
		for e, err := range rows(dataset.Dict(map[string]dataset.Spec{name: spec})).All(t.Context()) {
			if row >= want.Rows {
				t.Fatalf("column %q of %s: more than %d rows; %v", name, want.Types[name], want.Rows, err)
			}
			checkInput(t, name+" of "+want.Types[name], want.Columns[name][row], e, err)
			row++
		}
		if row != want.Rows {
			t.Fatalf("column %q of %s: %d rows, want %d", name, want.Types[name], row, want.Rows)
		}
	}
}

// checkInput compares a row.
func checkInput(t *testing.T, column, want string, e dataset.Element, err error) {
	t.Helper()
	if bad := new(dataset.SyntaxError); errors.As(err, &bad) && !isWhole(want) {
		return
	}
	if err != nil {
		t.Fatalf("column %s: %v, want %s", column, err, want)
	}
	got, err := dataset.AppendJSON(nil, e.Tensors[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatalf("column %s: %s, want %s", column, got, want)
	}
}

// isWhole reports whether a value has no null in it, and lists of one length at each depth.
func isWhole(text string) bool {
	var v any
	if json.Unmarshal(bytes.ReplaceAll(bytes.ReplaceAll([]byte(text), []byte("NaN"), []byte("0")), []byte("Infinity"), []byte("0")), &v) != nil {
		return false
	}
	_, ok := sides(v)
	return ok
}

// sides returns the lengths of a value's lists by depth. ok is false where they differ, or where a
// value is null.
func sides(v any) (dims []int, ok bool) {
	list, is := v.([]any)
	if !is {
		return nil, v != nil
	}
	for i, x := range list {
		own, ok := sides(x)
		if !ok || i > 0 && !reflect.DeepEqual(dims, own) {
			return nil, false
		}
		dims = own
	}
	return append(dims, len(list)), true
}

// Table is what pyarrow tells about a file: the texts of each column's values, in the form of this
// project's JSON, and the column's type in Arrow's words.
type Table struct {
	Rows    int
	Names   []string
	Columns map[string][]string
	Types   map[string]string
	// Error says that pyarrow refuses the file, or could not make it.
	Error string
	// Untold lists the columns whose values the script cannot write as texts.
	Untold []string
}
