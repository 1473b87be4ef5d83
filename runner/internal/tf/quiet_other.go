//go:build cgo && !notf && !linux

package tf

// quietLog does nothing on systems where the stream of TensorFlow's log cannot be replaced.
func quietLog() (restore func()) { return func() {} }
