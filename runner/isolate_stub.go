//go:build !cgo || notf

package runner

// quietDeath does nothing where there is no TensorFlow to die of.
func quietDeath() {}
