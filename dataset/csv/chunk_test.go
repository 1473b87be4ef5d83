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

// nasty are files in which every byte is a bad place to cut, with the options that they need. The
// rows that they hold beside the bad ones are of xyz.
var nasty = []struct {
	name string
	o    csv.Options
	text string
}{
	{"line feeds", csv.Options{}, "x,y,z\n1,\"a, b\",7\n\"2\",\"q\"\"\",8\n3,\"li\nne\n\n\",9\n\n4,,10\n5,\"\"\"\"\"\",11\n6,\"x\" ,12\n7,é\"\",13\nq,\"r\ns\",14\n8,\"\",\"15\"\n9"},
	{"both", csv.Options{}, "\ufeffx,y,z\r\n1,\"a, b\",7\r\n\"2\",\"q\"\"\",8\r\n3,\"li\r\nne\r\n\r\n\",9\r\n\r\n4,,10\r\n5,\"\"\"\"\"\",11\r\n8,\"\",\"15\"\r\n"},
	{"carriage returns", csv.Options{}, "x,y,z\r1,\"a, b\",7\r\"2\",\"q\"\"\",8\r3,\"li\rne\r\r\",9\r\r4,,10\r5,\"\"\"\"\"\",11\r8,\"\",\"15\"\r"},
	{"all of them", csv.Options{}, "x,y,z\n1,\"a\r\",7\r\r\n2,\"\n\r\",8\n\r3,c,9\r4,\"\r\n\",10\r\n\n\r\r5,\"\r\"\"\n\",11\r\r\r6,f,q\r\n7,g,13"},
	{"comments", csv.Options{Comment: '#'}, "# \"x,y\n#\nx,y,z\n1,a,7\n# say \"hi\", \"there\n2,\"#\n#\",8\n#,\"\n3,#c,9\r#\"\r\n4,d,10\n#"},
	{"apostrophes", csv.Options{Quote: '\'', Comma: ';'}, "x;y;z\n1;'a;''b''\n';7\n'2';'\"';8\n"},
	{"no quotes", csv.Options{NoQuotes: true, Comma: '|'}, "x|y|z\n1|\"a|7\n2|\"\"|8\r\n3|b\"|9\r"},
	{"a quote that does not end", csv.Options{}, "x,y,z\n1,a,7\n2,\"b\",8\n3,\"c,9\n4,d,10\n"},
}

var xyz = dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Int32), "y": dataset.TensorSpec(tensor.String), "z": dataset.TensorSpec(tensor.Float32)})

// Where a chunk, or what is read at once, ends is nothing that a row may depend on.
func TestCuts(t *testing.T) {
	for _, file := range nasty {
		t.Run(file.name, func(t *testing.T) {
			read := func(chunk int, open dataset.Opener) *dataset.Dataset {
				o := csv.InChunks(file.o, chunk)
				o.Open, o.Keep = open, []string{"y"}
				return csv.Rows(xyz, o, "f.csv")
			}
			data := []byte(file.text)
			rowtest.SameCuts(t, data, func(open dataset.Opener) *dataset.Dataset { return read(0, open) })
			want := rowtest.All(t, read(0, rowtest.Stream(data)))
			for chunk := 1; chunk <= len(data)+1; chunk++ {
				if diff := cmp.Diff(want, rowtest.All(t, read(chunk, rowtest.Stream(data)))); diff != "" {
					t.Fatalf("chunks of %d bytes (-whole +chunks):\n%s", chunk, diff)
				}
			}
		})
	}
}

// A file of several chunks as they are, with a quoted cell that is not the last of its row.
func TestQuotedInEveryRow(t *testing.T) {
	const rows = 60000
	var b strings.Builder
	b.WriteString("a,b,c\n")
	for i := range rows {
		fmt.Fprintf(&b, "%06d,\"x, y\",%06d\n", i, i*7)
	}
	o := csv.Options{Open: rowtest.Stream([]byte(b.String())), Columns: map[string][]string{".": {"a"}}}
	n := int32(0)
	for e, err := range csv.Rows(dataset.TensorSpec(tensor.Int32), o, "q.csv").All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := tensor.Values[int32](e.Tensors[0]); v[0] != n {
			t.Fatalf("row %d holds %d", n, v[0])
		}
		n++
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}
