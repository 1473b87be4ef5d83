package pipeline_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/pipeline"
	"github.com/tfrun/tfrun/tensor"
)

func Example() {
	stages, err := pipeline.Parse([]byte(`[{"op": "skip", "count": 1}, {"op": "padded_batch", "batch_size": 2, "padding_values": {"dtype": "int64", "value": -1}}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ds := pipeline.Apply(dataset.FromRows([][]int64{{9}, {1}, {2, 3}}), stages...)
	for b, err := range ds.All(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		values, _ := tensor.Values[int64](b.Tensors[0])
		fmt.Println(b.Tensors[0].Shape(), values)
	}
	// Output: (2, 2) [1 -1 2 3]
}

// TestArguments checks arguments of wrong types; the golden cases of package dataset check the
// right ones.
func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		stage string
		code  dataset.Code
		want  string
	}{
		{`{"op": "flat_map"}`, dataset.Unknown, `pipeline: no operation is called "flat_map"`},
		{`{}`, dataset.Unknown, `pipeline: no operation is called ""`},
		{`{"op": "take", "count": 1.5}`, dataset.TypeError, `take: count: cannot convert 1.5 to an integer of dtype int64`},
		{`{"op": "take"}`, dataset.ValueError, `take: count: None values not supported`},
		{`{"op": "take", "count": 9223372036854775808}`, dataset.ValueError, `take: count: 9223372036854775808 does not fit dtype int64`},
		{`{"op": "batch", "batch_size": 2, "drop_remainder": 1}`, dataset.TypeError, `batch: drop_remainder: cannot convert 1 to dtype bool`},
		{`{"op": "ragged_batch", "batch_size": 2, "row_splits_dtype": "int"}`, dataset.TypeError, `ragged_batch: row_splits_dtype: dtype "int": TensorFlow has no such type`},
		{
			`{"op": "padded_batch", "batch_size": 2, "padded_shapes": ["a"]}`, dataset.TypeError,
			`padded_batch: padded_shapes: padded shape [a] must be an int64 vector, but its element type was string`,
		},
		{
			`{"op": "padded_batch", "batch_size": 2, "padding_values": {"dtype": "int64", "value": "a"}}`, dataset.TypeError,
			`padded_batch: padding_values: parse int64(): want an integer, got a string`,
		},
		{`{"op": "bucket_by_sequence_length", "length": {"component": "."}}`, dataset.TypeError, `bucket_by_sequence_length: bucket_boundaries: want a list of integers`},
	}
	for _, tt := range tests {
		stages, err := pipeline.Parse([]byte(tt.stage))
		if err != nil {
			t.Errorf("Parse(%s): %v", tt.stage, err)
			continue
		}
		ds := pipeline.Apply(dataset.FromRows([][]int64{{1}}), stages...)
		if err := ds.Err(); err == nil || dataset.CodeOf(err) != tt.code || err.Error() != tt.want {
			t.Errorf("%s: %v (%v), want %s (%v)", tt.stage, err, dataset.CodeOf(err), tt.want, tt.code)
		}
		if again := pipeline.Apply(ds, stages...); again.Err() != ds.Err() {
			t.Errorf("%s: a dataset with an error does not stay as it is", tt.stage)
		}
	}
	for _, text := range []string{``, `[`, `[1]`, `"x"`, `{"op": }`} {
		if _, err := pipeline.Parse([]byte(text)); err == nil {
			t.Errorf("Parse(%s): no error", text)
		}
	}
}

// FuzzApply checks that no description makes the package panic.
func FuzzApply(f *testing.F) {
	for _, s := range []string{
		`{"op": "padded_batch", "batch_size": 2, "padded_shapes": [3], "padding_values": {"dtype": "int64", "shape": [1], "values": [1]}}`,
		`[{"op": "bucket_by_sequence_length", "length": {"component": ".", "axis": -1}, "bucket_boundaries": [2, 0], "bucket_batch_sizes": [1, 2, 0], "pad_to_bucket_boundary": true}, {"op": "unbatch"}]`,
		`[{"op": "ragged_batch", "batch_size": 2, "row_splits_dtype": "int32"}, {"op": "unbatch"}, {"op": "unbatch"}, {"op": "batch", "batch_size": 2}]`,
		`[{"op": "shuffle", "buffer_size": -2, "seed": 1}, {"op": "enumerate"}, {"op": "prefetch", "buffer_size": 1}, {"op": "shard", "num_shards": 2, "index": 1}, {"op": "repeat"}]`,
		`{"op": "padded_batch", "batch_size": 9223372036854775807, "padded_shapes": [4611686018427387904]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		stages, err := pipeline.Parse(text)
		if err != nil || len(stages) > 8 || asksForMuch(text) {
			return
		}
		ds := pipeline.Apply(dataset.FromRows([][]int64{{1}, {}, {2, 3, 4}, {5, 6}, {7}}), stages...)
		n := 0
		for e, err := range ds.All(t.Context()) {
			if err == nil && len(e.Tensors) != len(ds.ElementSpec().Flatten()) {
				t.Fatalf("%s: an element of %d components, spec %v", text, len(e.Tensors), ds.ElementSpec())
			}
			if n++; n == 50 {
				break
			}
		}
	})
}

// asksForMuch reports whether the sizes in a description may come to more than ten million values,
// which padded_batch makes as tf.data does. Sizes that no memory has room for are refused, and are
// to be tried.
func asksForMuch(text []byte) bool {
	product := 1.0
	for _, digits := range numbers.FindAllString(string(text), -1) {
		if n, _ := strconv.ParseFloat(digits, 64); n < 1<<61 {
			product *= max(n, 1)
		}
	}
	return product > 1e7
}

var numbers = regexp.MustCompile(`[0-9]+`)
