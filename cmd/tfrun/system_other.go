//go:build !unix

package main

import "os"

// umask returns the bits that new files are created without: none where there is no such thing.
func umask() os.FileMode { return 0 }

// ownStderr returns stderr.
func ownStderr() *os.File { return os.Stderr }
