package savedmodel

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tfrun/tfrun/tensor"
)

// checkpointFacts is what TensorFlow reads of a checkpoint's entry (testdata/make_checkpoints.py).
type checkpointFacts struct {
	DType   string       `json:"dtype"`
	Shape   tensor.Shape `json:"shape"`
	Zeros   int64        `json:"zeros"`
	NaNs    int64        `json:"nans"`
	Infs    int64        `json:"infs"`
	Min     string       `json:"min"`
	Max     string       `json:"max"`
	Mean    string       `json:"mean"`
	Lengths []int        `json:"lengths"`
}

// openCheckpoint opens the checkpoint in a directory that need not be a model's.
func openCheckpoint(t *testing.T, dir string) *Checkpoint {
	t.Helper()
	c, err := (&Model{Dir: dir}).Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckShards(); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestInflateIsBounded refuses a block that claims to unfold to more than Snappy can make of it.
func TestInflateIsBounded(t *testing.T) {
	t.Parallel()
	block := binary.AppendUvarint(nil, 1<<30)
	if _, err := inflate(append(block, 0, 'a'), 7); err == nil || !strings.Contains(err.Error(), "cannot unfold") {
		t.Errorf("inflate = %v, want an error", err)
	}
}

func TestCheckpointsAgainstTensorFlow(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "checkpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string]checkpointFacts
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for dir, entries := range want {
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			c := openCheckpoint(t, filepath.Join("testdata", dir))
			if len(c.Tensors) != len(entries) {
				t.Errorf("%d entries, want %d", len(c.Tensors), len(entries))
			}
			for key, w := range entries {
				compareEntry(t, c, key, w)
			}
		})
	}
}

func compareEntry(t *testing.T, c *Checkpoint, key string, w checkpointFacts) {
	t.Helper()
	e := c.Tensor(key)
	if e == nil {
		t.Errorf("no entry %q", key)
		return
	}
	if e.DType.String() != w.DType || !e.Shape.Equal(w.Shape) {
		t.Errorf("%s: %v %v, want %s %v", key, e.DType, e.Shape, w.DType, w.Shape)
	}
	v, err := c.Read(e)
	if err != nil {
		t.Errorf("Read(%s) = %v", key, err)
		return
	}
	if e.DType == tensor.String {
		var lengths []int
		for _, s := range v.Strings() {
			lengths = append(lengths, len(s))
		}
		if diff := cmp.Diff(w.Lengths, lengths); diff != "" {
			t.Errorf("%s: lengths of strings (-want +got):\n%s", key, diff)
		}
		return
	}
	s, err := c.Stats(context.Background(), e)
	if err != nil {
		t.Errorf("Stats(%s) = %v", key, err)
		return
	}
	if s.Zeros != w.Zeros || s.NaNs != w.NaNs || s.Infs != w.Infs {
		t.Errorf("%s: %d zeros, %d NaNs, %d infinities, want %d, %d, %d", key, s.Zeros, s.NaNs, s.Infs, w.Zeros, w.NaNs, w.Infs)
	}
	for name, pair := range map[string]struct {
		got  float64
		want string
	}{"min": {s.Min, w.Min}, "max": {s.Max, w.Max}, "mean": {s.Mean, w.Mean}} {
		if !closeTo(pair.got, pair.want) {
			t.Errorf("%s: %s %v, want %v", key, name, pair.got, pair.want)
		}
	}
}

// closeTo compares with a number as Python writes it; "" stands for none.
func closeTo(got float64, want string) bool {
	if want == "" {
		return math.IsNaN(got)
	}
	w, err := strconv.ParseFloat(strings.Replace(want, "inf", "Inf", 1), 64)
	return err == nil && (got == w || math.Abs(got-w) <= 1e-9*math.Max(1, math.Abs(w)) || math.IsNaN(got) && math.IsNaN(w))
}

func TestPartitionedVariableIsPutTogether(t *testing.T) {
	t.Parallel()
	c := openCheckpoint(t, filepath.Join("testdata", "partitioned"))
	for key, parts := range map[string]int{"rows": 3, "cols": 2, "whole": 0} {
		e := c.Tensor(key)
		if e == nil || len(e.Slices) != parts {
			t.Fatalf("%s: %+v, want %d slices", key, e, parts)
		}
		whole, err := c.Read(e)
		if err != nil {
			t.Fatal(err)
		}
		values, ok := tensor.Values[float32](whole)
		if !ok || len(values) == 0 {
			t.Fatalf("%s: no values", key)
		}
		for _, v := range values {
			if v == 0 {
				t.Errorf("%s: a value was not filled in", key)
			}
		}
	}
}

func TestVariablesHaveTheirNames(t *testing.T) {
	t.Parallel()
	m, err := Open(filepath.Join("..", "testdata", "models", "k2_seed", "model"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range c.Tensors {
		names[e.Name] = true
	}
	for _, want := range []string{"embedding/embeddings", "bidirectional/forward_lstm/lstm_cell/kernel", "dense_1/bias"} {
		if !names[want] {
			t.Errorf("no variable %q among %v", want, names)
		}
	}
}

func TestDamagedValuesAreFound(t *testing.T) {
	t.Parallel()
	m, err := Open(filepath.Join("..", "testdata", "models", "bad_data_flipped", "model"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, e := range c.Tensors {
		_, err := c.Read(e)
		var fe *FormatError
		if errors.As(err, &fe) {
			damaged++
		} else if err != nil {
			t.Errorf("Read(%s) = %v, want a *FormatError or nil", e.Key, err)
		}
	}
	if damaged == 0 {
		t.Error("no damage found in the values of bad_data_flipped")
	}
}

func TestEveryByteOfAnIndexMatters(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "testdata", "models", "k2_fixed_batch", "model", "variables", "variables.index")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseCheckpoint("x", data); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for i := range data {
		bad := append([]byte{}, data...)
		bad[i] ^= 0x41
		if _, err := parseCheckpoint("x", bad); err == nil {
			accepted++
		}
	}
	// The footer's padding and the unused metaindex block are covered by nothing.
	if accepted > 48+tableTrailerSize+8 {
		t.Errorf("%d of %d damaged indexes were accepted", accepted, len(data))
	}
	for n := range data {
		if _, err := parseCheckpoint("x", data[:n]); err == nil {
			t.Errorf("an index cut to %d bytes was accepted", n)
		}
	}
}

func TestNoCheckpoint(t *testing.T) {
	t.Parallel()
	m, err := Open(filepath.Join("..", "testdata", "models", "tf1_no_variables", "model"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Checkpoint(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Checkpoint() = %v, want one that wraps fs.ErrNotExist", err)
	}
	if err := m.MetaGraphs[0].Verify(); err != nil {
		t.Errorf("Verify() = %v, want nil: there is no variable to restore", err)
	}
}
