package dataset_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// edges is what testdata/golden/make_edges.py recorded.
type edges struct {
	Ranges []struct {
		Start, Stop, Step int64
		First             []int64
	}
	Enumerations []struct {
		Start, Cardinality int64
		Pairs              [][2]int64
	}
	Repeats       map[string][]string
	Cardinalities map[string][3]int64
	Unopened      map[string]string
	Ragged        map[string]json.RawMessage
}

func readEdges(t *testing.T) edges {
	t.Helper()
	data, err := os.ReadFile("testdata/golden/edges.json")
	if err != nil {
		t.Fatal(err)
	}
	var e edges
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func one64(t *testing.T, v tensor.Tensor) int64 {
	t.Helper()
	values, ok := tensor.Values[int64](v)
	if !ok || len(values) != 1 {
		t.Fatalf("%v is no int64", v)
	}
	return values[0]
}

func TestRanges(t *testing.T) {
	for _, r := range readEdges(t).Ranges {
		got := []int64{}
		for e, err := range dataset.Range(r.Start, r.Stop, r.Step).Take(4).All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, one64(t, e.Tensors[0]))
		}
		if diff := cmp.Diff(r.First, got); diff != "" {
			t.Errorf("Range(%d, %d, %d) (-want +got):\n%s", r.Start, r.Stop, r.Step, diff)
		}
	}
}

func TestEnumerations(t *testing.T) {
	for _, r := range readEdges(t).Enumerations {
		ds := dataset.Range(10, 13, 1).Enumerate(r.Start)
		got := [][2]int64{}
		for e, err := range ds.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, [2]int64{one64(t, e.Tensors[0]), one64(t, e.Tensors[1])})
		}
		if diff := cmp.Diff(r.Pairs, got); diff != "" || ds.Cardinality() != r.Cardinality {
			t.Errorf("Enumerate(%d): cardinality %d, want %d (-want +got):\n%s", r.Start, ds.Cardinality(), r.Cardinality, diff)
		}
	}
}

// A pass of nothing but errors ends a repetition for ever, as one of nothing does.
func TestRepeats(t *testing.T) {
	refused := errors.New("refused")
	bad := dataset.Range(0, 3, 1).Map(dataset.Spec{}, func(dataset.Element) (dataset.Element, error) { return dataset.Element{}, refused })
	mixed := dataset.Range(0, 3, 1).Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) {
		if one64(t, e.Tensors[0]) == 1 {
			return e, nil
		}
		return e, refused
	})
	ds := map[string]*dataset.Dataset{
		"bad for ever": bad.Repeat(-1), "bad twice": bad.Repeat(2), "mixed for ever": mixed.Repeat(-1), "nothing for ever": dataset.Range(0, 0, 1).Repeat(-1), "bad, then mixed": mixed.Skip(2).Repeat(-1),
	}
	for name, want := range readEdges(t).Repeats {
		it := ds[name].Iterator()
		var got []string
		for len(got) < len(want) {
			e, err := it.Next(t.Context())
			switch {
			case errors.Is(err, io.EOF):
				got = append(got, "end")
			case err != nil:
				got = append(got, "error")
			default:
				got = append(got, strconv.FormatInt(one64(t, e.Tensors[0]), 10))
			}
		}
		it.Close()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// operations are those of make_edges.py, and inputs its datasets: an endless one, one of unknown
// length and a finite one.
func operations(t *testing.T) (ops map[string]func(*dataset.Dataset) *dataset.Dataset, inputs [3]*dataset.Dataset) {
	t.Helper()
	all := func(dataset.Element) (bool, error) { return true, nil }
	texts := func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Map(dataset.TensorSpec(tensor.Int64, -1), func(e dataset.Element) (dataset.Element, error) {
			return dataset.Element{Row: e.Row, Tensors: []tensor.Tensor{tensor.Vector(one64(t, e.Tensors[0]))}}, nil
		})
	}
	bucket := func(drop bool) func(*dataset.Dataset) *dataset.Dataset {
		return func(ds *dataset.Dataset) *dataset.Dataset {
			return texts(ds).BucketBySequenceLength(dataset.BucketOptions{Length: dataset.Length{Component: "."}, Boundaries: []int64{2}, BatchSizes: []int64{2, 2}, DropRemainder: drop})
		}
	}
	inputs = [3]*dataset.Dataset{dataset.Range(0, 3, 1).Repeat(-1), dataset.Range(0, 3, 1).Filter(all), dataset.Range(0, 7, 1)}
	zip := func(i int) func(*dataset.Dataset) *dataset.Dataset {
		return func(ds *dataset.Dataset) *dataset.Dataset {
			return dataset.Zip(dataset.Tuple(dataset.Leaf(ds), dataset.Leaf(inputs[i])))
		}
	}
	drop := dataset.BatchOnlyOptions{DropRemainder: true}
	ops = map[string]func(*dataset.Dataset) *dataset.Dataset{
		"bucket": bucket(false), "bucket, drop": bucket(true), "zip endless": zip(0), "zip unknown": zip(1), "zip finite": zip(2),
		"padded_batch":  func(ds *dataset.Dataset) *dataset.Dataset { return texts(ds).PaddedBatch(2) },
		"ragged_batch":  func(ds *dataset.Dataset) *dataset.Dataset { return texts(ds).RaggedBatch(2) },
		"batch":         func(ds *dataset.Dataset) *dataset.Dataset { return ds.Batch(2) },
		"batch, drop":   func(ds *dataset.Dataset) *dataset.Dataset { return ds.Batch(2, drop) },
		"unbatch":       func(ds *dataset.Dataset) *dataset.Dataset { return ds.Batch(2).Unbatch() },
		"unbatch, drop": func(ds *dataset.Dataset) *dataset.Dataset { return ds.Batch(2, drop).Unbatch() },
		"filter":        func(ds *dataset.Dataset) *dataset.Dataset { return ds.Filter(all) },
		"take":          func(ds *dataset.Dataset) *dataset.Dataset { return ds.Take(2) },
		"take all":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Take(-1) },
		"take 0":        func(ds *dataset.Dataset) *dataset.Dataset { return ds.Take(0) },
		"skip 0":        func(ds *dataset.Dataset) *dataset.Dataset { return ds.Skip(0) },
		"skip":          func(ds *dataset.Dataset) *dataset.Dataset { return ds.Skip(2) },
		"skip all":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Skip(-1) },
		"shard":         func(ds *dataset.Dataset) *dataset.Dataset { return ds.Shard(2, 1) },
		"shuffle":       func(ds *dataset.Dataset) *dataset.Dataset { return ds.Shuffle(2) },
		"repeat 0":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Repeat(0) },
		"repeat":        func(ds *dataset.Dataset) *dataset.Dataset { return ds.Repeat(-1) },
		"repeat 2":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Repeat(2) },
		"enumerate":     func(ds *dataset.Dataset) *dataset.Dataset { return ds.Enumerate(0) },
		"enumerate -5":  func(ds *dataset.Dataset) *dataset.Dataset { return ds.Enumerate(-5) },
		"prefetch":      func(ds *dataset.Dataset) *dataset.Dataset { return ds.Prefetch(1) },
		"map":           texts,
		"interleave": func(ds *dataset.Dataset) *dataset.Dataset {
			ranges := func(e dataset.Element) *dataset.Dataset { return dataset.Range(0, one64(t, e.Tensors[0]), 1) }
			return ds.Interleave(ds.ElementSpec(), ranges, dataset.InterleaveOptions{CycleLength: 2})
		},
	}
	return ops, inputs
}

func TestCardinalities(t *testing.T) {
	ops, inputs := operations(t)
	for name, want := range readEdges(t).Cardinalities {
		var got [3]int64
		for i, ds := range inputs {
			out := ops[name](ds)
			if err := out.Err(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got[i] = out.Cardinality()
		}
		if got != want {
			t.Errorf("%s of an endless, an unknown and a finite dataset: cardinality %v, want %v", name, got, want)
		}
	}
	groups := inputs[0].GroupBatch(dataset.BatchOptions{Size: 2})
	if groups.Cardinality() != dataset.InfiniteCardinality {
		t.Errorf("GroupBatch of an endless dataset: cardinality %d", groups.Cardinality())
	}
}

// An input that cannot be iterated over is an error before any element, but for operations that do
// not open it, or only when the first element is wanted.
func TestUnopened(t *testing.T) {
	ops, _ := operations(t)
	const hint = -1
	for name, want := range readEdges(t).Unopened {
		it := ops[name](dataset.Range(0, 7, 1).Shard(hint, 0)).Iterator()
		_, err := it.Next(t.Context())
		it.Close()
		got := "first"
		if e, ok := errors.AsType[*dataset.Error](err); ok && e.At == dataset.AtIterator {
			got = "iterator"
		} else if err == io.EOF { //nolint:errorlint // iterators return it bare
			got = "never"
		}
		if got != want {
			t.Errorf("%s: an error at %s, want %s: %v", name, got, want, err)
		}
	}
}

// What is left of a ragged batch that was taken apart goes through functions.
func TestRaggedUnbatchMap(t *testing.T) {
	rows := func(text string, spec dataset.Spec) *dataset.Dataset {
		file := t.TempDir() + "/rows.jsonl"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dataset.JSONLFiles(spec, dataset.JSONLOptions{}, file)
	}
	id := func(ds *dataset.Dataset) *dataset.Dataset {
		return ds.Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) { return e, nil })
	}
	flat := rows("[1, 2]\n[3]\n[]\n[4, 5, 6]\n[7]\n", dataset.TensorSpec(tensor.Int32, -1)).RaggedBatch(2).Unbatch()
	deep := rows("[[1, 2], [3]]\n[[4]]\n[]\n", dataset.RaggedSpec(tensor.Int32, 1, -1, -1)).RaggedBatch(2).Unbatch()
	for name, ds := range map[string]*dataset.Dataset{
		"flat": flat, "flat, map": id(flat), "flat, filter": flat.Filter(func(dataset.Element) (bool, error) { return true, nil }), "deep": deep, "deep, map": id(deep),
	} {
		got := "["
		for e, err := range ds.All(t.Context()) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r, _ := e.Ragged(0)
			text, err := dataset.AppendJSON(nil, e.Tensors[0], r.Splits)
			if err != nil {
				t.Fatal(err)
			}
			if got != "[" {
				got += ","
			}
			got += string(text)
		}
		var want, have any
		if err := errors.Join(json.Unmarshal(readEdges(t).Ragged[name], &want), json.Unmarshal([]byte(got+"]"), &have)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(have)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
