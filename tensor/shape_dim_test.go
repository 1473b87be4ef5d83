package tensor

import "testing"

func TestDim(t *testing.T) {
	s := MakeShape(3, Unknown, 5)
	for i, want := range map[int]int64{0: 3, 1: Unknown, 2: 5, 3: Unknown, -1: 5, -3: 3, -4: Unknown} {
		if got := s.Dim(i); got != want {
			t.Errorf("%v.Dim(%d) = %d, want %d", s, i, got, want)
		}
	}
	if got := UnknownShape().Dim(0); got != Unknown {
		t.Errorf("of an unknown rank: %d", got)
	}
}
