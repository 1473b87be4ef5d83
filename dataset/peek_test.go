package dataset_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

func TestPeek(t *testing.T) {
	t.Parallel()
	const rows = "[1]\n[2,3]\nbad\n[4]\n[5,6,7]\n"
	for _, n := range []int{0, 1, 2, 3, 100} {
		source := dataset.JSONL(strings.NewReader(rows), dataset.TensorSpec(tensor.Int64, -1))
		first, all := source.Peek(t.Context(), n)
		if want := min(n, 4); len(first) != want {
			t.Errorf("Peek(%d) returned %d rows, want %d", n, len(first), want)
		}
		var got []string
		for e, err := range all.All(t.Context()) {
			var syntax *dataset.SyntaxError
			switch {
			case errors.As(err, &syntax):
				got = append(got, "error")
			case err != nil:
				t.Fatal(err)
			default:
				got = append(got, e.Tensors[0].String())
			}
		}
		want := []string{"int64(1,)", "int64(2,)", "error", "int64(1,)", "int64(3,)"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after Peek(%d): %s", n, diff)
		}
		if _, err := all.Collect(t.Context()); dataset.CodeOf(err) != dataset.FailedPrecondition {
			t.Errorf("second iteration after Peek(%d): %v, want FailedPrecondition", n, err)
		}
	}
}

// TestPeekPlaces checks rows behind Peek and Map: an error still names file and line.
func TestPeekPlaces(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 100} {
		source := dataset.JSONL(strings.NewReader("[1]\n\n[2]\nbad\n\n[3]\n[4]\n"), dataset.TensorSpec(tensor.Int64, -1))
		_, rows := source.Peek(t.Context(), n)
		rows = rows.Map(dataset.Spec{}, func(e dataset.Element) (dataset.Element, error) { return e, nil })
		rows = rows.Check(func(dataset.Element) (string, error) { return "", errors.New("refused") })
		var got []string
		for _, err := range rows.All(t.Context()) {
			got = append(got, err.Error()[:len("input:1: ref")])
		}
		if diff := cmp.Diff([]string{"input:1: ref", "input:3: ref", "input:4: wan", "input:6: ref", "input:7: ref"}, got); diff != "" {
			t.Errorf("after Peek(%d) (-want +got):\n%s", n, diff)
		}
	}
}

// unread is a reader that fails before its first row, and then has no place to tell.
type unread struct{ failed bool }

func (r *unread) Next(context.Context, *dataset.Element) error {
	if r.failed {
		return io.EOF
	}
	r.failed = true
	return errors.New("damaged")
}
func (*unread) Place() dataset.SyntaxError { panic("no row was read") }
func (*unread) Close()                     {}

func TestPeekAtNothing(t *testing.T) {
	t.Parallel()
	source := dataset.FromReader(dataset.TensorSpec(tensor.Int64, -1), dataset.UnknownCardinality, func(dataset.ReadOptions) (dataset.RowReader, error) { return &unread{}, nil })
	_, rows := source.Peek(t.Context(), 1)
	if _, err := rows.Collect(t.Context()); err == nil || err.Error() != "damaged" {
		t.Errorf("Collect: %v, want the reader's error", err)
	}
}

// TestPeekBytes looks at rows that carry much: at fewer than are wanted, without what they carry,
// and the iteration has all of it.
func TestPeekBytes(t *testing.T) {
	t.Parallel()
	large := make([]byte, 8<<20)
	const rows = 12
	elements := make([]dataset.Element, rows)
	for i := range elements {
		elements[i] = dataset.Element{Tensors: []tensor.Tensor{tensor.Scalar(int64(i))}, Extra: []dataset.Field{{Key: "k", Value: large}}}
	}
	source := dataset.FromElements(dataset.TensorSpec(tensor.Int64), elements...)
	first, all := source.Peek(t.Context(), rows)
	if want := 8; len(first) != want || first[0].Extra != nil {
		t.Errorf("Peek returned %d rows with %d fields, want %d without", len(first), len(first[0].Extra), want)
	}
	n := 0
	for e, err := range all.All(t.Context()) {
		if err != nil || len(e.Extra) != 1 || len(e.Extra[0].Value) != len(large) {
			t.Fatalf("row %d: %d fields, %v", n, len(e.Extra), err)
		}
		n++
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}
