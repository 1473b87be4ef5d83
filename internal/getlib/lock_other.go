//go:build !unix

package getlib

import "context"

// lock does nothing: there are no wheels for the system.
func lock(context.Context, string, func()) (unlock func(), err error) { return func() {}, nil }

// free reports that the free space is not known.
func free(string) (bytes int64, known bool) { return 0, false }
