package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// refusing is an engine that refuses rows whose first entry is below zero, with a code.
func refusing(code Code) *fakeEngine {
	return &fakeEngine{refuse: func(rows [][]float32) error {
		for _, r := range rows {
			if len(r) > 0 && r[0] < 0 {
				return &Error{Op: "run", Code: code, Msg: fmt.Sprintf("%v is below zero", r[0])}
			}
		}
		return nil
	}}
}

// rowsOf makes rows of the given lengths: row i of ones, or beginning with -1-i where it is bad.
func rowsOf(t *testing.T, lengths []int, bad []int, o PredictOptions) []dataset.Element {
	t.Helper()
	rows := make([]dataset.Element, len(lengths))
	for i, n := range lengths {
		x := slices.Repeat([]float32{1}, n)
		if slices.Contains(bad, i) {
			x[0] = float32(-1 - i)
		}
		dims := []int64{int64(n)}
		if o.NoBatch {
			dims = []int64{1, int64(n)}
		}
		v, err := tensor.FromSlice(x, dims...)
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = dataset.Element{Row: int64(i), Tensors: []tensor.Tensor{v}, Extra: []dataset.Field{{Key: "id", Value: []byte(fmt.Sprint(i))}}}
	}
	return rows
}

// outcomesOf runs rows and writes what became of each: its sum and its kept column, or its error.
func outcomesOf(ctx context.Context, p *Predictor, rows []dataset.Element) (got []string, err error) {
	for r, err := range p.Predict(ctx, dataset.FromElements(p.RowSpec(), rows...)) {
		if err != nil {
			return got, err
		}
		text := ""
		if r.Err != nil {
			text = r.Err.Error()
		} else {
			v, _ := tensor.Values[float32](r.Values[0].Tensor)
			text = fmt.Sprint(v)
		}
		got = append(got, fmt.Sprintf("%s %s", r.Extra[0].Value, text))
	}
	return got, nil
}

// TestRefusedRows is a property: whatever the batching, each refused row is named, and all others
// have the answers that they get alone.
func TestRefusedRows(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same rows every time
	for n := range 200 {
		o := PredictOptions{BatchSize: 1 + rng.IntN(20), SkipBadRows: true, Workers: 1 + rng.IntN(2), NoBatch: n%10 == 0}
		o.Batching = []Batching{Arrival, Exact}[n/2%2]
		lengths := make([]int, 1+rng.IntN(60))
		var bad []int
		var want []string
		for i := range lengths {
			if lengths[i] = 1 + rng.IntN(3); n%3 == 0 {
				lengths[i] = 2
			}
			if rng.IntN(8) == 0 {
				bad = append(bad, i)
			}
			want = append(want, fmt.Sprintf("%d [%d]", i, lengths[i]))
		}
		p, err := fakeSession(t, refusing([]Code{InvalidArgument, ResourceExhausted}[n/4%2])).NewPredictor(o)
		if err != nil {
			t.Fatal(err)
		}
		rows := rowsOf(t, lengths, bad, o)
		got, err := outcomesOf(t.Context(), p, rows)
		if err != nil {
			t.Fatalf("%+v, bad %v: %v", o, bad, err)
		}
		for _, i := range bad {
			if !strings.HasPrefix(got[i], fmt.Sprintf("%d row %d: ", i, i+1)) || !strings.HasSuffix(got[i], fmt.Sprintf("run: %d is below zero", -1-i)) {
				t.Errorf("bad row %d: %s", i, got[i])
			}
			want[i], got[i] = "", ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v, bad %v (-want +got):\n%s", o, bad, diff)
		}
		if len(bad) == 0 {
			continue
		}
		o.SkipBadRows, o.Batching = false, Arrival
		if p, err = p.f.session.NewPredictor(o); err != nil {
			t.Fatal(err)
		}
		got, err = outcomesOf(t.Context(), p, rows)
		var row *RowError
		if !errors.As(err, &row) || row.Row != int64(bad[0]) || len(got) > bad[0] {
			t.Fatalf("without SkipBadRows: %v after %d rows, want row %d", err, len(got), bad[0])
		}
	}
}

// TestNotOfRows holds what is no row's fault: it ends the run, its batch named, and is run once.
func TestNotOfRows(t *testing.T) {
	t.Parallel()
	together := &fakeEngine{refuse: func(rows [][]float32) error {
		if len(rows) > 2 {
			return &Error{Op: "run", Code: InvalidArgument, Msg: "too many for one table"}
		}
		return nil
	}}
	for _, test := range []struct {
		name string
		e    *fakeEngine
		want string
		runs int
	}{
		{"a table that is not initialized", refusing(FailedPrecondition), "rows 1 to 4: run: -3 is below zero", 1},
		{"a timeout", refusing(DeadlineExceeded), "rows 1 to 4: run: -3 is below zero", 1},
		{"an operation that is not there", refusing(Unimplemented), "rows 1 to 4: run: -3 is below zero", 1},
		{"rows that do not go together", together, "rows 1 to 4: these rows do not run together, although parts of them do", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := PredictOptions{BatchSize: 4, SkipBadRows: true}
			p, err := fakeSession(t, test.e).NewPredictor(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = outcomesOf(t.Context(), p, rowsOf(t, []int{1, 1, 1, 1}, []int{2}, o))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || len(test.e.attempts()) != test.runs {
				t.Errorf("%v in %d runs, want %s in %d", err, len(test.e.attempts()), test.want, test.runs)
			}
		})
	}
}

// TestPick holds the picking of rows against taking them one by one.
func TestPick(t *testing.T) {
	t.Parallel()
	ragged := Value{Tensor: tensor.Vector[int64](1, 2, 3, 4, 5, 6), Splits: []tensor.Tensor{tensor.Vector[int64](0, 2, 2, 3, 4), tensor.Vector[int64](0, 1, 3, 3, 6)}}
	indices, err := tensor.FromSlice([]int64{0, 1, 2, 0, 2, 2, 3, 1}, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	sparse := Value{Tensor: tensor.Vector("a", "b", "c", "d"), Sparse: &Sparse{Indices: indices, DenseShape: tensor.Vector[int64](4, 3)}}
	dense, err := tensor.FromSlice([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Value{ragged, sparse, {Tensor: dense}} {
		for _, rows := range [][]int{{0}, {3}, {1, 2}, {0, 2, 3}, {0, 1, 2, 3}, {2, 2, 2}, {1}, {3, 0}} {
			picked, err := v.pick(rows)
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := picked.rows(); n != int64(len(rows)) {
				t.Fatalf("%d rows, want %d", n, len(rows))
			}
			for to, from := range rows {
				a, errA := v.row(from)
				b, errB := picked.row(to)
				want, errC := a.AppendJSON(nil)
				got, errD := b.AppendJSON(nil)
				if err := errors.Join(errA, errB, errC, errD); err != nil || string(got) != string(want) {
					t.Errorf("row %d of %v = %s, %v, want %s", to, rows, got, err, want)
				}
			}
		}
	}
}
