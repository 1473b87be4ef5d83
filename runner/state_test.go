//go:build cgo && !notf

package runner

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/tensor"
)

const countRows = `{"by":[2]}
{"by":[9,6,8]}
{"by":[6,3]}
`

// A model that counts gives the same answers to the rows that are left when it is begun anew in the
// middle.
func TestStateIsThereAfterResuming(t *testing.T) {
	for from, want := range [][]int64{{12, 35, 44}, {35, 44}, {44}, nil} {
		s := load(t, "mod_counter/model")
		results, _ := predict(t, s, PredictOptions{NoBatch: true, From: int64(from), Batching: Auto}, countRows)
		var got []int64
		for _, r := range results {
			v, _ := tensor.Values[int64](r.Values[0].Tensor)
			got = append(got, v...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from row %d: %s", from, diff)
		}
	}
}

func TestStateKeepsOrder(t *testing.T) {
	s := load(t, "k2_stateful_rnn/model")
	for _, test := range []struct {
		o    PredictOptions
		want string
	}{
		{PredictOptions{Workers: 2}, "2 workers"},
		{PredictOptions{Batching: Exact}, "batching exact"},
		{PredictOptions{Batching: Bucket, PaddingMayChangeResults: true}, "batching bucket"},
		{PredictOptions{Shard: 1, Shards: 2}, "shard"},
	} {
		_, err := s.NewPredictor(test.o)
		var option *OptionError
		if !errors.As(err, &option) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "AssignVariableOp") {
			t.Errorf("%+v: %v", test.o, err)
		}
	}
	rows := strings.Repeat("[[1,2,3,4],[5,6,7,8],[9,1,2,3]]\n", 8)
	var want []Result
	for i, o := range []PredictOptions{{}, {Batching: Auto, PaddingMayChangeResults: true}, {From: 5}} {
		got, _ := predict(t, load(t, "k2_stateful_rnn/model"), o, rows)
		if i == 0 {
			want = got
			if want[0].Values[0].Tensor.Equal(want[2].Values[0].Tensor) {
				t.Error("equal rows of two batches have the same answer: the model keeps no state")
			}
		}
		for k, r := range got {
			if w := want[o.From+int64(k)]; r.Row != w.Row || !r.Values[0].Tensor.Equal(w.Values[0].Tensor) {
				t.Errorf("%+v: row %d: %v, want row %d: %v", o, r.Row, r.Values[0].Tensor, w.Row, w.Values[0].Tensor)
			}
		}
	}
}

// The probe is no part of the run: neither a resumed run nor a shard leaves out its rows.
func TestProbeOfResumedRunAndShard(t *testing.T) {
	s := load(t, "k3_masked/model")
	for _, o := range []PredictOptions{{Batching: Auto, From: 2}, {Batching: Auto, Shard: 1, Shards: 2}} {
		results, _ := predict(t, s, o, "[1,2,3]\n[4]\n[5,6]\n[7,8,9,1]\n")
		if len(results) != 2 {
			t.Errorf("%+v: %d results, want 2", o, len(results))
		}
	}
}
