//go:build !unix

package main

import "os"

// ownStderr returns stderr.
func ownStderr() *os.File { return os.Stderr }
