package csv_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/tensor"
)

// table returns rows of 32 floats, as pandas writes them: the shortest text of a float of so many bits.
func table(rows, bits int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for c := range 32 {
		b = fmt.Appendf(b, "f%d,", c)
	}
	b[len(b)-1] = '\n'
	for range rows {
		for range 32 {
			v := rng.NormFloat64()
			if bits == 32 {
				v = float64(float32(v))
			}
			b = append(strconv.AppendFloat(b, v, 'g', -1, bits), ',')
		}
		b[len(b)-1] = '\n'
	}
	return b
}

func opener(data []byte) dataset.Opener {
	return func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func BenchmarkRows(b *testing.B) {
	const rows = 20000
	for _, bits := range []int{32, 64} {
		data := table(rows, bits)
		for _, dtype := range []tensor.DType{tensor.Float32, tensor.Float64} {
			for _, workers := range []int{1, 2} {
				o := csv.Options{Open: opener(data), Workers: workers, Columns: map[string][]string{".": {"f*"}}}
				ds := csv.Rows(dataset.TensorSpec(dtype, 32), o, "rows.csv")
				name := fmt.Sprintf("text=float%d/to=%s/workers=%d", bits, dtype, workers)
				b.Run(name+"/by=row", func(b *testing.B) {
					b.SetBytes(int64(len(data)))
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
				b.Run(name+"/by=block", func(b *testing.B) {
					b.SetBytes(int64(len(data)))
					for b.Loop() {
						r, ok, err := ds.Blocks()
						if !ok || err != nil {
							b.Fatal(ok, err)
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
}
