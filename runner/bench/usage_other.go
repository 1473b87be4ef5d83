//go:build !unix

package bench

import (
	"os"
	"time"
)

// processTime returns 0: it is not known on this system.
func processTime() time.Duration { return 0 }

// peakOf returns 0: it is not known on this system.
func peakOf(*os.ProcessState) int64 { return 0 }
