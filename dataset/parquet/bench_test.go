package parquet_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/parquet"
	"github.com/tfrun/tfrun/tensor"
)

// The files that testdata/bench.py makes: a million rows of 32 floats, in 32 columns and in one column of lists.
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
			b.Run(fmt.Sprintf("%s/workers=%d/by=row", file, workers), func(b *testing.B) {
				b.SetBytes(rows * 128)
				b.ReportAllocs()
				for b.Loop() {
					for _, err := range ds.All(context.Background()) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
			b.Run(fmt.Sprintf("%s/workers=%d/by=block", file, workers), func(b *testing.B) {
				b.SetBytes(rows * 128)
				b.ReportAllocs()
				for b.Loop() {
					r, _, err := ds.Blocks()
					if err != nil {
						b.Fatal(err)
					}
					for err == nil {
						_, err = r.NextBlock(context.Background(), 0)
					}
					r.Close()
					if err != io.EOF {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
