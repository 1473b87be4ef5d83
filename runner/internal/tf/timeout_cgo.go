//go:build cgo && !notf

package tf

// #include <stdint.h>
//
// // In shim/shim.c. Missing, and so NULL, where the program is linked with libtensorflow itself.
// __attribute__((weak)) void tfrun_shim_timeout(uint64_t ms);
//
// static void set_timeout(uint64_t ms) {
//   if (tfrun_shim_timeout != NULL) tfrun_shim_timeout(ms);
// }
import "C"

import (
	"context"
	"runtime"
	"time"
)

// within calls run, which runs the session once. TensorFlow cancels that run after the timeout (0:
// none) or at the context's deadline, whichever comes first: between two operations, and inside
// operations that check for it, such as loops.
func within(ctx context.Context, timeout time.Duration, run func() error) error {
	if deadline, ok := ctx.Deadline(); ok {
		if left := max(time.Until(deadline), 1); timeout == 0 || left < timeout {
			timeout = left
		}
	}
	if timeout == 0 {
		return run()
	}
	// The shim keeps the bound for the thread, as the binding has no argument for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	C.set_timeout(C.uint64_t((timeout + time.Millisecond - 1) / time.Millisecond))
	defer C.set_timeout(0)
	return run()
}
