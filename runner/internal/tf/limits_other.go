//go:build cgo && !notf && !linux

package tf

func checkLimits() error { return nil }
