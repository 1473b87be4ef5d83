package dataset_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// counting gives the rows 0, 1, 2, … and fails at one of them.
type counting struct {
	n, bad int64
	at     int64
	closed *int
}

func (r *counting) Next(_ context.Context, e *dataset.Element) error {
	if r.at == r.n {
		return io.EOF
	}
	row := r.at
	r.at++
	if row == r.bad {
		return &dataset.SyntaxError{File: "f.bin", Row: row, FileRow: row + 1, Field: "x", Msg: "want better"}
	}
	e.Row = row
	e.Tensors = append(e.Tensors, tensor.Scalar(row))
	return nil
}

func (r *counting) Close() { *r.closed++ }

// byBlock gives all rows at once.
type byBlock struct{ counting }

func (r *byBlock) NextBlock(context.Context, int) (dataset.RowBlock, error) {
	return dataset.RowBlock{Tensors: []tensor.Tensor{tensor.Vector[int64](0, 1, 2)}}, nil
}

func TestFromReader(t *testing.T) {
	closed := 0
	keep := false
	ds := dataset.FromReader(dataset.TensorSpec(tensor.Int64), 4, func(o dataset.ReadOptions) (dataset.RowReader, error) {
		keep = o.Keep
		return &counting{n: 4, bad: 1, closed: &closed}, nil
	})
	if ds.Cardinality() != 4 {
		t.Errorf("Cardinality() = %d, want 4", ds.Cardinality())
	}
	for range 2 {
		var rows []int64
		var errs []string
		for e, err := range ds.All(t.Context()) {
			if err != nil {
				errs = append(errs, err.Error())
				continue
			}
			rows = append(rows, e.Row)
		}
		if diff := cmp.Diff([]int64{0, 2, 3}, rows); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{`f.bin: row 2: field "x": want better`}, errs); diff != "" {
			t.Errorf("errors (-want +got):\n%s", diff)
		}
	}
	if closed != 2 || keep {
		t.Errorf("closed %d times, want 2; keep = %v, want false", closed, keep)
	}
	for range ds.PaddedBatch(2, dataset.PaddedBatchOptions{}).All(t.Context()) {
		break
	}
	if !keep {
		t.Error("padded_batch holds rows, so its reader must keep them")
	}
}

func TestFromReaderStops(t *testing.T) {
	closed := 0
	ds := dataset.FromReader(dataset.TensorSpec(tensor.Int64), dataset.UnknownCardinality, func(dataset.ReadOptions) (dataset.RowReader, error) {
		return &counting{n: 1 << 60, bad: -1, closed: &closed}, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range ds.All(ctx) {
		if n++; n == 3 {
			cancel()
		}
		if n > 3 && !errors.Is(err, context.Canceled) {
			t.Fatalf("after cancel: %v, want context.Canceled", err)
		}
	}
	if n != 4 || closed != 1 {
		t.Errorf("%d steps, closed %d times; want 4 and 1", n, closed)
	}
}

func TestBlocks(t *testing.T) {
	closed := 0
	open := func(r dataset.RowReader) func(dataset.ReadOptions) (dataset.RowReader, error) {
		return func(dataset.ReadOptions) (dataset.RowReader, error) { return r, nil }
	}
	blocks := &byBlock{counting{closed: &closed}}
	tests := []struct {
		name   string
		ds     *dataset.Dataset
		ok     bool
		closed int
	}{
		{"blocks", dataset.FromReader(dataset.TensorSpec(tensor.Int64), 3, open(blocks)), true, 0},
		{"rows", dataset.FromReader(dataset.TensorSpec(tensor.Int64), 3, open(&counting{closed: &closed})), false, 1},
		{"unknown size", dataset.FromReader(dataset.TensorSpec(tensor.Int64, -1), 3, open(blocks)), false, 0},
		{"not a file", dataset.Range(0, 3, 1), false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			closed = 0
			r, ok, err := tt.ds.Blocks()
			if err != nil || ok != tt.ok || closed != tt.closed {
				t.Fatalf("Blocks() = %v, %v, closed %d; want %v, closed %d", ok, err, closed, tt.ok, tt.closed)
			}
			if !ok {
				return
			}
			b, err := r.NextBlock(t.Context(), 0)
			if err != nil || b.Tensors[0].Len() != 3 {
				t.Errorf("NextBlock() = %v, %v", b.Tensors, err)
			}
			r.Close()
		})
	}
	failing := dataset.FromReader(dataset.TensorSpec(tensor.Int64), 3, func(dataset.ReadOptions) (dataset.RowReader, error) { return nil, io.ErrUnexpectedEOF })
	if _, ok, err := failing.Blocks(); !ok || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Blocks() of a source that does not open = %v, %v", ok, err)
	}
}

func TestColumnError(t *testing.T) {
	tests := []struct {
		name string
		err  dataset.ColumnError
		want string
	}{
		{
			"missing",
			dataset.ColumnError{File: "r.csv", Component: "tokens", Column: "tokens", Have: []string{"id", "token"}, Near: "token"},
			`r.csv: no column "tokens"; the columns are "id", "token"; did you mean "token"?`,
		},
		{
			"mapped",
			dataset.ColumnError{File: "r.csv", Component: "x", Column: "words", Have: []string{"id"}},
			`r.csv: input "x": no column "words"; the columns are "id"`,
		},
		{
			"other",
			dataset.ColumnError{File: "r.npy", Component: "x", Column: "a", Msg: "want float32, got strings"},
			`r.npy: input "x": column "a": want float32, got strings`,
		},
		{
			"many",
			dataset.ColumnError{File: "r", Component: "x", Msg: "say which", Have: make([]string, 22)},
			`r: input "x": say which; the columns are ` + `"", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "" and 2 more`,
		},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestValueParser(t *testing.T) {
	p, err := dataset.NewValueParser(dataset.RaggedSpec(tensor.Int64, 1, -1, -1).Leaf(), tensor.Tensor{}, dataset.ReadOptions{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	v, splits, err := p.Parse([]byte("[[1, 2], [], [3]]"))
	if err != nil || !v.Equal(tensor.Vector[int64](1, 2, 3)) || len(splits) != 1 || !splits[0].Equal(tensor.Vector[int64](0, 2, 2, 3)) {
		t.Errorf("Parse = %v, %v, %v", v, splits, err)
	}
	if _, _, err := p.Parse([]byte("[[1], 2]")); err == nil {
		t.Error("Parse of a value beside a list: no error")
	}
	p, err = dataset.NewValueParser(dataset.TensorSpec(tensor.Float32, -1).Leaf(), tensor.Tensor{}, dataset.ReadOptions{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	a, _, _ := p.Parse([]byte("[1]"))
	b, _, _ := p.Parse([]byte("[2, 3]"))
	if !a.Equal(tensor.Vector[float32](1)) || !b.Equal(tensor.Vector[float32](2, 3)) {
		t.Errorf("kept values: %v, %v", a, b)
	}
	if _, err := dataset.NewValueParser(dataset.TensorSpec(tensor.Variant).Leaf(), tensor.Tensor{}, dataset.ReadOptions{}); err == nil {
		t.Error("a parser of variants: no error")
	}
}
