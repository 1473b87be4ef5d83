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

// What happens to what C code, above all TensorFlow's, writes to C's stream stderr: it is passed to
// file descriptor 2, dropped, or passed to Go, which sorts the log from the rest.
const (
	logPass = iota
	logDrop
	logTell
)

// logged is the logger of TensorFlow's log; log is nil until there is one.
var logged struct {
	sync.Mutex
	log  *lastwords.Log
	mode int
}

// LogTo sends TensorFlow's log to a logger, from now on and for the whole process, as TensorFlow
// has one log. nil changes nothing. Other output of C code to standard error goes there as before.
//
// TensorFlow writes to C's stream stderr, and only that stream is replaced. File descriptor 2,
// which Go and everything else writes to, is not changed.
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

// quietLog drops what C code prints until restore is called, unless a logger gets it.
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
