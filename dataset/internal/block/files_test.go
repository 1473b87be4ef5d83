package block_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/block"
	"github.com/tfrun/tfrun/tensor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDamaged = errors.New("damaged")

// run is a run of rows, each of which holds one number.
type run struct {
	values []int64
	block  block.Block
}

// fake is a file of runs.
type fake struct {
	name     string
	runs     [][]int64
	end      error // of the last read
	closeErr error
	closed   *[]string
}

func (f *fake) Read(j *run) error {
	if len(f.runs) == 0 {
		return f.end
	}
	j.values = append(j.values[:0], f.runs[0]...)
	f.runs = f.runs[1:]
	return nil
}

func (f *fake) Close() error {
	*f.closed = append(*f.closed, f.name)
	return f.closeErr
}

func (j *run) work() {
	flat := block.Flat(tensor.Int64, tensor.Vector(j.values...).Bytes(), nil)
	j.block = block.Block{Rows: len(j.values), Columns: []block.Column{block.NewFixed(flat, nil)}}
}

// collect keeps the rows as they are, iterate copies them one by one.
func collect(t *testing.T, ds *dataset.Dataset) ([]dataset.Element, error) {
	t.Helper()
	return ds.Collect(t.Context())
}

func iterate(t *testing.T, ds *dataset.Dataset) (out []dataset.Element, err error) {
	t.Helper()
	for e, err := range ds.All(t.Context()) {
		if err != nil {
			return out, err
		}
		out = append(out, e.Clone())
	}
	return out, nil
}

// Rows come in their order, from one file after the other, until one has an error; whatever
// happens, each file that was opened is closed.
func TestFiles(t *testing.T) {
	for _, tt := range []struct {
		name   string
		files  map[string]*fake
		want   []int64
		closed []string
		err    error
	}{
		{"none", nil, nil, nil, nil},
		{"several, with runs of no rows", map[string]*fake{"a": {runs: [][]int64{{1, 2}, {}, {3}}, end: io.EOF}, "b": {end: io.EOF}, "c": {runs: [][]int64{{4}}, end: io.EOF}}, []int64{1, 2, 3, 4}, []string{"a", "b", "c"}, nil},
		{"damaged", map[string]*fake{"a": {runs: [][]int64{{1}}, end: errDamaged}, "b": {end: io.EOF}}, []int64{1}, []string{"a"}, errDamaged},
		{"an end within a row", map[string]*fake{"a": {runs: [][]int64{{1}}, end: fmt.Errorf("row 2: %w", io.EOF)}, "b": {end: io.EOF}}, []int64{1}, []string{"a"}, io.EOF},
		{"an error of closing", map[string]*fake{"a": {runs: [][]int64{{1}}, end: io.EOF, closeErr: errDamaged}, "b": {end: io.EOF}}, []int64{1}, []string{"a"}, errDamaged},
		{"one that cannot be opened", map[string]*fake{"a": {runs: [][]int64{{1}}, end: io.EOF}, "b": nil}, []int64{1}, []string{"a"}, errDamaged},
	} {
		for _, spare := range []func(*run) *run{nil, func(*run) *run { return new(run) }} {
			t.Run(tt.name, func(t *testing.T) {
				var closed []string
				ds := block.Rows(dataset.TensorSpec(tensor.Int64), dataset.UnknownCardinality, func() *block.Files[run] {
					var names []string
					for _, name := range []string{"a", "b", "c"} {
						if _, ok := tt.files[name]; ok {
							names = append(names, name)
						}
					}
					open := func(name string) (block.File[run], error) {
						if tt.files[name] == nil {
							return nil, errDamaged
						}
						f := *tt.files[name]
						f.name, f.closed = name, &closed
						return &f, nil
					}
					return &block.Files[run]{Names: names, Open: open, Workers: 2, Work: (*run).work, Block: func(j *run) (*block.Block, error) { return &j.block, nil }, Spare: spare}
				})
				for _, read := range []func(*testing.T, *dataset.Dataset) ([]dataset.Element, error){collect, iterate} {
					closed = nil
					rows, err := read(t, ds)
					if !errors.Is(err, tt.err) {
						t.Errorf("error %v, want %v", err, tt.err)
					}
					var got []int64
					for _, e := range rows {
						v, _ := tensor.Values[int64](e.Tensors[0])
						got = append(got, v...)
					}
					if diff := cmp.Diff(tt.want, got); diff != "" {
						t.Errorf("rows (-want +got):\n%s", diff)
					}
					if diff := cmp.Diff(tt.closed, closed); diff != "" {
						t.Errorf("closed files (-want +got):\n%s", diff)
					}
				}
			})
		}
	}
}
