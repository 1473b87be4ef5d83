package main

import "testing"

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1": 1, "500000": 500000, "64MB": 64e6, "1.5GiB": 3 << 29, "2 kib": 2048, "7k": 7000, "3b": 3} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("Set(%q) = %d, %v, want %d", text, b, err, want)
		}
		var again byteSize
		if err := again.Set(b.String()); err != nil || again != b {
			t.Errorf("Set(%q) = %d, %v, want %d", b.String(), again, err, b)
		}
	}
	for _, text := range []string{"", "MB", "0", "-1", "1e30", "NaN", "inf", "1 parsec"} {
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("Set(%q) took it", text)
		}
	}
}
