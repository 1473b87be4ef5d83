package rowtest

import (
	"bytes"
	"io"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
)

// Cuts yields, for every place in data, an opener of a stream whose Read stops at that place, as
// may happen with a pipe. The last opener's stream returns one byte at a time.
func Cuts(data []byte) iter.Seq2[int, dataset.Opener] {
	return func(yield func(int, dataset.Opener) bool) {
		for at := range len(data) + 1 {
			if !yield(at, func(string) (io.ReadCloser, error) {
				return io.NopCloser(&parts{parts: [][]byte{data[:at], data[at:]}}), nil
			}) {
				return
			}
		}
		single := make([][]byte, len(data))
		for i := range data {
			single[i] = data[i : i+1]
		}
		yield(-1, func(string) (io.ReadCloser, error) { return io.NopCloser(&parts{parts: single}), nil })
	}
}

// parts is a stream that reads from at most one part with each Read.
type parts struct {
	parts [][]byte
	r     bytes.Reader
}

// Read reads from the first part that has bytes left.
func (p *parts) Read(b []byte) (int, error) {
	for p.r.Len() == 0 {
		if len(p.parts) == 0 {
			return 0, io.EOF
		}
		p.r.Reset(p.parts[0])
		p.parts = p.parts[1:]
	}
	return p.r.Read(b)
}

// All describes every row and every error of a dataset, up to an error that ends it.
func All(t *testing.T, ds *dataset.Dataset) []Row {
	t.Helper()
	var out []Row
	for e, err := range ds.All(t.Context()) {
		if err != nil {
			out = append(out, Row{Err: err.Error()})
			continue
		}
		out = append(out, RowOf(e))
	}
	return out
}

// SameCuts checks that data cut at any place gives the rows that it gives whole.
func SameCuts(t *testing.T, data []byte, read func(dataset.Opener) *dataset.Dataset) {
	t.Helper()
	want := All(t, read(Stream(data)))
	if len(want) == 0 {
		t.Fatal("no rows")
	}
	for at, open := range Cuts(data) {
		if diff := cmp.Diff(want, All(t, read(open))); diff != "" {
			t.Fatalf("cut at %d (-whole +cut):\n%s", at, diff)
		}
	}
}

// Pieces returns an opener of a stream of data that returns size bytes with each Read.
func Pieces(data []byte, size int) dataset.Opener {
	return func(string) (io.ReadCloser, error) {
		return io.NopCloser(&parts{parts: slices.Collect(slices.Chunk(data, size))}), nil
	}
}
