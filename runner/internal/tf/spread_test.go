package tf

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpreadTakesTheIdlest(t *testing.T) {
	t.Parallel()
	e := newSpread(make([]Engine, 3))
	var got []int
	// a run begins, or that of a device ends
	for _, step := range []int{'t', 't', 't', 't', 1, 't', 2, 't', 0, 0, 't', 't'} {
		if step == 't' {
			got = append(got, e.acquire())
		} else {
			e.release(step)
		}
	}
	// In turn; then the one that has ended; and of those that are as busy, the next in turn.
	if diff := cmp.Diff([]int{0, 1, 2, 0, 1, 2, 0, 1}, got); diff != "" {
		t.Errorf("devices: -want +got\n%s", diff)
	}
}

func TestParseDevice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in      string
		kind    string
		indices []string
	}{
		{"", "", nil},
		{"cpu", "cpu", nil},
		{"CPU:0", "cpu", nil},
		{"gpu", "gpu", nil},
		{"GPU:3", "gpu", []string{"3"}},
		{"gpu:2,0,11", "gpu", []string{"2", "0", "11"}},
	} {
		d, err := parseDevice(tt.in)
		if err != nil || d.kind != tt.kind || !slices.Equal(d.indices, tt.indices) {
			t.Errorf("parseDevice(%q) = %v, %v, want %s %v", tt.in, d, err, tt.kind, tt.indices)
		}
	}
	for _, bad := range []string{":0", "tpu", "cpu:1", "cpu:", "gpu:", "gpu:x", "gpu:0,", "gpu:-1", "gpu:0,0", "gpu:1,01", "gpu:0, 1", "gpu:99999"} {
		if _, err := parseDevice(bad); err == nil {
			t.Errorf("parseDevice(%q) is no error", bad)
		}
	}
}
