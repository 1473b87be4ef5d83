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

// Cuts gives an opener of a stream of data for every place in it: there one Read ends and the next
// begins, as it may happen with a pipe. The last one gives byte by byte.
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

// parts gives one part after the other, at most one with each Read.
type parts struct {
	parts [][]byte
	r     bytes.Reader
}

// Read reads from the part whose turn it is.
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

// All describes every row and every error of a dataset, up to one after which there is nothing
// more.
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

// SameCuts reads data cut at every place, which must give the rows that the whole gives.
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

// Pieces returns an opener of a stream of data of which each Read gives so many bytes.
func Pieces(data []byte, size int) dataset.Opener {
	return func(string) (io.ReadCloser, error) {
		return io.NopCloser(&parts{parts: slices.Collect(slices.Chunk(data, size))}), nil
	}
}
