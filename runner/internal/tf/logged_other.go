//go:build !linux || !cgo || notf

package tf

import "log/slog"

// LogTo does nothing where TensorFlow's log is not known to be writing to a stream that can be
// replaced, or where there is no TensorFlow.
func LogTo(*slog.Logger) {}
