package csv_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/csv"
	"github.com/tfrun/tfrun/tensor"
)

// A column for each component of the rows; another one is kept as it is.
func ExampleRows() {
	const text = "id,age,city\n7,30,Rome\n8,,Oslo\n"
	spec := dataset.Dict(map[string]dataset.Spec{"age": dataset.TensorSpec(tensor.Float32), "city": dataset.TensorSpec(tensor.String)})
	rows := csv.Rows(spec, csv.Options{
		Keep:  []string{"id"},
		Nulls: dataset.Nulls{"age": tensor.Scalar[float32](-1)},
		Open:  func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}, "people.csv")
	for row, err := range rows.All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		age, _ := tensor.Values[float32](row.Tensors[0])
		fmt.Println(age[0], row.Tensors[1].Strings()[0], row.Extra[0].Key, string(row.Extra[0].Value))
	}
	// Output:
	// 30 Rome id 7
	// -1 Oslo id 8
}

// A line for each row; lists are JSON in a cell.
func ExampleNewWriter() {
	spec := dataset.Dict(map[string]dataset.Spec{"class": dataset.TensorSpec(tensor.String), "probs": dataset.TensorSpec(tensor.Float32, 2)})
	w, err := csv.NewWriter(os.Stdout, spec, csv.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Write(dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar("cat"), tensor.Vector[float32](0.75, 0.25)}}); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// class,probs
	// cat,"[0.75,0.25]"
}
