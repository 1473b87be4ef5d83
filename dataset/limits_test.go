package dataset_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// TestBudget checks that a budget splits batches and changes nothing else: all rows in order, no
// batch of several rows above the budget, and none that could have taken the next row of its group.
func TestBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOf(rapid.IntRange(0, 20)).Draw(t, "lengths")
		size := rapid.Int64Range(1, 8).Draw(t, "size")
		budget := rapid.Int64Range(1, 500).Draw(t, "budget")
		rows := make([][]int32, len(lengths))
		for i, n := range lengths {
			rows[i] = make([]int32, n)
		}
		splits := 0
		opts := dataset.BatchOptions{Size: size, Budget: budget, Split: func(int, int) { splits++ }}
		next, groups := int64(0), 0
		for b, err := range dataset.FromRows(rows).Batches(t.Context(), opts) {
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range b.RowNumbers(nil) {
				if row != next {
					t.Fatalf("row %d, want %d", row, next)
				}
				next++
			}
			groups++
			if b.Len() > 1 && b.Size(0) > budget {
				t.Fatalf("a batch of shape %v and a budget of %d bytes", b.Dims(0), budget)
			}
			longest := b.Dims(0)[1]
			if next%size != 0 && next < int64(len(rows)) && 4*max(longest, int64(lengths[next]))*int64(b.Len()+1) <= budget {
				t.Fatalf("row %d of %d entries had room beside %v", next, lengths[next], b.Dims(0))
			}
		}
		if next != int64(len(rows)) {
			t.Fatalf("%d rows of %d", next, len(rows))
		}
		if plain := (int64(len(rows)) + size - 1) / size; int64(groups-splits) != plain {
			t.Fatalf("%d batches after %d splits, want %d without", groups, splits, plain)
		}
	})
}

func TestBudgetOfStrings(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"a"}, {strings.Repeat("b", 100)}, {"c"}}
	var got []int
	for b, err := range dataset.FromRows(rows).Batches(t.Context(), dataset.BatchOptions{Size: 3, Budget: 120}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b.Len())
	}
	if diff := cmp.Diff([]int{1, 1, 1}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	ds := dataset.FromRows(rows).GroupBatch(dataset.BatchOptions{Size: 3, Budget: 1, DropRemainder: true})
	if dataset.CodeOf(ds.Err()) != dataset.InvalidArgument {
		t.Errorf("Budget with DropRemainder: %v, want an InvalidArgument", ds.Err())
	}
}

// TestCheck checks that a refused row has its place in the file, and that the rows after it come.
func TestCheck(t *testing.T) {
	t.Parallel()
	errOdd := errors.New("odd")
	odd := func(e dataset.Element) (string, error) {
		if v, _ := tensor.Values[int64](e.Tensors[0]); v[0]%2 == 1 {
			return "x", errOdd
		}
		return "", nil
	}
	for name, ds := range map[string]*dataset.Dataset{
		`f:3: field "x": odd`:   dataset.JSONL(strings.NewReader("2\n\n3\n4\n"), dataset.TensorSpec(tensor.Int64), dataset.JSONLOptions{Name: "f"}),
		`row 2: field "x": odd`: dataset.FromRows([][]int64{{2}, {3}, {4}}),
	} {
		var got []string
		for e, err := range ds.Check(odd).All(t.Context()) {
			if err != nil {
				if !errors.Is(err, errOdd) {
					t.Errorf("error %v is not the check's", err)
				}
				got = append(got, err.Error())
				continue
			}
			got = append(got, fmt.Sprint(e.Row))
		}
		if diff := cmp.Diff([]string{"0", name, "2"}, got); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	}
}

// TestLimitsNameThemselves checks that each limit names itself, and that the row after the one that
// passes it is read.
func TestLimitsNameThemselves(t *testing.T) {
	t.Parallel()
	long := "[" + strings.Repeat("1,", 300_000) + "1]"
	for _, tt := range []struct {
		name, row, want, limit string
		spec                   dataset.Spec
		opts                   dataset.JSONLOptions
	}{
		{"line", long, "the line is longer than 1000 bytes", dataset.LimitRowBytes, dataset.TensorSpec(tensor.Int64, -1), dataset.JSONLOptions{MaxLine: 1000}},
		{"line in the buffer", long[:2000], "the line is longer than 1000 bytes", dataset.LimitRowBytes, dataset.TensorSpec(tensor.Int64, -1), dataset.JSONLOptions{MaxLine: 1000}},
		{"values", "[1,2,3,4]", "more than 3 values", dataset.LimitElements, dataset.TensorSpec(tensor.Int64, -1), dataset.JSONLOptions{MaxValues: 3}},
		{"length", "[1,2,3,4]", "a sequence of more than 3 entries", dataset.LimitLength, dataset.TensorSpec(tensor.Int64, -1), dataset.JSONLOptions{MaxLength: 3}},
		{"outer length", "[[1],[2],[3],[4]]", "a sequence of more than 3 entries", dataset.LimitLength, dataset.TensorSpec(tensor.Int64, -1, 1), dataset.JSONLOptions{MaxLength: 3}},
		{"known length", "[1,2,3,4]", "", "", dataset.TensorSpec(tensor.Int64, 4), dataset.JSONLOptions{MaxLength: 3}},
		{"depth", "[[[1]]]", "nested deeper than 2 levels", dataset.LimitDepth, dataset.UnknownRankSpec(tensor.Int64), dataset.JSONLOptions{MaxDepth: 2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var limits []string
			rows := 0
			for _, err := range dataset.JSONL(strings.NewReader(tt.row+"\n[1,2,3]\n"), tt.spec, tt.opts).All(t.Context()) {
				rows++
				var limit *dataset.LimitError
				if errors.As(err, &limit) {
					limits = append(limits, limit.Limit)
					if limit.Msg != tt.want || !strings.HasSuffix(err.Error(), tt.want) {
						t.Errorf("error %q, want %q", err, tt.want)
					}
				}
			}
			if rows != 2 || len(limits) > 1 || (len(limits) == 1) != (tt.limit != "") || tt.limit != "" && limits[0] != tt.limit {
				t.Errorf("%d rows, limits %q, want two rows and %q", rows, limits, tt.limit)
			}
		})
	}
}
