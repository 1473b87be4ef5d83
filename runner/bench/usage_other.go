//go:build !unix

package bench

import (
	"os"
	"time"
)

// processTime is not known here.
func processTime() time.Duration { return 0 }

// peakOf is not known here.
func peakOf(*os.ProcessState) int64 { return 0 }
