//go:build cgo && !notf && !race && linux

package main

// hostileFaults lists bad moments: what is pulled from under a run.
func hostileFaults() []hostileCase {
	return nil
}
