package tf

import (
	"context"
	"runtime"
	"time"
)

// copyChunk is how many bytes are copied between two looks at the context: some 0.1 ms, where
// 100 MB take 30 ms and on a busy machine ten times that. Go cannot stop a goroutine within one
// copy either, so that all others would have to wait, for a collection of garbage too.
const copyChunk = 1 << 20

// copyWithin copies src to dst, of the same size, until the context is done. It returns how many
// bytes it has copied, and the context's error.
func copyWithin(ctx context.Context, dst, src []byte) (n int, err error) {
	for n < len(src) {
		if err := over(ctx); err != nil {
			return n, err
		}
		n += copy(dst[n:], src[n:min(n+copyChunk, len(src))])
		if n < len(src) {
			runtime.Gosched() // others look at their contexts
		}
	}
	return n, nil
}

// over returns the context's error, nil while the context is not done. It looks at the clock, too:
// where all processors are busy, the context's timer may be late.
func over(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && ctx.Done() != nil && !time.Now().Before(deadline) {
		<-ctx.Done()
	}
	return ctx.Err()
}

// Within returns the feed of a call with a context. Its Fill leaves the rest of a large tensor out
// once the context is done, and cut is told of the context's error: the call must not run then. Of
// other feeds than those of [FeedTensor] nothing is known, and they stay as they are.
func (f Feed) Within(ctx context.Context, cut func(error)) Feed {
	if len(f.values) <= copyChunk || ctx.Done() == nil {
		return f
	}
	values := f.values
	f.Fill = func(dst []byte) error {
		// An error of Fill would leave the tensor's memory to a garbage collection to come.
		if _, err := copyWithin(ctx, dst, values); err != nil {
			cut(err)
		}
		return nil
	}
	return f
}
