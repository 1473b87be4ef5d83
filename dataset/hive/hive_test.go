package hive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/dataset/hive"
)

// The types and values that DuckDB 1.5 read from such folders.
func TestTypesAsDuckDB(t *testing.T) {
	for _, c := range []struct{ values, typ, json string }{
		{"2024 2025", "int64", "2024 2025"},
		{"01 10", "utf8", `"01" "10"`},
		{"-5 3", "int64", "-5 3"},
		{"+5 3", "utf8", `"+5" "3"`},
		{"007", "utf8", `"007"`},
		{"0", "int64", "0"},
		{"-0", "int64", "0"},
		{"9223372036854775807", "int64", "9223372036854775807"},
		{"9223372036854775808", "utf8", `"9223372036854775808"`},
		{"2024-01-01 2024-12-31", "date32", `"2024-01-01" "2024-12-31"`},
		{"2024-1-1", "date32", `"2024-01-01"`},
		{"1969-12-31", "date32", `"1969-12-31"`},
		{"2024-02-30", "utf8", `"2024-02-30"`},
		{"2024-01-01T10%3A00%3A00", "utf8", `"2024-01-01T10:00:00"`},
		{"1.5", "utf8", `"1.5"`},
		{"true", "utf8", `"true"`},
		{"__HIVE_DEFAULT_PARTITION__ 5", "int64", "null 5"},
		{"__HIVE_DEFAULT_PARTITION__", "utf8", "null"},
		{"NULL 3", "int64", "null 3"},
		{"5 __HIVE_DEFAULT_PARTITION__ NULL x", "utf8", `"5" null "NULL" "x"`},
		{"a%2Fb c%20d", "utf8", `"a/b" "c d"`},
		{"%zz", "utf8", `"%zz"`},
		{"2024-01-01 5", "utf8", `"2024-01-01" "5"`},
		{"5%20", "int64", "5"},
		{"00", "utf8", `"00"`},
		{"1e3", "utf8", `"1e3"`},
		{"0005-01-01", "date32", `"0005-01-01"`},
	} {
		var files []string
		for i, v := range strings.Fields(c.values) {
			files = append(files, fmt.Sprintf("k=%s/%d.parquet", v, i))
		}
		p := hive.Of(files)
		var typ string
		var got []string
		for _, file := range files {
			fields, err := p.Fields(file, []string{"k"})
			if err != nil {
				t.Fatal(err)
			}
			typ = fields[0].Type.String()
			got = append(got, string(fields[0].AppendJSON(nil)))
		}
		if typ != c.typ || strings.Join(got, " ") != c.json {
			t.Errorf("%s: %s %s, want %s %s", c.values, typ, got, c.typ, c.json)
		}
	}
}

func TestPaths(t *testing.T) {
	p := hive.Of([]string{"year=2024/month=01/a=b=c/x.parquet", "year=2025/=1/y.parquet", "year=2024/year=2030/k=v.parquet"})
	if got := p.Names(); !slices.Equal(got, []string{"year", "month"}) {
		t.Errorf("columns %q", got)
	}
	f, err := p.Fields("year=2024/year=2030/k=v.parquet", []string{"year"})
	if err != nil || string(f[0].AppendJSON(nil)) != "2024" {
		t.Errorf("%s, %v", f[0].Value, err)
	}
	_, err = p.Fields("year=2025/=1/y.parquet", []string{"month"})
	if want := `year=2025/=1/y.parquet: its path has no folder "month=…", as those of other files have`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func ExampleOf() {
	files := []string{"year=2024/month=01/a.parquet", "year=2024/month=12/b.parquet"}
	p := hive.Of(files)
	fields, _ := p.Fields(files[0], p.Names())
	for _, f := range fields {
		fmt.Println(f.Key, f.Type, string(f.AppendJSON(nil)))
	}
	// Output:
	// year int64 2024
	// month utf8 "01"
}
