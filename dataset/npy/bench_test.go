package npy_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/npy"
	"github.com/tfrun/tfrun/tensor"
)

// A million rows of 32 floats, 128 MB, from a file in the page cache.
func BenchmarkRows(b *testing.B) {
	const rows = 1 << 20
	for _, fortran := range []string{"False", "True"} {
		dict := fmt.Sprintf("{'descr': '<f4', 'fortran_order': %s, 'shape': (%d, 32), }", fortran, rows)
		name := filepath.Join(b.TempDir(), "x.npy")
		if err := os.WriteFile(name, append(file(dict, ""), make([]byte, rows*128)...), 0o600); err != nil {
			b.Fatal(err)
		}
		for _, dtype := range []tensor.DType{tensor.Float32, tensor.Float64} {
			ds := npy.Rows(dataset.TensorSpec(dtype, 32), npy.Options{}, name)
			b.Run(fmt.Sprintf("fortran=%s/to=%s/by=row", fortran, dtype), func(b *testing.B) {
				b.SetBytes(rows * 128)
				b.ReportAllocs()
				for b.Loop() {
					n := 0
					for _, err := range ds.All(context.Background()) {
						if err != nil {
							b.Fatal(err)
						}
						n++
					}
					if n != rows {
						b.Fatal(n)
					}
				}
				b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			})
			b.Run(fmt.Sprintf("fortran=%s/to=%s/by=block", fortran, dtype), func(b *testing.B) {
				b.SetBytes(rows * 128)
				b.ReportAllocs()
				for b.Loop() {
					r, _, err := ds.Blocks()
					if err != nil {
						b.Fatal(err)
					}
					n := int64(0)
					for {
						blk, err := r.NextBlock(context.Background(), 0)
						if err == io.EOF {
							break
						}
						n += blk.Tensors[0].Dims()[0]
					}
					r.Close()
					if n != rows {
						b.Fatal(n)
					}
				}
				b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
