package tensor_test

import (
	"fmt"
	"log"

	"github.com/tfrun/tfrun/tensor"
)

// A batch of two rows of three numbers, and its values again.
func ExampleFromSlice() {
	x, err := tensor.FromSlice([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(x)

	values, ok := tensor.Values[float32](x.Index(1))
	fmt.Println(values, ok)

	_, ok = tensor.Values[int64](x) // of another dtype
	fmt.Println(ok)
	// Output:
	// float32(2, 3)
	// [4 5 6] true
	// false
}

// Which sizes a signature takes.
func ExampleShape_Admits() {
	s := tensor.MakeShape(tensor.Unknown, 3)
	fmt.Println(s, s.Admits([]int64{64, 3}), s.Admits([]int64{64, 4}), s.Admits([]int64{3}))
	// Output: (None, 3) true false false
}
