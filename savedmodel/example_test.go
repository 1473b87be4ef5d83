package savedmodel_test

import (
	"fmt"
	"path/filepath"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

func ExampleOpen() {
	m, err := savedmodel.Open(filepath.Join("..", "testdata", "models", "full_seed", "k3", "model"))
	if err != nil {
		fmt.Println(err)
		return
	}
	mg, err := m.MetaGraph()
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := layers.Of(mg)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range table.Layers {
		fmt.Println(l.Name, l.Output, l.Params)
	}
	fmt.Println(table.Layers[1].Why[len(table.Layers[1].Why)-1])
	// Output:
	// embedding (None, None, 64) 523840
	// bidirectional (None, 128) 66048
	// dense (None, 64) 8256
	// dense_1 (None, 1) 65
	// parameters: 66,048 = 2 × 4 × ((64 + 64) × 64 + 64): 2 directions × 4 gates × ((inputs + units) × units + bias)
}
