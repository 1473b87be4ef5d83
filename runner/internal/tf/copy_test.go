package tf

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tfrun/tfrun/tensor"
)

// lookedAt is a context that is done once it was looked at so many times.
type lookedAt struct {
	context.Context
	looks  int
	cancel context.CancelFunc
}

func doneAfter(t *testing.T, looks int) *lookedAt {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return &lookedAt{ctx, looks, cancel}
}

func (c *lookedAt) Err() error {
	if c.looks--; c.looks < 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// A copy ends with the chunk in which the context ends, however large it is, and what is copied is
// the beginning.
func TestCopyWithin(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, copyChunk - 1, copyChunk, copyChunk + 1, 5*copyChunk + 7} {
		src := bytes.Repeat([]byte("tensor!"), size/7+1)[:size]
		for looks := range 8 {
			dst := make([]byte, size)
			n, err := copyWithin(doneAfter(t, looks), dst, src)
			want := min(looks*copyChunk, size)
			if n != want || !bytes.Equal(dst[:n], src[:n]) || bytes.ContainsAny(dst[n:], "tensor!") || (err != nil) != (n < size) || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%d bytes, done after %d looks: %d bytes copied, %v; want %d", size, looks, n, err, want)
			}
		}
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-1))
	defer cancel()
	if n, err := copyWithin(ctx, make([]byte, 9), make([]byte, 9)); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %d bytes, %v", n, err)
	}
}

// A feed that is cut says so, and is filled else, whether the context can be done or not.
func TestWithin(t *testing.T) {
	t.Parallel()
	x := tensor.Vector(bytes.Repeat([]byte("value"), copyChunk)...)
	for looks, whole := range map[int]bool{0: false, 3: false, 9: true} {
		var cut error
		f := FeedTensor(x).Within(doneAfter(t, looks), func(err error) { cut = err })
		dst := make([]byte, x.Len())
		if err := f.Fill(dst); err != nil || bytes.Equal(dst, x.Bytes()) != whole || (cut == nil) != whole {
			t.Errorf("done after %d looks: %v, cut %v", looks, err, cut)
		}
	}
	for _, f := range []Feed{FeedTensor(x).Within(context.Background(), nil), FeedTensor(tensor.Scalar(int32(1))).Within(doneAfter(t, 0), nil)} {
		if err := f.Fill(make([]byte, x.Len())); err != nil {
			t.Error(err)
		}
	}
}
