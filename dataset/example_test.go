package dataset_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// The text-classification tutorial's input pipeline. In Python:
//
//	train_dataset = train_dataset.shuffle(10000)
//	train_dataset = train_dataset.padded_batch(
//	    64, tf.compat.v1.data.get_output_shapes(train_dataset))
func Example() {
	reviews := dataset.JSONL(strings.NewReader(`[[12, 7, 99], 1]
[[5], 0]
[[8, 8], 1]
`), dataset.Tuple(dataset.TensorSpec(tensor.Int64, -1), dataset.TensorSpec(tensor.Int64)))

	train := reviews.Shuffle(10000, dataset.ShuffleOptions{Seed: dataset.Seed(7)})
	train = train.PaddedBatch(64, dataset.PaddedBatchOptions{PaddedShapes: dataset.OutputShapes(train)})

	for batch, err := range train.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Tensors[0], batch.Tensors[1], "rows", batch.Rows)
	}
	// Output: int64(3, 3) int64(3,) rows [1 2 0]
}

func ExampleDataset_PaddedBatch() {
	ds := dataset.FromRows([][]int32{{1}, {2, 3}, {4, 5, 6}})
	batches := ds.PaddedBatch(2, dataset.PaddedBatchOptions{PaddingValues: dataset.Value(int32(-1))})
	fmt.Println(batches.ElementSpec(), batches.Cardinality())
	for b, err := range batches.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		values, _ := tensor.Values[int32](b.Tensors[0])
		fmt.Println(b.Tensors[0].Shape(), values)
	}
	// Output:
	// int32(None, None) 2
	// (2, 2) [1 -1 2 3]
	// (1, 3) [4 5 6]
}

// An error does not end the iteration where tf.data would go on.
func ExampleDataset_All() {
	ds := dataset.FromRows([][]int64{{1}, {2, 3, 4}, {5}})
	for b, err := range ds.PaddedBatch(1, dataset.PaddedBatchOptions{PaddedShapes: dataset.Shape(2)}).All(context.Background()) {
		if err != nil {
			fmt.Println(dataset.CodeOf(err), err)
			continue
		}
		fmt.Println(b.Rows)
	}
	// Output:
	// [0]
	// DataLoss padded_batch: element 1: row 1: component 0: attempted to pad to a smaller size than the input element: shape (3,) to (2,)
	// [2]
}

func ExampleDataset_BucketBySequenceLength() {
	ds := dataset.FromRows([][]int64{{1}, {2, 2, 2, 2}, {3, 3}, {4, 4, 4}, {5}})
	buckets := ds.BucketBySequenceLength(dataset.BucketOptions{
		Length:     dataset.Length{Component: ".", Axis: 0},
		Boundaries: []int64{3},
		BatchSizes: []int64{2, 2},
	})
	for b, err := range buckets.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(b.Tensors[0].Shape(), "rows", b.Rows)
	}
	// Output:
	// (2, 2) rows [0 2]
	// (2, 4) rows [1 3]
	// (1, 1) rows [4]
}

func ExampleDataset_RaggedBatch() {
	ds := dataset.FromRows([][]float32{{1}, {2, 3}, {}})
	for b, err := range ds.RaggedBatch(3).All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		r, _ := b.Ragged(0)
		values, _ := tensor.Values[float32](r.Values)
		splits, _ := tensor.Values[int64](r.Splits[0])
		fmt.Println(values, splits)
	}
	// Output: [1 2 3] [0 1 3 3]
}

// Batches leaves the padding to its consumer, who may have memory of another library to pad into.
func ExampleDataset_Batches() {
	ds := dataset.FromRows([][]uint8{{1}, {2, 3}, {4, 5, 6}, {7}})
	opts := dataset.BatchOptions{MaxTokens: 6, Grouping: dataset.Similar, Window: 3}
	for b, err := range ds.Batches(context.Background(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		dst := make([]byte, b.Size(0))
		if err := b.PadInto(0, dst); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(b.Dims(0), dst, "rows", b.RowNumbers(nil))
	}
	// Output:
	// [2 2] [1 0 2 3] rows [0 1]
	// [2 3] [7 0 0 4 5 6] rows [3 2]
}

func ExampleStats_BestBoundaries() {
	ds := dataset.FromRows([][]int64{{1}, {1}, {1, 2}, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 2, 3, 4, 5, 6, 7}})
	stats, err := dataset.Measure(context.Background(), ds, dataset.Length{})
	if err != nil {
		fmt.Println(err)
		return
	}
	best := stats.BestBoundaries(2)
	fmt.Println(best, stats.PaddedTo(nil), stats.PaddedTo(best))
	// Output: [3] 40 22
}

func ExamplePadToSize() {
	fmt.Println(dataset.PadToSize([]int64{7, 8}, 4), dataset.PadToSize([]int64{7, 8}, 1))
	// Output: [7 8 0 0] [7 8]
}

func ExampleJSONL() {
	spec := dataset.Dict(map[string]dataset.Spec{"tokens": dataset.TensorSpec(tensor.Int32, -1)})
	in := `{"id": "a", "tokens": [1, 2]}
{"id": "b", "tokens": "none"}
`
	for row, err := range dataset.JSONL(strings.NewReader(in), spec, dataset.JSONLOptions{Name: "in.jsonl", Keep: []string{"id"}}).All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%v %s\n", row.Tensors[0], row.Extra[0].Value)
	}
	// Output:
	// int32(2,) "a"
	// in.jsonl:2: field "tokens": want an array of integers, got a string
}
