package kerasfile_test

import (
	"fmt"
	"log"

	"github.com/tfrun/tfrun/savedmodel/kerasfile"
)

// The layers of a .keras archive, and what it keeps.
func ExampleOpen() {
	m, err := kerasfile.Open("testdata/multi_io.keras")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	table, err := m.Layers()
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range table.Layers {
		fmt.Println(l.Name, l.Class, l.Output, l.Params)
	}
	// Output:
	// avatar InputLayer (None, 16, 16, 1) 0
	// history InputLayer (None, None, 3) 0
	// conv2d Conv2D (None, 14, 14, 4) 40
	// profile InputLayer (None, 8) 0
	// history_rnn GRU (None, 5) 150
	// global_average_pooling2d GlobalAveragePooling2D (None, 4) 0
	// concatenate Concatenate (None, 17) 0
	// dense Dense (None, 12) 216
	// batch_normalization BatchNormalization (None, 12) 48
	// age Dense (None, 1) 13
	// churn Dense (None, 2) 26
}
