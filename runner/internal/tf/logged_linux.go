//go:build cgo && !notf && linux

package tf

// #include <stddef.h>
// int tfrun_log_mode(int mode);
import "C"

import (
	"log/slog"
	"os"
	"sync"
	"unsafe"

	"github.com/tfrun/tfrun/internal/lastwords"
)

// What becomes of what C code, TensorFlow's above all, writes to C's stream stderr: it goes on to
// file descriptor 2, nowhere, or to Go, which tells the log from the rest.
const (
	logPass = iota
	logDrop
	logTell
)

// logged is where the log goes to; log is nil until there is a logger.
var logged struct {
	sync.Mutex
	log  *lastwords.Log
	mode int
}

// LogTo has TensorFlow's log go to a logger, from here on and for the whole process, as TensorFlow
// has one log; nil changes nothing. What else C code prints to standard error goes there as before.
//
// TensorFlow writes to C's stream stderr, and it is that stream alone that is replaced: file
// descriptor 2, which Go and everybody else writes to, stays what it is.
func LogTo(l *slog.Logger) {
	if l == nil {
		return
	}
	logged.Lock()
	defer logged.Unlock()
	if logged.log == nil {
		logged.log = &lastwords.Log{To: l, Rest: os.Stderr}
	} else {
		logged.log.SetLogger(l)
	}
	logged.mode = logTell
	C.tfrun_log_mode(logTell)
}

// quietLog has what C code prints go nowhere until restore is called; not where a logger gets it.
func quietLog() (restore func()) {
	logged.Lock()
	defer logged.Unlock()
	if logged.mode == logTell || C.tfrun_log_mode(logDrop) == 0 {
		return func() {}
	}
	return func() {
		logged.Lock()
		defer logged.Unlock()
		C.tfrun_log_mode(C.int(logged.mode))
	}
}

// tfrunLogged gets what C code prints, in the thread that prints it.
//
//export tfrunLogged
func tfrunLogged(text *C.char, size C.size_t) {
	_, _ = logged.log.Write(unsafe.Slice((*byte)(unsafe.Pointer(text)), size)) // it never fails
}
