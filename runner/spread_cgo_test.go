//go:build cgo && !notf

package runner

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/runner/internal/tf"
)

// TestSpreadOverCPUs loads models for two devices, which TensorFlow makes of one processor, and
// compares with one.
func TestSpreadOverCPUs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model string
		o     PredictOptions
		rows  []string
	}{
		{"full_seed/k3/model", PredictOptions{BatchSize: 2}, []string{"[1,2,3]", "[4]", "[5,6]"}},
		{"full_seed/k2/model", PredictOptions{BatchSize: 2, Heads: []Head{{Activation: "sigmoid"}}}, []string{"[1,2,3]", "[4]", "[5,6]"}},
	} {
		t.Run(tt.model, func(t *testing.T) {
			t.Parallel()
			var want []string
			for _, cpus := range []int32{0, 2} {
				s, err := Load(t.Context(), filepath.Join("../testdata/models", tt.model), Options{cpus: cpus})
				if err != nil {
					t.Fatal(err)
				}
				if devices, err := s.Devices(); err != nil || len(devices) != max(int(cpus), 1) {
					t.Fatalf("devices %v, %v, want %d", devices, err, cpus)
				}
				all, names := predict(t, s, tt.o, strings.Repeat(strings.Join(tt.rows, "\n")+"\n", 8))
				for i, r := range all {
					line, err := AppendRow(nil, names, r)
					switch {
					case err != nil:
						t.Fatal(err)
					case cpus == 0:
						want = append(want, string(line))
					case string(line) != want[i]:
						t.Errorf("row %d on two devices: %s, want %s", i, line, want[i])
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestStatefulIsNotSpread: each device would have variables of its own.
func TestStatefulIsNotSpread(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model      string
		signatures []string
		run        string
		want       int
	}{
		{"mod_counter/model", nil, "", 1},
		{"mod_counter/model", []string{"serving_default"}, "serving_default", 1},
		{"mod_counter/model", []string{"peek"}, "peek", 2},
		{"mod_lookup_table/model", nil, "", 2},
	} {
		s, err := Load(t.Context(), filepath.Join("../testdata/models", tt.model), Options{cpus: 2, Signatures: tt.signatures})
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Function(tt.run)
		if err != nil {
			t.Fatal(err)
		}
		got := tf.Width(f.program)
		if got != tt.want {
			t.Errorf("%s %q is on %d devices, want %d", tt.model, tt.signatures, got, tt.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMemoryOfTheDevice runs a model that asks for more memory than there is; TensorFlow says so of
// a processor as it does of a GPU. It waits ten seconds for memory first, and lets nobody else have
// any meanwhile: this test has no others beside it.
func TestMemoryOfTheDevice(t *testing.T) {
	if underRace || testing.Short() {
		t.Skip("takes ten seconds")
	}
	s, err := Load(t.Context(), "testdata/hungry", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	var rows, want, got strings.Builder
	for i := range 40 {
		fmt.Fprintf(&rows, "[%d]\n", i)
		fmt.Fprintf(&want, "{\"y\":[%d]}\n", 2*i)
	}
	var told []int64
	o := PredictOptions{BatchSize: 16, Halved: func(n int64, err error) {
		told = append(told, n)
		if text := err.Error(); !exhausted(err) || strings.Contains(text, "Hint") || strings.ContainsAny(text, "{\n") {
			t.Errorf("Halved: %v", err)
		}
	}}
	all, names := predict(t, s, o, rows.String())
	for _, r := range all {
		line, err := AppendRow(nil, names, r)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(line, '\n'))
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !slices.Equal(told, []int64{16}) {
		t.Errorf("told of %v, want 16 once", told)
	}
}
