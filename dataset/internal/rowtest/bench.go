package rowtest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/tfrun/tfrun/dataset"
)

// Bench measures how fast a dataset of so many rows is read, row by row and by the block. bytes is
// the size of the rows, for a speed in bytes per second.
func Bench(b *testing.B, name string, ds *dataset.Dataset, rows, bytes int64) {
	b.Helper()
	measure := func(by string, read func(*testing.B, *dataset.Dataset) int64) {
		b.Run(name+"/by="+by, func(b *testing.B) {
			b.SetBytes(bytes)
			b.ReportAllocs()
			for b.Loop() {
				if n := read(b, ds); n != rows {
					b.Fatalf("%d rows, want %d", n, rows)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	measure("row", byRow)
	measure("block", byBlock)
}

// byRow reads all rows, one by one, and returns how many there are.
func byRow(b *testing.B, ds *dataset.Dataset) (n int64) {
	b.Helper()
	for _, err := range ds.All(context.Background()) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}

// byBlock reads all rows, a block at a time, and returns how many there are.
func byBlock(b *testing.B, ds *dataset.Dataset) (n int64) {
	b.Helper()
	r, ok, err := ds.Blocks()
	if !ok || err != nil {
		b.Fatal("no blocks: ", err)
	}
	defer r.Close()
	for {
		block, err := r.NextBlock(context.Background(), 0)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			b.Fatal(err)
		}
		n += block.Tensors[0].Dims()[0]
	}
}
