package dataset

import (
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// TestWindowBytes: with a budget of memory, rows of one length meet however many others come
// between, as long as the budget holds them; beyond it the oldest group goes first.
func TestWindowBytes(t *testing.T) {
	t.Parallel()
	const lengths, each = 60, 200
	rows := make([]Element, lengths*each)
	for i := range rows {
		rows[i] = Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(make([]int32, 1+i%lengths)...)}}
	}
	batches := func(o BatchOptions) (n int, most int64) {
		o.Size, o.Grouping = 64, Exact
		seen := map[int64]bool{}
		for b, err := range FromElements(TensorSpec(tensor.Int32, -1), rows...).Batches(t.Context(), o) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			for i := range b.Len() {
				if row := b.Row(i); seen[row.Row] || row.Tensors[0].Len() != rows[row.Row].Tensors[0].Len() {
					t.Fatalf("row %d came twice, or with another length", row.Row)
				} else {
					seen[row.Row] = true
				}
			}
			most = max(most, b.RowNumbers(nil)[b.Len()-1]-b.RowNumbers(nil)[0])
		}
		if len(seen) != len(rows) {
			t.Fatalf("%d of %d rows", len(seen), len(rows))
		}
		return n, most
	}
	// 200 rows of a length are three full batches and one of what is left
	if n, _ := batches(BatchOptions{WindowBytes: 64 << 20}); n != lengths*4 {
		t.Errorf("%d batches within the budget, want %d", n, lengths*4)
	}
	if n, span := batches(BatchOptions{WindowBytes: 40 << 10}); n <= lengths*4 || span > 200 {
		t.Errorf("%d batches of rows up to %d apart beyond the budget, want more batches of closer rows", n, span)
	}
	if n, _ := batches(BatchOptions{Window: 100, WindowBytes: 64 << 20}); n <= lengths*4 {
		t.Errorf("%d batches with a window of 100 rows, want more: the number counts where it is given", n)
	}
}

// TestWindowBytesAfter: a row that waits for others of its length, or whose neighbours leave before
// it, leaves once those after it come to the window's memory, with what they keep: their results
// wait for its own.
func TestWindowBytesAfter(t *testing.T) {
	t.Parallel()
	const n, kept, window = 4000, 10_000, 1_000_000
	rows := make([]Element, n)
	for i := range rows {
		rows[i] = Element{Row: int64(i), Tensors: []tensor.Tensor{tensor.Vector(make([]int32, 3)...)}, Extra: []Field{{Key: "k", Value: make([]byte, kept)}}}
	}
	rows[5].Tensors[0] = tensor.Vector(make([]int32, 700)...)
	for _, o := range []BatchOptions{
		{Grouping: Exact},
		{Grouping: Exact, Window: n},
		{Grouping: Similar, Window: n},
		{Grouping: Similar, Window: n, Apart: func(e Element) bool { return e.Tensors[0].Len() > 10 }},
	} {
		o.Size, o.WindowBytes = 8, window
		came, after := 0, -1
		for b, err := range FromElements(TensorSpec(tensor.Int32, -1), rows...).Batches(t.Context(), o) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				if came++; b.Row(i).Row == 5 {
					after = came
				}
			}
		}
		if most := window/kept + 2*int(o.Size); came != n || after < 0 || after > most {
			t.Errorf("%v, window %d: %d rows; the odd one is number %d, want at most %d", o.Grouping, o.Window, came, after, most)
		}
	}
}
