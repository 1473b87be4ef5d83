package tf

import (
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// A recycler hands memory out once, and only where it fits.
func TestRecycler(t *testing.T) {
	r := &Recycler{}
	room := make([]byte, 64)
	for range 2 * maxRecycled {
		x, err := tensor.Share(tensor.Float32, room, []int64{16})
		if err != nil {
			t.Fatal(err)
		}
		r.GiveOutputs([]tensor.Tensor{x})
	}
	if len(r.out) != maxRecycled {
		t.Errorf("%d are kept, want %d", len(r.out), maxRecycled)
	}
	for _, dims := range [][]int64{{17}, {7}, {0}} {
		if x, err := r.tensor(tensor.Float32, dims); err != nil || len(r.out) != maxRecycled {
			t.Errorf("tensor(%v) = %v, %v out of 64 bytes", dims, x, err)
		}
	}
	if x, err := r.tensor(tensor.Float32, []int64{2, 5}); err != nil || &x.Bytes()[0] != &room[0] || len(r.out) != maxRecycled-1 {
		t.Errorf("tensor(2, 5) = %v, %v in other memory", x, err)
	}
	var none *Recycler
	if none.GiveFed(nil) {
		t.Error("no recycler takes values")
	}
	if x, err := none.tensor(tensor.Int64, []int64{2}); err != nil || x.Len() != 2 {
		t.Errorf("tensor = %v, %v", x, err)
	}
}
