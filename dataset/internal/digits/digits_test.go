package digits_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tfrun/tfrun/dataset/internal/digits"
)

func TestEight(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for n := range 9 {
		for range 2000 {
			text := []byte("xxxxxxxx")
			for i := range text {
				text[i] = byte(rng.IntN(256))
			}
			want := uint64(0)
			if n > 0 {
				digits := fmt.Sprintf("%0*d", n, rng.Int64N(int64(digits.Pow10[n])))
				copy(text, digits)
				want, _ = strconv.ParseUint(digits, 10, 64)
			}
			if n < 8 && text[n]-'0' <= 9 {
				text[n] = '.'
			}
			if got, k := digits.Eight(binary.LittleEndian.Uint64(text)); got != want || k != n {
				t.Fatalf("Eight(%q) = %d, %d, want %d, %d", text, got, k, want, n)
			}
		}
	}
}
