//go:build cgo && !notf

package tf

import "C"

// tfrun_open_library opens libtensorflow for a call of the binding, or of tfgo, that comes before
// [OpenLibrary]: the stand-in of internal/cgoenv calls it. It returns NULL, or the reason why
// there is no library, which the caller frees.
//
//export tfrun_open_library
func tfrun_open_library() *C.char { //nolint:revive // the name is the stand-in's
	if _, err := OpenLibrary(""); err != nil {
		return C.CString(err.Error())
	}
	return nil
}
