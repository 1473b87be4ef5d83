//go:build !linux

package tf

// BoundMemory does nothing on this system.
func BoundMemory(string, bool) (stop func()) { return func() {} }

// Bounded reports that nothing is bounded.
func Bounded() bool { return false }
