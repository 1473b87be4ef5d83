package dataset_test

import (
	"errors"
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
