package arrow

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	ar "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
)

// repeated returns a stream of rows that are lists of one text of a dictionary: row i holds it i
// times, and every fifth row is null.
func repeated(t *testing.T, rows int, text string) dataset.Opener {
	t.Helper()
	d := &ar.DictionaryType{IndexType: ar.PrimitiveTypes.Int32, ValueType: ar.BinaryTypes.String}
	b := array.NewListBuilder(memory.NewGoAllocator(), d)
	texts := b.ValueBuilder().(*array.BinaryDictionaryBuilder)
	for i := range rows {
		b.Append(i%5 != 4)
		for range i % 5 % 4 * i / 5 {
			if err := texts.AppendString(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	list := b.NewArray()
	inner := array.NewStructData(array.NewData(ar.StructOf(ar.Field{Name: "k", Type: list.DataType(), Nullable: true}), rows, []*memory.Buffer{nil}, []ar.ArrayData{list.Data()}, 0, 0))
	schema := ar.NewSchema([]ar.Field{{Name: "s", Type: inner.DataType()}}, nil)
	var file bytes.Buffer
	w := ipc.NewWriter(&file, ipc.WithSchema(schema))
	if err := errors.Join(w.Write(array.NewRecordBatch(schema, []ar.Array{inner}, int64(rows))), w.Close()); err != nil {
		t.Fatal(err)
	}
	return func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file.Bytes())), nil }
}

// TestKeptInPieces reads a kept column some rows at a time, as it does where a text of a dictionary
// stands in each: that gives what reading it at once does.
func TestKeptInPieces(t *testing.T) {
	open := repeated(t, 100, strings.Repeat("x", 1000))
	most := 0
	read := func() (rows []string) {
		for e, err := range Rows(dataset.Dict(map[string]dataset.Spec{}), Options{Open: open, Keep: []string{"s.k"}}, "f").All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, string(e.Extra[0].AppendJSON(nil)))
			most = max(most, len(e.Extra[0].Value))
		}
		return rows
	}
	want := read()
	if len(want) != 100 || want[4] != "null" || len(want[98]) < 50_000 {
		t.Fatalf("%d rows, of which row 5 is %.20s and row 99 has %d bytes", len(want), want[4], len(want[98]))
	}
	defer func(n int) { keptBytes = n }(keptBytes)
	for _, n := range []int{0, 3000, 100_000} {
		keptBytes = n
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("%d bytes at a time (-want +got):\n%s", n, diff)
		}
		table, err := openTable("f", dataset.Dict(map[string]dataset.Spec{}), Options{Open: open, Keep: []string{"s.k"}, MaxBatch: 1 << 20, MaxKept: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for {
			var j job
			if err := table.Read(&j); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			sum := 0
			for _, v := range j.kept[0].Values {
				sum += len(v)
			}
			if sum > n+most {
				t.Errorf("%d bytes were read at once, want at most %d and a row", sum, n)
			}
			j.work()
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeptTooLong has a list of a text of a dictionary, which comes to more than a row may: an
// error of the row, before it takes the memory. The others are read.
func TestKeptTooLong(t *testing.T) {
	t.Parallel()
	open := repeated(t, 100, strings.Repeat("x", 1000))
	rows := 0
	for _, err := range Rows(dataset.Dict(map[string]dataset.Spec{}), Options{Open: open, Keep: []string{"s"}, MaxKept: 20_000}, "f").All(t.Context()) {
		if err == nil {
			rows++
			continue
		}
		var limit *dataset.LimitError
		if !errors.As(err, &limit) || limit.Limit != dataset.LimitRowBytes || !strings.Contains(err.Error(), `f: row 39: column "s": what is kept of the row comes to more than 20000 bytes`) {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%d rows, and no error", rows)
}
