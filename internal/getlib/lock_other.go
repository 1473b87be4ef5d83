//go:build !unix

package getlib

import "context"

// lock does nothing where there are no wheels for the system.
func lock(context.Context, string, func()) (unlock func(), err error) { return func() {}, nil }

// free knows nothing there.
func free(string) (bytes int64, known bool) { return 0, false }
