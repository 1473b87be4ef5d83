//go:build linux && !race

package layers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// TestFromConfigLinear: the table of a configuration with four times as many layers, and variables,
// takes about four times as long.
func TestFromConfigLinear(t *testing.T) {
	cost := func(n int) time.Duration {
		best := time.Hour
		for range 3 {
			root := deep(t, n)
			before := processTime(t)
			table := layers.FromConfig(root, "3.0.0", nil)
			best = min(best, processTime(t)-before)
			if len(table.Layers) != n {
				t.Fatalf("%d layers, want %d", len(table.Layers), n)
			}
		}
		return best
	}
	if few, many := cost(400), cost(1600); many > 9*few {
		t.Errorf("400 layers take %v, 1600 take %v", few, many)
	}
}

// deep returns the configuration of a stack of n dense layers with their variables.
func deep(t *testing.T, n int) *layers.LayerConfig {
	t.Helper()
	list := []string{`{"module":"keras.layers","class_name":"InputLayer","config":{"name":"in","batch_shape":[null,4],"dtype":"float32"}}`}
	for i := range n {
		list = append(list, fmt.Sprintf(`{"module":"keras.layers","class_name":"Dense","config":{"name":"dense_%d","trainable":true,"units":4,"use_bias":false},"build_config":{"input_shape":[null,4]}}`, i))
	}
	root := &layers.LayerConfig{}
	text := fmt.Sprintf(`{"module":"keras","class_name":"Sequential","config":{"name":"deep","trainable":true,"layers":[%s]}}`, strings.Join(list, ","))
	if err := json.Unmarshal([]byte(text), root); err != nil {
		t.Fatal(err)
	}
	for i := range root.Model().Layers[1:] {
		v := &savedmodel.Variable{Name: fmt.Sprint("kernel_", i), DType: tensor.Float32, Shape: tensor.MakeShape(4, 4), Trainable: true}
		root.Model().Layers[i+1].Variables = []*savedmodel.Variable{v}
	}
	return root
}

// processTime returns the processor time that the process has taken.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
