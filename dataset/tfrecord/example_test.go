package tfrecord_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/tfrecord"
	"github.com/tfrun/tfrun/tensor"
)

// A tf.Example for each row, with a feature for each component.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "rows.tfrecord")
	spec := dataset.Dict(map[string]dataset.Spec{"age": dataset.TensorSpec(tensor.Float32), "scores": dataset.TensorSpec(tensor.Float32, 2)})

	f, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	w, err := tfrecord.NewWriter(f, spec, tfrecord.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		x := float32(i)
		if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(20 + x), tensor.Vector(x, -x)}}); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil { // which does not close the file
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}

	for row, err := range tfrecord.Rows(spec, tfrecord.Options{}, name).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		age, _ := tensor.Values[float32](row.Tensors[0])
		scores, _ := tensor.Values[float32](row.Tensors[1])
		fmt.Println(age[0], scores)
	}
	// Output:
	// 20 [0 -0]
	// 21 [1 -1]
	// 22 [2 -2]
}
