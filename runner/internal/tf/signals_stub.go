//go:build !cgo || notf

package tf

// DefaultSignals does nothing where there is no TensorFlow to die of.
func DefaultSignals() {}
