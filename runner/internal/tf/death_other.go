//go:build !cgo || notf || !linux || !(amd64 || arm64)

package tf

// CatchDeath does nothing here.
func CatchDeath(func(signal string)) error { return nil }
