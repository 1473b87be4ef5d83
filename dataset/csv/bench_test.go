package csv_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
	"github.com/tfrun/tfrun/tensor"
)

// table returns rows of 32 floats, as pandas writes them: the shortest text of a float of so many
// bits.
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

func BenchmarkRows(b *testing.B) {
	const rows = 20000
	for _, bits := range []int{32, 64} {
		data := table(rows, bits)
		for _, dtype := range []tensor.DType{tensor.Float32, tensor.Float64} {
			for _, workers := range []int{1, 2} {
				o := csv.Options{Open: rowtest.Stream(data), Workers: workers, Columns: map[string][]string{".": {"f*"}}}
				ds := csv.Rows(dataset.TensorSpec(dtype, 32), o, "rows.csv")
				name := fmt.Sprintf("text=float%d/to=%s/workers=%d", bits, dtype, workers)
				rowtest.Bench(b, name, ds, rows, int64(len(data)))
			}
		}
	}
}
