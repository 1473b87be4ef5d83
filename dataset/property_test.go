package dataset_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pairSpec is that of drawRows' elements: a matrix of any size and a label that is the row's
// number.
var pairSpec = dataset.Dict(map[string]dataset.Spec{"label": dataset.TensorSpec(tensor.Int64), "x": dataset.TensorSpec(tensor.Float32, -1, -1)})

func drawRows(t *rapid.T) []dataset.Element {
	n := rapid.IntRange(0, 30).Draw(t, "rows")
	out := make([]dataset.Element, n)
	for i := range out {
		h, w := rapid.IntRange(0, 6).Draw(t, "height"), rapid.IntRange(0, 4).Draw(t, "width")
		x, err := tensor.FromSlice(rapid.SliceOfN(rapid.Float32(), h*w, h*w).Draw(t, "values"), int64(h), int64(w))
		if err != nil {
			t.Fatal(err)
		}
		out[i].Tensors = []tensor.Tensor{tensor.Scalar(int64(i)), x}
	}
	return out
}

func drawOptions(t *rapid.T) dataset.BatchOptions {
	o := dataset.BatchOptions{
		Size:     rapid.Int64Range(1, 8).Draw(t, "size"),
		Grouping: dataset.Grouping(rapid.IntRange(0, 2).Draw(t, "grouping")),
		Window:   rapid.IntRange(1, 12).Draw(t, "window"),
	}
	if rapid.Bool().Draw(t, "tokens?") {
		o.MaxTokens = rapid.Int64Range(1, 60).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "no size") {
			o.Size = 0
		}
	}
	return o
}

// TestGroupBatchKeepsRows checks, for all ways of grouping, that no row is lost or invented, that
// unpadding gives the rows back, that padding is the padding value, and that the bounds hold.
func TestGroupBatchKeepsRows(t *testing.T) {
	t.Parallel()
	const pad = float32(-7.5)
	rapid.Check(t, func(t *rapid.T) {
		rows, o := drawRows(t), drawOptions(t)
		o.PaddingValues = dataset.Dict(map[string]dataset.Values{"label": {}, "x": dataset.Value(pad)})
		var stats dataset.Stats
		o.Stats = &stats
		seen := map[int64]bool{}
		done := int64(0) // rows handed out
		for b, err := range dataset.FromElements(pairSpec, rows...).GroupBatch(o).All(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			labels, _ := tensor.Values[int64](b.Tensors[0])
			if !slices.Equal(labels, b.Rows) {
				t.Fatalf("row numbers %v beside labels %v", b.Rows, labels)
			}
			longest := 0
			for i, row := range b.Rows {
				if seen[row] {
					t.Fatalf("row %d came twice", row)
				}
				seen[row] = true
				checkPadded(t, b.Tensors[1].Index(i), rows[row].Tensors[1], pad)
				longest = max(longest, rows[row].Tensors[1].Len())
				if o.Grouping == dataset.Exact && !slices.Equal(b.Tensors[1].Dims()[1:], rows[row].Tensors[1].Dims()) {
					t.Fatalf("row %d is padded", row)
				}
				if o.Grouping == dataset.Arrival && row != done {
					t.Fatalf("row %d came when %d was due", row, done)
				}
				if held := 4 * int64(o.Window); o.Grouping != dataset.Arrival && o.MaxTokens == 0 && done-row > held {
					t.Fatalf("row %d was held back for %d rows, more than %d", row, done-row, held)
				}
				done++
			}
			if o.Size > 0 && int64(len(b.Rows)) > o.Size || o.MaxTokens > 0 && len(b.Rows) > 1 && int64(len(b.Rows)*longest) > o.MaxTokens {
				t.Fatalf("a batch of %d rows, the longest of %d values, breaks the bounds", len(b.Rows), longest)
			}
		}
		if len(seen) != len(rows) || stats.Rows != int64(len(rows)) {
			t.Fatalf("%d rows came out, %d were counted; want %d", len(seen), stats.Rows, len(rows))
		}
	})
}

// TestRareRowLeaves gives the groupings a first row that no other is like.
func TestRareRowLeaves(t *testing.T) {
	t.Parallel()
	const window = 16
	for _, grouping := range []dataset.Grouping{dataset.Exact, dataset.Similar} {
		rows := make([]dataset.Element, 100*window)
		for i := range rows {
			rows[i] = dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(make([]float32, 3)...)}}
		}
		rows[0].Tensors[0] = tensor.Vector(make([]float32, 70)...)
		done := int64(0)
		for b, err := range dataset.FromElements(dataset.TensorSpec(tensor.Float32, -1), rows...).Batches(t.Context(), dataset.BatchOptions{Size: 8, Window: window, Grouping: grouping}) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				if row := b.Row(i).Row; done-row > 4*window {
					t.Fatalf("%v: row %d was held back for %d rows", grouping, row, done-row)
				}
				done++
			}
		}
	}
}

// checkPadded checks that padded holds row in its corner and pad everywhere else.
func checkPadded(t *rapid.T, padded, row tensor.Tensor, pad float32) {
	p, _ := tensor.Values[float32](padded)
	r, _ := tensor.Values[float32](row)
	h, w := row.Dims()[0], row.Dims()[1]
	width := padded.Dims()[1]
	for i, v := range p {
		y, x := int64(i)/width, int64(i)%width
		want := pad
		if y < h && x < w {
			want = r[y*w+x]
		}
		if v != want {
			t.Fatalf("value at (%d, %d) of a row of shape %v padded to %v is %v, want %v", y, x, row.Shape(), padded.Shape(), v, want)
		}
	}
}

// TestRoundTrips checks that unbatch undoes batching, and that a shuffle is a permutation.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		ds := dataset.FromElements(pairSpec, rows...)
		size := rapid.Int64Range(1, 7).Draw(t, "size")
		for name, back := range map[string]*dataset.Dataset{
			"ragged":  ds.RaggedBatch(size).Unbatch(),
			"shuffle": ds.Shuffle(rapid.Int64Range(1, 40).Draw(t, "buffer"), dataset.ShuffleOptions{Seed: dataset.Seed(rapid.Int64().Draw(t, "seed"))}),
			"shards":  ds.Shard(2, 0).Prefetch(3).RaggedBatch(size).Unbatch(),
		} {
			got, err := back.Collect(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			want := len(rows)
			if name == "shards" {
				want = (want + 1) / 2
			}
			if len(got) != want {
				t.Fatalf("%s: %d rows, want %d", name, len(got), want)
			}
			slices.SortFunc(got, func(a, b dataset.Element) int { return int(a.Row - b.Row) })
			for i, e := range got {
				src := rows[e.Row]
				if name != "shards" && e.Row != int64(i) || !e.Tensors[0].Equal(src.Tensors[0]) {
					t.Fatalf("%s: row %d is %v", name, i, e.Tensors)
				}
				if v, _ := tensor.Values[float32](e.Tensors[1]); name == "shuffle" && !e.Tensors[1].Equal(src.Tensors[1]) || len(v) != src.Tensors[1].Len() {
					t.Fatalf("%s: row %d is %v, want %v", name, i, e.Tensors[1], src.Tensors[1])
				}
			}
		}
	})
}

// TestBatchesPadAnywhere checks that PadInto, Reader and Tensor agree.
func TestBatchesPadAnywhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ds := dataset.FromElements(pairSpec, drawRows(t)...)
		for b, err := range ds.Batches(context.Background(), drawOptions(t)) {
			if err != nil {
				t.Fatal(err)
			}
			for c := range 2 {
				want, err := b.Tensor(c)
				if err != nil {
					t.Fatal(err)
				}
				dst := make([]byte, b.Size(c))
				if err := b.PadInto(c, dst); err != nil || !slices.Equal(dst, want.Bytes()) {
					t.Fatalf("PadInto: %v; %v, want %v", err, dst, want.Bytes())
				}
				row := len(dst) / b.Len()
				buf := make([]byte, row*rapid.IntRange(1, 3).Draw(t, "rows a read")+rapid.IntRange(0, 5).Draw(t, "more"))
				var got []byte
				r := b.Reader(c)
				for len(got) < len(dst) {
					n, err := r.Read(buf)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, buf[:n]...)
				}
				if !slices.Equal(got, dst) {
					t.Fatalf("Reader: %v, want %v", got, dst)
				}
				if err := b.PadInto(c, make([]byte, len(dst)+1)); err == nil {
					t.Fatal("PadInto of too much memory: no error")
				}
			}
		}
	})
}

// TestErrorsLoseNoRows checks that Batches keeps the rows around a bad one, whatever the grouping.
func TestErrorsLoseNoRows(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad row")
	ds := dataset.Range(0, 20, 1).Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) {
		if e.Row%7 == 3 {
			return e, bad
		}
		return e, nil
	})
	for g := dataset.Arrival; g <= dataset.Similar; g++ {
		var rows []int64
		failures := 0
		for b, err := range ds.Batches(t.Context(), dataset.BatchOptions{Size: 4, Grouping: g, Window: 6}) {
			if err != nil {
				if failures++; !errors.Is(err, bad) {
					t.Fatal(err)
				}
				continue
			}
			rows = b.RowNumbers(rows)
		}
		slices.Sort(rows)
		if want := []int64{0, 1, 2, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 18, 19}; failures != 3 || !slices.Equal(rows, want) {
			t.Errorf("%v: %d errors and rows %v, want 3 and %v", g, failures, rows, want)
		}
	}
}

func TestInterleave(t *testing.T) {
	t.Parallel()
	spec := dataset.TensorSpec(tensor.Int64)
	ds := dataset.Range(1, 4, 1).Interleave(spec, func(e dataset.Element) *dataset.Dataset {
		v, _ := tensor.Values[int64](e.Tensors[0])
		return dataset.Range(10*v[0], 10*v[0]+v[0]+1, 1)
	}, dataset.InterleaveOptions{CycleLength: 2, BlockLength: 2})
	// tf.data.Dataset.range(1, 4).interleave(lambda v: tf.data.Dataset.range(10 * v, 11 * v + 1),
	// 2, 2)
	if got, want := column(t, ds), []int64{10, 11, 20, 21, 22, 30, 31, 32, 33}; !slices.Equal(got, want) {
		t.Errorf("interleave = %v, want %v", got, want)
	}
}

func column(t *testing.T, ds *dataset.Dataset) []int64 {
	t.Helper()
	var out []int64
	for e, err := range ds.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		v, _ := tensor.Values[int64](e.Tensors[len(e.Tensors)-1])
		out = append(out, v...)
	}
	return out
}

func TestZipAndEnumerate(t *testing.T) {
	t.Parallel()
	ds := dataset.Range(0, 100, 10).Filter(func(e dataset.Element) (bool, error) { return e.Row%2 == 1, nil }).Enumerate(5)
	var got []string
	for e, err := range ds.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		i, _ := tensor.Values[int64](e.Tensors[0])
		v, _ := tensor.Values[int64](e.Tensors[1])
		got = append(got, fmt.Sprint(i[0], v[0], e.Row))
	}
	if diff := cmp.Diff([]string{"5 10 1", "6 30 3", "7 50 5", "8 70 7", "9 90 9"}, got); diff != "" {
		t.Errorf("enumerate (-want +got):\n%s", diff)
	}
	if got := ds.Cardinality(); got != dataset.UnknownCardinality {
		t.Errorf("cardinality after filter = %d, want unknown", got)
	}
	zip := dataset.Zip(dataset.Tuple(dataset.Leaf(dataset.Range(0, 3, 1)), dataset.Leaf(dataset.Range(0, 9, 2).Repeat(-1))))
	if got := zip.Cardinality(); got != 3 {
		t.Errorf("cardinality of zip = %d, want 3", got)
	}
	if got := column(t, zip); !slices.Equal(got, []int64{0, 2, 4}) {
		t.Errorf("zip = %v", got)
	}
}

// TestCancel checks that every way of iterating ends with the context, and leaves no goroutine
// (TestMain).
func TestCancel(t *testing.T) {
	t.Parallel()
	endless := dataset.Range(0, 3, 1).Repeat(-1)
	none := func(dataset.Element) (bool, error) { return false, nil }
	for name, ds := range map[string]*dataset.Dataset{
		"prefetch": endless.Prefetch(4), "filter": endless.Filter(none), "skip": endless.Skip(1 << 62),
		"shuffle": endless.Filter(none).Shuffle(10), "batch": endless.Prefetch(1).Filter(none).Batch(3), "prefetched filter": endless.Filter(none).Prefetch(2),
	} {
		ctx, cancel := context.WithCancel(t.Context())
		it := ds.Iterator()
		if name == "prefetch" {
			for range 5 {
				if _, err := it.Next(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		done := make(chan error)
		go func() {
			_, err := it.Next(ctx)
			for err == nil {
				_, err = it.Next(ctx)
			}
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", name, err, context.Canceled)
		}
		it.Close()
		it.Close()
	}
}

// TestOwnership checks that elements that are kept stay as they were, and that those that are not
// have their memory used again.
func TestOwnership(t *testing.T) {
	t.Parallel()
	ds := dataset.Range(0, 8, 1).Batch(2)
	kept, err := ds.Shuffle(1).Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var clones []dataset.Element
	var first *int64
	for e, err := range ds.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		clones = append(clones, e.Clone())
		v, _ := tensor.Values[int64](e.Tensors[0])
		if first == nil {
			first = &v[0]
		}
		if &v[0] != first {
			t.Error("the batches' memory is not used again")
		}
	}
	for i := range 4 {
		want := tensor.Vector(int64(2*i), int64(2*i+1))
		if !kept[i].Tensors[0].Equal(want) || !clones[i].Tensors[0].Equal(want) || !slices.Equal(clones[i].Rows, []int64{int64(2 * i), int64(2*i + 1)}) {
			t.Errorf("batch %d: kept %v, cloned %v, want %v", i, kept[i].Tensors[0].Bytes(), clones[i].Tensors[0].Bytes(), want.Bytes())
		}
	}
}

func TestOneOptions(t *testing.T) {
	t.Parallel()
	o := dataset.PaddedBatchOptions{}
	ds := dataset.Range(0, 8, 1).PaddedBatch(2, o, o).Take(3).Repeat(2)
	if dataset.CodeOf(ds.Err()) != dataset.ValueError {
		t.Errorf("two options: %v, want a ValueError", ds.Err())
	}
	n := 0
	for _, err := range ds.All(t.Context()) {
		if n++; dataset.CodeOf(err) != dataset.ValueError {
			t.Errorf("iteration: %v, want the error of building", err)
		}
	}
	if n != 1 {
		t.Errorf("%d steps, want the error alone", n)
	}
}
