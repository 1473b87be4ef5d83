package sizes_test

import (
	"fmt"
	"log"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/sizes"
)

// How large the outputs are for a batch of 64 pictures of 120 by 80.
func ExampleSignature_Outputs() {
	m, err := savedmodel.Open("../../testdata/models/k3_cnn2d_any/model")
	if err != nil {
		log.Fatal(err)
	}
	mg, err := m.MetaGraph()
	if err != nil {
		log.Fatal(err)
	}
	sig, err := mg.Signature("serving_default")
	if err != nil {
		log.Fatal(err)
	}
	s := sizes.Of(mg, sig, nil)
	fmt.Println(s.Axes())
	inputs, err := s.Put(sizes.Sizes{Axes: map[string]int64{"batch": 64, "height": 120, "width": 80}})
	if err != nil {
		log.Fatal(err)
	}
	outputs, err := s.Outputs(inputs)
	fmt.Println(inputs, outputs, err)
	// Output:
	// [{image 0 batch} {image 1 height} {image 2 width}]
	// map[image:(64, 120, 80, 3)] map[output_0:(64, 5)] <nil>
}
