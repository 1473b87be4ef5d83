//go:build cgo && !notf && !linux

package tf

// setHiddenLevel does nothing on systems where no such variable is known.
func setHiddenLevel(string, int) {}
