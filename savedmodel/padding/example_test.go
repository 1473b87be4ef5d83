package padding_test

import (
	"fmt"
	"log"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/padding"
)

// Whether an answer depends on how far its row is padded: not where the model masks its padding,
// but in the tutorial's model it does.
func ExampleOf() {
	for _, name := range []string{"k3_masked", "full_seed/k3"} {
		m, err := savedmodel.Open("../../testdata/models/" + name + "/model")
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
		outputs, err := padding.Of(mg, sig, nil)
		if err != nil {
			log.Fatal(err)
		}
		for _, o := range outputs {
			fmt.Println(name, o.Name, o.Padding.Answer)
			if len(o.Padding.Chain) > 0 {
				fmt.Printf("  %.75s…\n", o.Padding.Chain[0])
			}
		}
	}
	// Output:
	// k3_masked output_0 independent
	// full_seed/k3 output_0 depends
	//   While (sequential_1/bidirectional_1/forward_lstm_1) goes on through the pad…
}
