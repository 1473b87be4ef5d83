package tfrecord

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

func TestEncoder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		feature Feature
		columns string   // a, b, … as JSON, separated by bars
		want    []string // of the Example's values as JSON; nil: the feature is left out
		err     string
	}{
		{"a number", Feature{DType: tensor.Float32, Shape: tensor.MakeShape()}, `1.5`, []string{`1.5`}, ""},
		{"a number in a list of one", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(1)}, `1.5`, []string{`1.5`}, ""},
		{"nested lists", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(2, 2)}, `[[1,2],[3,9007199254740993]]`, []string{`[1,2,3,9007199254740993]`}, ""},
		{"flat where nested is wanted", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(2, 2)}, `[1,2,3,4]`, []string{`[1,2,3,4]`}, ""},
		{"too few", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(2, 2)}, `[1,2,3]`, nil, `feature "f": want values of the shape (2, 2), got 3 values`},
		{"any number", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(tensor.Unknown)}, `[]`, []string{`[]`}, ""},
		{"whole steps", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(tensor.Unknown, 2)}, `[1,2,3]`, nil, `want values of the shape (None, 2), got 3 values`},
		{"several columns", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(3)}, `1|[2,3]`, []string{`[1,2,3]`}, ""},
		{"several columns, one empty", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(2)}, `1|null`, nil, `1 of its 2 columns have no value`},
		{"null", Feature{DType: tensor.Float32, Shape: tensor.MakeShape()}, `null`, nil, ""},
		{"null where a value has to be", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(), Required: true}, `null`, nil, `has no value for it, and the model has no default`},
		{"null with a value for it", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(), Required: true, Null: tensor.Scalar[float32](-1)}, `null`, []string{`-1`}, ""},
		{"one null of several columns", Feature{DType: tensor.Float32, Shape: tensor.MakeShape(2), Null: tensor.Scalar[float32](-1)}, `1|null`, []string{`[1,-1]`}, ""},
		{"null in a list", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(tensor.Unknown), Null: tensor.Scalar[int64](7)}, `[1,null]`, []string{`[1,7]`}, ""},
		{"an empty cell with a value for it", Feature{DType: tensor.String, Shape: tensor.MakeShape(), EmptyIsMissing: true, Null: tensor.Scalar("?")}, `""`, []string{`"?"`}, ""},
		{"an empty cell", Feature{DType: tensor.Float32, Shape: tensor.MakeShape()}, `""`, nil, ""},
		{"an empty string", Feature{DType: tensor.String, Shape: tensor.MakeShape()}, `""`, []string{`""`}, ""},
		{"an empty cell for a string", Feature{DType: tensor.String, Shape: tensor.MakeShape(), EmptyIsMissing: true}, `""`, nil, ""},
		{"NaN for an integer", Feature{DType: tensor.Int64, Shape: tensor.MakeShape()}, `NaN`, nil, ""},
		{"NaN", Feature{DType: tensor.Float32, Shape: tensor.MakeShape()}, `"nan"`, []string{`NaN`}, ""},
		{"a cell with a list", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(tensor.Unknown)}, `"[4, 5]"`, []string{`[4,5]`}, ""},
		{"a cell with strings", Feature{DType: tensor.String, Shape: tensor.MakeShape(tensor.Unknown)}, `"[\"a\", \"b\"]"`, []string{`["a","b"]`}, ""},
		{"a cell with strings as Python prints them", Feature{DType: tensor.String, Shape: tensor.MakeShape(tensor.Unknown)}, `"['a', \"it's\", 'x\"y\\'']"`, []string{`["a","it's","x\"y'"]`}, ""},
		{"a string that begins with a bracket", Feature{DType: tensor.String, Shape: tensor.MakeShape(tensor.Unknown)}, `"[draft"`, []string{`"[draft"`}, ""},
		{"a number where a string is wanted", Feature{DType: tensor.String, Shape: tensor.MakeShape()}, `1.50`, []string{`"1.50"`}, ""},
		{"truth", Feature{DType: tensor.Int64, Shape: tensor.MakeShape(2)}, `true|"False"`, []string{`[1,0]`}, ""},
		{"a whole float for an integer", Feature{DType: tensor.Int64, Shape: tensor.MakeShape()}, `3.0`, []string{`3`}, ""},
		{"half a number for an integer", Feature{DType: tensor.Int64, Shape: tensor.MakeShape()}, `3.5`, nil, `feature "f": `},
		{"text for a number", Feature{DType: tensor.Float32, Shape: tensor.MakeShape()}, `"abc"`, nil, `feature "f": want `},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := test.feature
			f.Name = "f"
			var row []dataset.Field
			for i, text := range strings.Split(test.columns, "|") {
				name := string(rune('a' + i))
				f.Columns = append(f.Columns, name)
				row = append(row, dataset.Field{Key: name, Value: []byte(text)})
			}
			e, err := NewEncoder([]Feature{f})
			if err != nil {
				t.Fatal(err)
			}
			example, err := e.Append(nil, row)
			if test.err != "" {
				var fe *FeatureError
				if !errors.As(err, &fe) || fe.Feature != "f" || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// Read back by the reader of the same package.
			record := appendRecord(nil, example)
			open := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(record))), nil }
			if test.want == nil {
				if strings.Contains(string(example), "f") {
					t.Errorf("the Example %q has the feature", example)
				}
				return
			}
			var got []string
			for row, err := range Rows(dataset.Dict(map[string]dataset.Spec{}), Options{Open: open, Keep: []string{"f"}}, "x").All(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, string(row.Extra[0].AppendJSON(nil)))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	file := appendRecord(appendRecord(appendRecord(nil, []byte("one")), nil), []byte("three"))
	bad := strings.Replace(string(file), "three", "tXree", 1)
	open := func(name string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(map[string]string{"good": string(file), "bad": bad}[name])), nil
	}
	var got []string
	for row, err := range Records(Options{Open: open}, "bad", "good").All(t.Context()) {
		if err != nil {
			var syntax *dataset.SyntaxError
			if !errors.As(err, &syntax) || syntax.Row != 2 || syntax.FileRow != 3 || syntax.File != "bad" {
				t.Fatal(err)
			}
			got = append(got, "error")
			continue
		}
		got = append(got, row.Tensors[0].Strings()[0])
	}
	if diff := cmp.Diff([]string{"one", "", "error", "one", "", "three"}, got); diff != "" {
		t.Error(diff)
	}
}
