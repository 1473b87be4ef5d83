package csv_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// How a file is read is found out by its first rows, and said.
func TestSniff(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		o          csv.Options
		want       string
	}{
		{"names", "a,b\n1,2\n", csv.Options{}, "separated by commas, 2 columns, named by the first row"},
		{"numbers", "1,2\n3,4\n", csv.Options{}, "separated by commas, 2 columns, without a row of names"},
		{"one column", "5\n6\n", csv.Options{}, "separated by commas, 1 column, without a row of names"},
		{"counting, then whole numbers", "0,1,2\n3,4,5\n", csv.Options{}, "separated by commas, 3 columns, without a row of names (unsure)"},
		{"counting alone", "0,1,2", csv.Options{}, "separated by commas, 3 columns, without a row of names (unsure)"},
		{"counting, then floats", "0,1,2\n0.5,-1.0,1e-05\n", csv.Options{}, "separated by commas, 3 columns, named by the first row"},
		{"counting, then a column of floats", "0,1\n0.5,1\n0.25,2\n", csv.Options{}, "separated by commas, 2 columns, named by the first row"},
		{"counting, then text", "0,1\n5,abc\n", csv.Options{}, "separated by commas, 2 columns, named by the first row"},
		{"counting, then some fractions", "0,1\n0.5,1\n1,2.5\n", csv.Options{}, "separated by commas, 2 columns, without a row of names (unsure)"},
		{"counting after an index", ",0,1\n0,5,6\n", csv.Options{}, "separated by commas, 3 columns, named by the first row"},
		{"said to be names", "0,1\n3,4\n", csv.Options{Header: csv.WithHeader}, "separated by commas, 2 columns, named by the first row"},
		{"said to be data", "a,b\n", csv.Options{Header: csv.WithoutHeader}, "separated by commas, 2 columns, without a row of names"},
		{"tabs", "a, b\tc\td\n", csv.Options{}, "separated by tabs, 3 columns, named by the first row"},
		{"a line for Excel", "sep=;\r\na,b;c,d\r\n", csv.Options{}, "separated by semicolons, 2 columns, named by the first row"},
		{"a quoted line for Excel", "\ufeff\"sep=^\"\na,b^c\n", csv.Options{}, "separated by '^', 2 columns, named by the first row"},
		{"a line for Excel and an option", "sep=;\na;b,c\n", csv.Options{Comma: ','}, "separated by commas, 2 columns, named by the first row"},
		{"a line for Excel, and numbers", "sep=,\n1,2\n", csv.Options{}, "separated by commas, 2 columns, without a row of names"},
		{"a column that is called so", "sep=;x\n1;2\n", csv.Options{}, "separated by semicolons, 2 columns, named by the first row"},
		{"bars", "a|b\n", csv.Options{}, "separated by '|', 2 columns, named by the first row"},
		{"separators in quotes", "\"a,b,c\";d\n", csv.Options{}, "separated by semicolons, 2 columns, named by the first row"},
		{"a long name", "\"" + strings.Repeat("a,\n", 50000) + "\";d\n", csv.Options{}, "separated by semicolons, 2 columns, named by the first row"},
		{"after comments and empty lines", "#,,,\n\n# ,,,\r\r\na;b\n", csv.Options{Comment: '#'}, "separated by semicolons, 2 columns, named by the first row"},
		{"other quotes", "'a,b',c\n", csv.Options{Quote: '\''}, "separated by commas, 2 columns, named by the first row, quoted by '\\''"},
		{"no quotes", "\"a,b\"\n", csv.Options{NoQuotes: true}, "separated by commas, 2 columns, named by the first row, quotes are text"},
	} {
		tt.o.Open = rowtest.Stream([]byte(tt.text))
		d, err := csv.Sniff(tt.o, "f.csv")
		got := d.String()
		if d.Unsure {
			got += " (unsure)"
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

// A first row of numbers is lost by no file.
func TestFirstRow(t *testing.T) {
	for text, want := range map[string]int{
		"0,1,2\n3,4,5\n":         2,
		"0,1,2\n":                1,
		"0,1,2\n0.5,1.5,2.5\n":   1, // as pandas writes a frame of floats without names
		"0.0,1.0,2.0\n3,4,5\n":   2,
		"1,2,3\n0.5,1.5,2.5\n":   2,
		"0,1,2\r3,4,5\r6,7,8":    3,
		"# n\n0,1,2\n#x\n3,4,5,": 2,
	} {
		o := csv.Options{Open: rowtest.Stream([]byte(text)), Comment: '#'}
		if rows := rowtest.Rows(t, csv.Rows(dataset.TensorSpec(tensor.Float32, 3), o, "f.csv")); len(rows) != want {
			t.Errorf("%q: %d rows, want %d", text, len(rows), want)
		}
	}
}

// A cell without a value is null where it is kept, an error where it is fed, unless something
// stands in for it.
func TestNulls(t *testing.T) {
	const text = "n,f,s,l,k\n" +
		"1,0.5,a,\"[1,2]\",x\n" +
		",,,,\n" +
		"NA,NA,NA,NA,NA\n" +
		"\"NA\",\"NA\",\"NA\",\"NA\",\"NA\"\n" +
		"\"\",\"\",\"\",\"\",\"\"\n" +
		"-9,-9,-9,-9,-9\n" +
		"nan,nan,nan,\"[NA]\",nan\n" +
		"7,7,7,\"[7,null]\",7\n"
	spec := dataset.Dict(map[string]dataset.Spec{
		"f": dataset.TensorSpec(tensor.Float32), "l": dataset.TensorSpec(tensor.Int32, -1), "n": dataset.TensorSpec(tensor.Int32), "s": dataset.TensorSpec(tensor.String),
	})
	all := dataset.Nulls{"f": tensor.Scalar[float32](-1), "l": tensor.Scalar[int32](-2), "n": tensor.Scalar[int32](-3), "s": tensor.Scalar("none")}
	for _, tt := range []struct {
		name  string
		null  []string
		nulls dataset.Nulls
		want  []string
	}{
		{"nothing given", nil, nil, []string{
			`0.5 [1,2] 1 "a" "x"`, `field "n": want an int32, got an empty cell`, `field "n": want an integer, got "NA"`, `field "n": want an integer, got "NA"`,
			`field "n": want an int32, got an empty cell`, `-9 [-9] -9 "-9" -9`, `field "n": want an integer, got "nan"`, `field "l": want an integer, got null`,
		}},
		{"words", []string{"NA", "-9"}, nil, []string{
			`0.5 [1,2] 1 "a" "x"`, `field "n": want an int32, got an empty cell`, `field "n": want an int32, got "NA", which stands for no value`,
			`field "n": want an int32, got "NA", which stands for no value`, `field "n": want an int32, got an empty cell`,
			`field "n": want an int32, got "-9", which stands for no value`, `field "n": want an integer, got "nan"`, `field "l": want an integer, got null`,
		}},
		{"values", []string{"NA", "-9"}, all, []string{
			`0.5 [1,2] 1 "a" "x"`, `-1 [-2] -3 "none" null`, `-1 [-2] -3 "none" null`, `-1 [-2] -3 "NA" "NA"`, `-1 [-2] -3 "" ""`, `-1 [-2] -3 "none" null`,
			`field "l": want a number, got 'N'`, `7 [7,-2] 7 "7" 7`,
		}},
	} {
		o := csv.Options{Open: rowtest.Stream([]byte(text)), Keep: []string{"k"}, Null: tt.null, Nulls: tt.nulls}
		var got []string
		for e, err := range csv.Rows(spec, o, "f.csv").All(t.Context()) {
			if err != nil {
				_, msg, _ := strings.Cut(err.Error(), ": ")
				got = append(got, msg)
				continue
			}
			var parts []string
			for _, v := range e.Tensors {
				b, err := dataset.AppendJSON(nil, v, nil)
				if err != nil {
					t.Fatal(err)
				}
				parts = append(parts, string(b))
			}
			got = append(got, strings.Join(append(parts, string(e.Extra[0].AppendJSON(nil))), " "))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for path, v := range map[string]tensor.Tensor{"n": tensor.Scalar[int64](1), "x": tensor.Scalar[int32](1), "f": tensor.Vector[float32](1, 2)} {
		if ds := csv.Rows(spec, csv.Options{Open: rowtest.Sized([]byte(text)), Nulls: dataset.Nulls{path: v}}, "f.csv"); ds.Err() == nil {
			t.Errorf("%v in the place of nulls of %q: no error", v, path)
		}
	}
}

// Signs that mean two things are refused.
func TestBadOptions(t *testing.T) {
	for _, o := range []csv.Options{{Comma: 'x'}, {Comma: '.'}, {Comma: '\n'}, {Comma: 0xe9}, {Quote: '5'}, {Comment: '-'}, {Comma: '"'}, {Comment: '"'}, {Comma: '#', Comment: '#'}} {
		if ds := csv.Rows(xyz, o, "testdata/nothing.csv"); ds.Err() == nil || !strings.HasPrefix(ds.Err().Error(), "csv: the ") {
			t.Errorf("%+v: error %v", o, ds.Err())
		}
	}
}

// Whoever asks is told how each file is read.
func TestSniffed(t *testing.T) {
	var got []string
	o := csv.Options{Open: rowtest.Stream([]byte("x;y;z\n1;a;2\n")), Sniffed: func(file string, d csv.Dialect) { got = append(got, fmt.Sprintf("%s: %s", file, d)) }}
	rowtest.Rows(t, csv.Rows(xyz, o, "a.csv"))
	if diff := cmp.Diff([]string{"a.csv: separated by semicolons, 3 columns, named by the first row"}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
