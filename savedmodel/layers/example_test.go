package layers_test

import (
	"fmt"
	"log"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// What model.summary() prints, from the model's files alone, and why a shape is what it is.
func ExampleOf() {
	m, err := savedmodel.Open("../../testdata/models/k3_cnn2d/model")
	if err != nil {
		log.Fatal(err)
	}
	mg, err := m.MetaGraph()
	if err != nil {
		log.Fatal(err)
	}
	table, err := layers.Of(mg)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range table.Layers {
		fmt.Println(l.Name, l.Class, l.Output, l.Params)
	}
	fmt.Println(table.Layers[0].Why[1])
	// Output:
	// conv2d Conv2D (None, 10, 10, 4) 40
	// batch_normalization BatchNormalization (None, 10, 10, 4) 16
	// max_pooling2d MaxPooling2D (None, 5, 5, 4) 0
	// dropout Dropout (None, 5, 5, 4) 0
	// conv2d_1 Conv2D (None, 5, 5, 6) 222
	// flatten Flatten (None, 150) 0
	// dense Dense (None, 10) 1510
	// 10 = 12 − 3 + 1: kernel 3, stride 1, no padding
}
