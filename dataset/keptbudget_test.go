package dataset

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/tensor"
)

// endless gives the same line again and again.
type endless struct{ line string }

func (r endless) Read(b []byte) (int, error) {
	n := 0
	for n+len(r.line) <= len(b) {
		n += copy(b[n:], r.line)
	}
	return n, nil
}

func (endless) Close() error { return nil }

// TestPeekOfBadRows looks for good rows where there are none, however long one looks.
func TestPeekOfBadRows(t *testing.T) {
	t.Parallel()
	spec := Dict(map[string]Spec{"x": TensorSpec(tensor.Float32)})
	open := func(string) (io.ReadCloser, error) { return endless{"{\"x\": null}\n"}, nil }
	first, rest := JSONLFiles(spec, JSONLOptions{Open: open}, "rows.jsonl").Peek(context.Background(), 10)
	if len(first) != 0 {
		t.Errorf("%d rows", len(first))
	}
	it := rest.Iterator()
	defer it.Close()
	if _, err := it.Next(context.Background()); err == nil {
		t.Error("the first bad row is no error")
	}
}

// TestBatchesOfKeptColumns has rows that keep much: a batch ends where they come to an eighth of
// the budget, and no row is lost.
func TestBatchesOfKeptColumns(t *testing.T) {
	t.Parallel()
	const rows = 1000
	text := strings.Repeat("{\"x\": 1, \"k\": \""+strings.Repeat("a", 1000)+"\"}\n", rows)
	open := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	spec := Dict(map[string]Spec{"x": TensorSpec(tensor.Float32)})
	for _, tokens := range []int64{0, 1 << 20} { // many rows at a time, and one by one
		n, splits := 0, 0
		o := BatchOptions{Size: 500, Budget: 1 << 20, MaxTokens: tokens, Split: func(int, int) { splits++ }}
		ds := JSONLFiles(spec, JSONLOptions{Open: open, Keep: []string{"k"}}, "rows.jsonl")
		for b, err := range ds.Batches(context.Background(), o) {
			if err != nil {
				t.Fatal(err)
			}
			if n += b.Len(); b.Len() > 131+keepingRows {
				t.Errorf("a batch of %d rows", b.Len())
			}
		}
		if n != rows || splits == 0 {
			t.Errorf("%d rows, %d splits", n, splits)
		}
	}
}
