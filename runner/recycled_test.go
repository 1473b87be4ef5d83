//go:build cgo && !notf

package runner_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/tensor"
)

// kept is a model whose first signature puts its input x into a variable, once x could be given the
// shape [n], and whose second one reads that variable. Only the second one's answers depend on it.
const kept = `
saved_model_schema_version: 1
meta_graphs {
  meta_info_def { tags: "serve" }
  graph_def {
    node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: 4 } } } } }
    node { name: "n" op: "Placeholder" attr { key: "dtype" value { type: DT_INT32 } } attr { key: "shape" value { shape { dim { size: 1 } } } } }
    node { name: "v" op: "VarHandleOp" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape { dim { size: 4 } } } } attr { key: "shared_name" value { s: "v" } } }
    node { name: "zero" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape { dim { size: 4 } } float_val: 0 } } } }
    node { name: "init" op: "AssignVariableOp" input: "v" input: "zero" attr { key: "dtype" value { type: DT_FLOAT } } }
    node { name: "fits" op: "Reshape" input: "x" input: "n" attr { key: "T" value { type: DT_FLOAT } } attr { key: "Tshape" value { type: DT_INT32 } } }
    node { name: "put" op: "AssignVariableOp" input: "v" input: "x" input: "^fits" attr { key: "dtype" value { type: DT_FLOAT } } }
    node { name: "y" op: "Identity" input: "fits" input: "^put" attr { key: "T" value { type: DT_FLOAT } } }
    node { name: "get" op: "ReadVariableOp" input: "v" attr { key: "dtype" value { type: DT_FLOAT } } }
    versions { producer: 1000 }
  }
  signature_def { key: "put" value {
    inputs { key: "x" value { name: "x:0" dtype: DT_FLOAT tensor_shape { dim { size: 4 } } } }
    inputs { key: "n" value { name: "n:0" dtype: DT_INT32 tensor_shape { dim { size: 1 } } } }
    outputs { key: "y" value { name: "y:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } } } }
    method_name: "tensorflow/serving/predict" } }
  signature_def { key: "get" value {
    outputs { key: "v" value { name: "get:0" dtype: DT_FLOAT tensor_shape { dim { size: 4 } } } }
    method_name: "tensorflow/serving/predict" } }
  signature_def { key: "__saved_model_init_op" value { outputs { key: "__saved_model_init_op" value { name: "init" tensor_shape { unknown_rank: true } } } } }
}
`

// TensorFlow lets a variable hold on to the tensor that it is set to. Its memory is not that of the
// next call's values, which may be refused before they reach the variable.
func TestFedValuesKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "saved_model.pbtxt"), []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := runner.Load(context.Background(), dir, runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(n int32, values ...float32) error {
		_, err := s.Run(context.Background(), "put", map[string]tensor.Tensor{"x": tensor.Vector(values...), "n": tensor.Vector(n)})
		return err
	}
	want := []float32{1, 2, 3, 4}
	if err := put(4, want...); err != nil {
		t.Fatal(err)
	}
	if err := put(3, 5, 6, 7, 8); err == nil {
		t.Fatal("four values have the shape [3]")
	}
	out, err := s.Run(context.Background(), "get", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := tensor.Values[float32](out["v"]); !cmp.Equal(got, want) {
		t.Errorf("the variable holds %v, want %v", got, want)
	}
}

// The memory of calls side by side is their own, whatever shapes they have.
func TestCallsSideBySide(t *testing.T) {
	s, err := runner.Load(context.Background(), "../testdata/models/tf1_half_plus_two/model", runner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.Function("")
	if err != nil {
		t.Fatal(err)
	}
	in, out := f.Inputs()[0].Name, f.Outputs()[0].Name
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				x := make([]float32, 1+(g+i)%5)
				want := make([]float32, len(x))
				for j := range x {
					x[j] = float32(g*1000 + i + j)
					want[j] = x[j]/2 + 2
				}
				xt, err := tensor.FromSlice(x, int64(len(x)), 1)
				if err != nil {
					t.Error(err)
					return
				}
				y, err := f.Run(context.Background(), map[string]tensor.Tensor{in: xt})
				if err != nil {
					t.Error(err)
					return
				}
				if got, _ := tensor.Values[float32](y[out]); !cmp.Equal(got, want) {
					t.Errorf("%v: got %v, want %v", x, got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
