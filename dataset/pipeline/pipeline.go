// Package pipeline describes operations on a dataset as data: a list of stages in JSON, each the
// name of an operation of tf.data with its arguments by their Python names. [Parse] reads such a
// list and [Apply] applies it.
//
//	[{"op": "shuffle", "buffer_size": 10000},
//	 {"op": "padded_batch", "batch_size": 64, "padded_shapes": {"tuple": [[null], []]}}]
//
// A leaf of padded_shapes is a list of sizes, null for an unknown one (in place of the list, for an
// unknown rank), or a single size for a vector; a leaf of padding_values is {"dtype": "int64",
// "value": 7}, or null for the default. Both nest as {"tuple": […]} and {"dict": {…}} do. Arguments
// of a wrong type are errors of code TypeError or ValueError, as in Python.
package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Stage is one operation: its name under "op", and its arguments. Numbers are of type json.Number.
type Stage map[string]any

// Parse reads a list of stages, or a single one.
func Parse(data []byte) ([]Stage, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		var stages []Stage
		if err := dec.Decode(&stages); err != nil {
			return nil, fmt.Errorf("pipeline: %w", err)
		}
		return stages, nil
	}
	var stage Stage
	if err := dec.Decode(&stage); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return []Stage{stage}, nil
}

// Apply applies the stages one after the other. A stage that fails makes a dataset that holds its
// error.
func Apply(ds *dataset.Dataset, stages ...Stage) *dataset.Dataset {
	for _, s := range stages {
		if ds.Err() != nil {
			return ds
		}
		ds = apply(ds, s)
	}
	return ds
}

const bucketOp = "bucket_by_sequence_length"

// ops holds the operations by name. Each reads its arguments off args; an error there replaces the
// dataset.
var ops = map[string]func(ds *dataset.Dataset, a *args) *dataset.Dataset{
	"padded_batch": func(ds *dataset.Dataset, a *args) *dataset.Dataset {
		return ds.PaddedBatch(a.int("batch_size"), dataset.PaddedBatchOptions{
			PaddedShapes: a.shapes("padded_shapes"), PaddingValues: a.values("padding_values"), DropRemainder: a.bool("drop_remainder", false),
		})
	},
	bucketOp: func(ds *dataset.Dataset, a *args) *dataset.Dataset {
		return ds.BucketBySequenceLength(dataset.BucketOptions{
			Length: a.length("length"), Boundaries: a.ints("bucket_boundaries"), BatchSizes: a.ints("bucket_batch_sizes"),
			PaddedShapes: a.shapes("padded_shapes"), PaddingValues: a.values("padding_values"),
			PadToBucketBoundary: a.bool("pad_to_bucket_boundary", false), NoPadding: a.bool("no_padding", false), DropRemainder: a.bool("drop_remainder", false),
		})
	},
	"batch": func(ds *dataset.Dataset, a *args) *dataset.Dataset {
		return ds.Batch(a.int("batch_size"), dataset.BatchOnlyOptions{DropRemainder: a.bool("drop_remainder", false)})
	},
	"ragged_batch": func(ds *dataset.Dataset, a *args) *dataset.Dataset {
		return ds.RaggedBatch(a.int("batch_size"), dataset.RaggedBatchOptions{DropRemainder: a.bool("drop_remainder", false), RowSplitsDType: a.dtype("row_splits_dtype")})
	},
	"shuffle": func(ds *dataset.Dataset, a *args) *dataset.Dataset {
		opts := dataset.ShuffleOptions{KeepOrder: !a.bool("reshuffle_each_iteration", true)}
		if a.stage["seed"] != nil {
			opts.Seed = dataset.Seed(a.int("seed"))
		}
		return ds.Shuffle(a.int("buffer_size"), opts)
	},
	"unbatch": func(ds *dataset.Dataset, _ *args) *dataset.Dataset { return ds.Unbatch() },
	"take":    func(ds *dataset.Dataset, a *args) *dataset.Dataset { return ds.Take(a.int("count")) },
	"skip":    func(ds *dataset.Dataset, a *args) *dataset.Dataset { return ds.Skip(a.int("count")) },
	"repeat":  func(ds *dataset.Dataset, a *args) *dataset.Dataset { return ds.Repeat(a.intOr("count", -1)) },
	"shard": func(ds *dataset.Dataset, a *args) *dataset.Dataset {
		return ds.Shard(a.int("num_shards"), a.int("index"))
	},
	"prefetch":  func(ds *dataset.Dataset, a *args) *dataset.Dataset { return ds.Prefetch(a.int("buffer_size")) },
	"enumerate": func(ds *dataset.Dataset, a *args) *dataset.Dataset { return ds.Enumerate(a.intOr("start", 0)) },
}

func apply(ds *dataset.Dataset, s Stage) *dataset.Dataset {
	name, _ := s["op"].(string)
	op, ok := ops[name]
	if !ok {
		return dataset.Failed(fmt.Errorf("pipeline: no operation is called %q", name))
	}
	a := &args{stage: s, op: name, spec: ds.ElementSpec()}
	out := op(ds, a)
	if a.err != nil {
		return dataset.Failed(a.err)
	}
	return out
}

// args reads the arguments of a stage. The first one of a wrong type is kept as its error.
type args struct {
	stage Stage
	op    string
	spec  dataset.Spec
	err   error
}

func (a *args) fail(code dataset.Code, format string, v ...any) {
	if a.err == nil {
		a.err = &dataset.Error{Code: code, Op: a.op, At: dataset.AtBuild, Component: -1, Row: -1, Msg: fmt.Sprintf(format, v...)}
	}
}

func (a *args) int(name string) int64 { return a.number(name, a.stage[name]) }

func (a *args) intOr(name string, otherwise int64) int64 {
	if v, ok := a.stage[name]; ok && v != nil {
		return a.number(name, v)
	}
	return otherwise
}

// number returns an integer argument.
func (a *args) number(name string, v any) int64 {
	switch v := v.(type) {
	case nil:
		a.fail(dataset.ValueError, "%s: None values not supported", name)
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case json.Number:
		n, err := v.Int64()
		if err == nil {
			return n
		}
		if !strings.ContainsAny(v.String(), ".eE") {
			a.fail(dataset.ValueError, "%s: %v does not fit dtype int64", name, v)
			return 0
		}
	}
	a.fail(dataset.TypeError, "%s: cannot convert %v to an integer of dtype int64", name, v)
	return 0
}

func (a *args) ints(name string) []int64 {
	list, ok := a.stage[name].([]any)
	if !ok {
		a.fail(dataset.TypeError, "%s: want a list of integers", name)
	}
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = a.number(name, v)
	}
	return out
}

func (a *args) bool(name string, otherwise bool) bool {
	v, ok := a.stage[name]
	if !ok {
		return otherwise
	}
	b, ok := v.(bool)
	switch {
	case ok:
	case v == nil:
		a.fail(dataset.ValueError, "%s: None values not supported", name)
	default:
		a.fail(dataset.TypeError, "%s: cannot convert %v to dtype bool", name, v)
	}
	return b
}

func (a *args) dtype(name string) tensor.DType {
	v, ok := a.stage[name]
	if !ok {
		return tensor.Invalid
	}
	s, _ := v.(string)
	d, err := tensor.ParseDType(s)
	if err != nil {
		a.fail(dataset.TypeError, "%s: %v", name, err)
	}
	return d
}

func (a *args) length(name string) dataset.Length {
	m, _ := a.stage[name].(map[string]any)
	sub := args{stage: m, op: a.op}
	l := dataset.Length{Axis: int(sub.intOr("axis", 0)), Value: sub.bool("value", false), DType: sub.dtype("dtype")}
	l.Component, _ = m["component"].(string)
	if a.err == nil {
		a.err = sub.err
	}
	return l
}

// nest builds a structure out of {"tuple": […]}, {"dict": {…}} and leaves.
func nest[T any](v any, leaf func(v any) dataset.Nest[T]) dataset.Nest[T] {
	m, _ := v.(map[string]any)
	if list, ok := m["tuple"].([]any); ok {
		items := make([]dataset.Nest[T], len(list))
		for i, item := range list {
			items[i] = nest(item, leaf)
		}
		return dataset.Tuple(items...)
	}
	if dict, ok := m["dict"].(map[string]any); ok {
		items := make(map[string]dataset.Nest[T], len(dict))
		for k, item := range dict {
			items[k] = nest(item, leaf)
		}
		return dataset.Dict(items)
	}
	return leaf(v)
}

func (a *args) shapes(name string) dataset.Shapes {
	v, ok := a.stage[name]
	if !ok {
		return dataset.Shapes{}
	}
	return nest(v, func(v any) dataset.Shapes { return a.shape(name, v) })
}

// shape reads one padded shape.
func (a *args) shape(name string, v any) dataset.Shapes {
	switch v := v.(type) {
	case nil:
		return dataset.Leaf(dataset.Dims(nil))
	case json.Number:
		if n, err := v.Int64(); err == nil && (n >= 0 || a.op == bucketOp) {
			return dataset.Shape(n)
		}
	case []any:
		dims := make([]int64, len(v))
		for i, d := range v {
			dims[i] = a.dim(name, v, d)
		}
		return dataset.Shape(dims...)
	}
	a.fail(dataset.ValueError, "%s: padded shape %v must be an int64 vector, but its shape was ()", name, v)
	return dataset.Shapes{}
}

// dim reads one size of a padded shape.
func (a *args) dim(name string, shape []any, d any) int64 {
	switch d := d.(type) {
	case nil:
		return dataset.None
	case json.Number:
		if n, err := d.Int64(); err == nil && n != math.MinInt64 {
			return n
		}
		a.fail(dataset.TypeError, "%s: padded shape %v must be an int64 vector, but its element type was float32", name, shape)
	case []any:
		if a.op == bucketOp {
			a.fail(dataset.TypeError, "%s: padded shape %v: a dimension must be an integer or None", name, shape)
		}
		a.fail(dataset.ValueError, "%s: padded shape %v must be an int64 vector, but its shape was (%d, %d)", name, shape, len(shape), len(d))
	case bool:
		return a.number(name, d)
	default:
		a.fail(dataset.TypeError, "%s: padded shape %v must be an int64 vector, but its element type was string", name, shape)
	}
	return 0
}

func (a *args) values(name string) dataset.Values {
	v, ok := a.stage[name]
	if !ok {
		return dataset.Values{}
	}
	return nest(v, func(v any) dataset.Values { return a.value(name, v) })
}

// value reads one padding value: {"dtype", "value"}, {"dtype", "shape", "values"}, or null.
func (a *args) value(name string, v any) dataset.Values {
	if v == nil {
		return dataset.Values{}
	}
	t, err := Tensor(v)
	if err != nil {
		a.fail(dataset.TypeError, "%s: %v", name, err)
	}
	return dataset.Leaf(t)
}

// Tensor returns the tensor that a value {"dtype", "value"} or {"dtype", "shape", "values"} with
// flat values describes.
func Tensor(v any) (tensor.Tensor, error) {
	m, _ := v.(map[string]any)
	name, _ := m["dtype"].(string)
	dtype, err := tensor.ParseDType(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if value, ok := m["value"]; ok {
		text, err := json.Marshal(value)
		if err != nil {
			return tensor.Tensor{}, err
		}
		return dataset.ParseTensor(dataset.Component{DType: dtype, Shape: tensor.MakeShape()}, text)
	}
	text, err := json.Marshal(m["values"])
	if err != nil {
		return tensor.Tensor{}, err
	}
	flat, err := dataset.ParseTensor(dataset.Component{DType: dtype, Shape: tensor.MakeShape(-1)}, text)
	if err != nil {
		return tensor.Tensor{}, err
	}
	var dims []int64
	list, _ := m["shape"].([]any)
	for _, d := range list {
		n, _ := d.(json.Number)
		size, err := n.Int64()
		if err != nil {
			return tensor.Tensor{}, fmt.Errorf("shape %v: %w", list, err)
		}
		dims = append(dims, size)
	}
	return flat.Reshape(dims...)
}
