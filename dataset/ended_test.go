package dataset_test

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

var errDamaged = errors.New("damaged")

// repeating is a reader of vectors of 1, 2, … values, the third of which is bad, that gives its
// last error again and again.
type repeating struct {
	t     *testing.T
	last  error
	calls int64
}

const repeatingRows = 5

func (r *repeating) step() (row int64, err error) {
	row = r.calls
	r.calls++
	switch {
	case row == 2:
		return row, &dataset.SyntaxError{Row: row, Msg: "bad"}
	case row > repeatingRows:
		r.t.Errorf("read again after %v", r.last)
		if row > 1000 {
			r.t.FailNow()
		}
		return row, r.last
	case row == repeatingRows:
		return row, r.last
	}
	return row, nil
}

func (r *repeating) Next(_ context.Context, e *dataset.Element) error {
	row, err := r.step()
	if err != nil {
		return err
	}
	e.Row = row
	e.Tensors = append(e.Tensors, tensor.Vector(make([]int64, row+1)...))
	return nil
}

func (r *repeating) NextBlock(context.Context, int) (dataset.RowBlock, error) {
	row, err := r.step()
	if err != nil {
		return dataset.RowBlock{}, err
	}
	return dataset.RowBlock{Row: row, Tensors: []tensor.Tensor{tensor.Vector(row)}}, nil
}

func (*repeating) Close() {}

// overReader are the operations by which a dataset may lie over a reader.
var overReader = map[string]func(ds *dataset.Dataset) *dataset.Dataset{
	"nothing":  func(ds *dataset.Dataset) *dataset.Dataset { return ds },
	"take":     func(ds *dataset.Dataset) *dataset.Dataset { return ds.Take(100) },
	"skip":     func(ds *dataset.Dataset) *dataset.Dataset { return ds.Skip(2) },
	"skip all": func(ds *dataset.Dataset) *dataset.Dataset { return ds.Skip(100) },
	"shard":    func(ds *dataset.Dataset) *dataset.Dataset { return ds.Shard(3, 1) },
	"repeat":   func(ds *dataset.Dataset) *dataset.Dataset { return ds.Repeat(1) },
	"zip": func(ds *dataset.Dataset) *dataset.Dataset {
		return dataset.Zip(dataset.Tuple(dataset.Leaf(ds), dataset.Leaf(dataset.Range(0, 10, 1))))
	},
	"enumerate": func(ds *dataset.Dataset) *dataset.Dataset { return ds.Enumerate(7) },
	"map": func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) { return e, nil })
	},
	"map, refused": func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) { return e, errDamaged })
	},
	"filter": func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Filter(func(dataset.Element) (bool, error) { return false, nil })
	},
	"check": func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Check(func(dataset.Element) (string, error) { return "x", errDamaged })
	},
	"prefetch": func(ds *dataset.Dataset) *dataset.Dataset { return ds.Prefetch(2) },
	"interleave": func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Interleave(dataset.TensorSpec(tensor.Int64), func(dataset.Element) *dataset.Dataset { return dataset.Range(0, 3, 1) }, dataset.InterleaveOptions{})
	},
	"interleaved": func(ds *dataset.Dataset) *dataset.Dataset {
		return dataset.Range(0, 1, 1).Interleave(ds.ElementSpec(), func(dataset.Element) *dataset.Dataset { return ds }, dataset.InterleaveOptions{})
	},
	"shuffle":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Shuffle(3) },
	"batch":        func(ds *dataset.Dataset) *dataset.Dataset { return ds.Batch(2) },
	"padded_batch": func(ds *dataset.Dataset) *dataset.Dataset { return ds.PaddedBatch(2) },
	"ragged_batch": func(ds *dataset.Dataset) *dataset.Dataset { return ds.RaggedBatch(2) },
	"unbatch":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Unbatch() },
	"arrival":      grouped(dataset.BatchOptions{Size: 2}),
	"tokens":       grouped(dataset.BatchOptions{MaxTokens: 4, Length: dataset.Length{Component: "."}}),
	"exact":        grouped(dataset.BatchOptions{Size: 2, Grouping: dataset.Exact}),
	"similar":      grouped(dataset.BatchOptions{Size: 2, Grouping: dataset.Similar, Window: 3, Length: dataset.Length{Component: "."}}),
	"bucket": func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.BucketBySequenceLength(dataset.BucketOptions{Length: dataset.Length{Component: "."}, Boundaries: []int64{2}, BatchSizes: []int64{2, 3}})
	},
}

func grouped(o dataset.BatchOptions) func(*dataset.Dataset) *dataset.Dataset {
	return func(ds *dataset.Dataset) *dataset.Dataset { return ds.GroupBatch(o) }
}

// A consumer that goes on after errors comes to an end over a reader that gives its final error, or
// io.EOF, for ever; and nothing asks the reader for more after it.
func TestReaderThatRepeatsItsError(t *testing.T) {
	t.Parallel()
	for _, last := range []error{errDamaged, io.EOF, context.Canceled} {
		for name, over := range overReader {
			for _, peek := range []int{-1, 0, 1, 4, 100, math.MaxInt} {
				source := dataset.FromReader(dataset.TensorSpec(tensor.Int64, -1), dataset.UnknownCardinality, func(dataset.ReadOptions) (dataset.RowReader, error) {
					return &repeating{t: t, last: last}, nil
				})
				if peek >= 0 {
					_, source = source.Peek(t.Context(), peek)
				}
				ds := over(source)
				if ds.Err() != nil {
					t.Fatalf("%s: %v", name, ds.Err())
				}
				checkEnds(t, name, last, ds)
			}
		}
	}
}

// checkEnds iterates over a dataset to the end, whatever comes.
func checkEnds(t *testing.T, name string, last error, ds *dataset.Dataset) {
	t.Helper()
	n, seen := 0, 0
	for _, err := range ds.All(t.Context()) {
		if n++; n > 1000 {
			t.Fatalf("%s over %v does not end", name, last)
		}
		if errors.Is(err, last) {
			seen++
		}
	}
	if errors.Is(last, errDamaged) && name != "map, refused" && name != "check" && name != "interleave" && seen != 1 {
		t.Errorf("%s: the reader's error is given %d times", name, seen)
	}
	n = 0
	for range ds.Prefetch(1).Shuffle(4).GroupBatch(dataset.BatchOptions{Size: 2}).Repeat(-1).Take(1000).All(t.Context()) {
		if n++; n > 10000 {
			t.Fatalf("%s over %v does not end", name, last)
		}
	}
}

// What reads by the block comes to an end, too.
func TestBlocksThatRepeatTheirError(t *testing.T) {
	t.Parallel()
	for _, last := range []error{errDamaged, io.EOF} {
		ds := dataset.FromReader(dataset.TensorSpec(tensor.Int64), dataset.UnknownCardinality, func(dataset.ReadOptions) (dataset.RowReader, error) {
			return &repeating{t: t, last: last}, nil
		})
		r, ok, err := ds.Blocks()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		n := 0
		for ; !errors.Is(err, io.EOF); n++ {
			if _, err = r.NextBlock(t.Context(), 0); n > 1000 {
				t.Fatalf("blocks over %v do not end", last)
			}
		}
		r.Close()
		if want := map[bool]int{true: repeatingRows + 1, false: repeatingRows + 2}[errors.Is(last, io.EOF)]; n != want {
			t.Errorf("blocks over %v end after %d calls, want %d", last, n, want)
		}
	}
}

// A dataset that cannot be opened is one error, however often it is repeated.
func TestRepeatOfWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	for _, count := range []int64{1, 3, -1} {
		ds := dataset.FromReader(dataset.TensorSpec(tensor.Int64), dataset.UnknownCardinality, func(dataset.ReadOptions) (dataset.RowReader, error) { return nil, errDamaged })
		n := 0
		for _, err := range ds.Repeat(count).All(t.Context()) {
			if n++; !errors.Is(err, errDamaged) || n > 1 {
				t.Fatalf("Repeat(%d): error %d: %v", count, n, err)
			}
		}
	}
}
