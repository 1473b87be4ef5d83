//go:build !linux || !cgo || notf

package tf

import "log/slog"

// LogTo does nothing on systems where the stream of TensorFlow's log cannot be replaced, and
// without TensorFlow.
func LogTo(*slog.Logger) {}
