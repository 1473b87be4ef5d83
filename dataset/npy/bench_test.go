package npy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/rowtest"
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
			rowtest.Bench(b, fmt.Sprintf("fortran=%s/to=%s", fortran, dtype), ds, rows, rows*128)
		}
	}
}
