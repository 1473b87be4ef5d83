package parquet_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

// The files that testdata/bench.py makes: a million rows of 32 floats, in 32 columns and in one
// column of lists.
func BenchmarkRows(b *testing.B) {
	dir := os.Getenv("PARQUET_BENCH")
	if dir == "" {
		b.Skip("PARQUET_BENCH names no folder with the files of testdata/bench.py")
	}
	for _, file := range []string{"columns", "list"} {
		for _, workers := range []int{1, 2} {
			ds := parquet.Rows(dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, 32)}), parquet.Options{Workers: workers}, dir+"/"+file+".parquet")
			if err := ds.Err(); err != nil {
				b.Fatal(err)
			}
			rows := ds.Cardinality()
			rowtest.Bench(b, fmt.Sprintf("%s/workers=%d", file, workers), ds, rows, rows*128)
		}
	}
}
