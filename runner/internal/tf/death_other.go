//go:build !cgo || notf || !linux || !(amd64 || arm64)

package tf

// CatchDeath does nothing on this system.
func CatchDeath(func(cause string)) error { return nil }
