package dataset_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// benchRows returns n rows whose lengths are spread evenly between lo and hi, one after the other
// in memory as a reader leaves them.
func benchRows[T float32 | int64](n, lo, hi int) [][]T {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([][]T, n)
	flat := make([]T, n*hi)
	for i := range rows {
		n := lo + rng.IntN(hi-lo+1)
		rows[i], flat = flat[:n:n], flat[n:]
		for j := range rows[i] {
			rows[i][j] = T(rng.IntN(8185))
		}
	}
	return rows
}

const benchBatch = 64

// benchBytes is what the rows of the benchmarks against copy take: more than the caches hold, so
// that memory is what is measured.
const benchBytes = 128 << 20

// benchLengths are about the lengths of short and of long reviews in subwords.
var benchLengths = []struct{ lo, hi int }{{10, 100}, {10, 1000}}

func BenchmarkPaddedBatchFloat32(b *testing.B) { benchPaddedBatch[float32](b, 4, 0) }
func BenchmarkPaddedBatchInt64(b *testing.B)   { benchPaddedBatch[int64](b, 8, 0) }

// A padding value that is not zero has to be copied, where zeros are cleared.
func BenchmarkPaddedBatchInt64Minus1(b *testing.B) { benchPaddedBatch[int64](b, 8, -1) }

func benchPaddedBatch[T float32 | int64](b *testing.B, size int, pad T) {
	for _, l := range benchLengths {
		b.Run(fmt.Sprintf("lengths=%d-%d", l.lo, l.hi), func(b *testing.B) {
			rows := benchRows[T](benchBytes/size*2/(l.lo+l.hi), l.lo, l.hi)
			ds := dataset.FromRows(rows).Repeat(-1).PaddedBatch(benchBatch, dataset.PaddedBatchOptions{PaddingValues: dataset.Value(pad)})
			it := ds.Iterator()
			defer it.Close()
			var total int64
			for range 64 { // the buffers grow to the largest batch
				if _, err := it.Next(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				e, err := it.Next(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				total += int64(len(e.Tensors[0].Bytes()))
			}
			reportBytes(b, total)
		})
	}
}

// BenchmarkAgainstCopy measures batching and copy() by turns, the same number of bytes each, and
// reports the median of how much of copy's speed batching has: x-copy is 1 when padding a batch
// takes as long as copying as many bytes that are not in the caches.
func BenchmarkAgainstCopy(b *testing.B) {
	for _, l := range benchLengths {
		b.Run(fmt.Sprintf("float32/lengths=%d-%d", l.lo, l.hi), func(b *testing.B) { benchAgainstCopy[float32](b, 4, l.lo, l.hi) })
		b.Run(fmt.Sprintf("int64/lengths=%d-%d", l.lo, l.hi), func(b *testing.B) { benchAgainstCopy[int64](b, 8, l.lo, l.hi) })
	}
}

func benchAgainstCopy[T float32 | int64](b *testing.B, size, lo, hi int) {
	const turn = 32 // batches
	it := dataset.FromRows(benchRows[T](benchBytes/size*2/(lo+hi), lo, hi)).Repeat(-1).PaddedBatch(benchBatch).Iterator()
	defer it.Close()
	src := make([]byte, benchBytes)
	for i := range src {
		src[i] = byte(i)
	}
	dst := make([]byte, benchBatch*hi*size)
	at := 0
	var ratios []float64
	b.ReportAllocs()
	for b.Loop() {
		var sizes [turn]int
		start := time.Now()
		for i := range sizes {
			e, err := it.Next(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			sizes[i] = len(e.Tensors[0].Bytes())
		}
		batching := time.Since(start)
		start = time.Now()
		for _, n := range sizes {
			if at+n > len(src) {
				at = 0
			}
			copy(dst[:n], src[at:])
			at += n
		}
		ratios = append(ratios, float64(time.Since(start))/float64(batching))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "x-copy")
	b.ReportMetric(ratios[len(ratios)/10], "x-copy-p10")
	b.ReportMetric(ratios[len(ratios)*9/10], "x-copy-p90")
}

func reportBytes(b *testing.B, bytes int64) {
	b.ReportMetric(float64(bytes)/b.Elapsed().Seconds()/1e6, "MB/s")
}

func BenchmarkPadInto(b *testing.B) {
	rows := benchRows[float32](64*benchBatch, 10, 1000)
	dst := make([]byte, benchBatch*1000*4)
	ds := dataset.FromRows(rows).Repeat(-1)
	b.ReportAllocs()
	var total int64
	n := 0
	for batch, err := range ds.Batches(context.Background(), dataset.BatchOptions{Size: benchBatch}) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n == 1 {
			continue // sets up
		}
		if !b.Loop() {
			break
		}
		if err := batch.PadInto(0, dst[:batch.Size(0)]); err != nil {
			b.Fatal(err)
		}
		total += batch.Size(0)
	}
	reportBytes(b, total)
}

func BenchmarkBucketBySequenceLength(b *testing.B) {
	rows := benchRows[int64](64*benchBatch, 10, 1000)
	ds := dataset.FromRows(rows).Repeat(-1).BucketBySequenceLength(dataset.BucketOptions{
		Length: dataset.Length{Component: ".", Axis: 0}, Boundaries: []int64{100, 200, 400, 600, 800}, BatchSizes: []int64{64, 64, 64, 64, 64, 64},
	})
	benchAll(b, ds)
}

func BenchmarkGroupBatch(b *testing.B) {
	ds := dataset.FromRows(benchRows[int64](64*benchBatch, 10, 1000)).Repeat(-1)
	for _, tt := range []struct {
		name string
		opts dataset.BatchOptions
	}{
		{"similar", dataset.BatchOptions{Size: benchBatch, Grouping: dataset.Similar, Window: 1024}},
		{"exact", dataset.BatchOptions{Size: benchBatch, Grouping: dataset.Exact}},
		{"tokens", dataset.BatchOptions{MaxTokens: 32 << 10}},
		{"similar tokens", dataset.BatchOptions{MaxTokens: 32 << 10, Grouping: dataset.Similar, Window: 1024}},
	} {
		b.Run(tt.name, func(b *testing.B) { benchAll(b, ds.GroupBatch(tt.opts)) })
	}
}

func benchAll(b *testing.B, ds *dataset.Dataset) {
	it := ds.Iterator()
	defer it.Close()
	var total, rows int64
	next := func() {
		e, err := it.Next(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		total += int64(len(e.Tensors[0].Bytes()))
		rows += int64(len(e.Rows))
	}
	for range 200 {
		next()
	}
	total, rows = 0, 0
	b.ReportAllocs()
	for b.Loop() {
		next()
	}
	reportBytes(b, total)
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkJSONL(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var ints, floats []byte
	for range 1000 {
		ints = append(ints, `{"tokens": [`...)
		floats = append(floats, `{"x": [`...)
		for j := range 200 {
			if j > 0 {
				ints = append(ints, ", "...)
				floats = append(floats, ", "...)
			}
			ints = fmt.Append(ints, rng.IntN(8185))
			floats = fmt.Append(floats, float32(rng.NormFloat64()))
		}
		ints = append(ints, "], \"label\": 1}\n"...)
		floats = append(floats, "]}\n"...)
	}
	tokens := dataset.Dict(map[string]dataset.Spec{"tokens": dataset.TensorSpec(tensor.Int64, -1), "label": dataset.TensorSpec(tensor.Int64)})
	x := dataset.Dict(map[string]dataset.Spec{"x": dataset.TensorSpec(tensor.Float32, -1)})
	b.Run("int64", func(b *testing.B) { benchJSONL(b, ints, tokens) })
	b.Run("float32", func(b *testing.B) { benchJSONL(b, floats, x) })
}

func benchJSONL(b *testing.B, text []byte, spec dataset.Spec) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		for _, err := range dataset.JSONL(bytes.NewReader(text), spec).Batches(context.Background(), dataset.BatchOptions{Size: 64}) {
			if err != nil {
				b.Fatal(err)
			}
			rows++
		}
	}
}
