//go:build cgo && !notf

package tf

// #include <stdlib.h>
//
// #include "tensorflow/c/c_api.h"
import "C"

import (
	"os"
	"path/filepath"
	"unsafe"

	opdefpb "github.com/galeone/tensorflow/tensorflow/go/core/framework/op_def_go_proto"
	"google.golang.org/protobuf/proto"
)

// LoadOpLibrary loads a library of custom operations into TensorFlow, until the process ends, and
// returns the names of its operations. Loading the same file again returns the same names. The
// library's code runs when it is loaded, with all rights of the process. An error is an
// *[OpLibraryError].
func LoadOpLibrary(path string) ([]string, error) {
	full, err := filepath.Abs(path) // a bare name would be looked for among the system's libraries
	if err == nil {
		_, err = os.Stat(full)
	}
	if err != nil {
		return nil, &OpLibraryError{Path: path, Reason: "no such file"}
	}
	cPath := C.CString(full)
	defer C.free(unsafe.Pointer(cPath))
	status := C.TF_NewStatus()
	defer C.TF_DeleteStatus(status)
	library := C.TF_LoadLibrary(cPath, status)
	if C.TF_GetCode(status) != C.TF_OK {
		return nil, &OpLibraryError{Path: path, Reason: opLibraryReason(full, C.GoString(C.TF_Message(status)))}
	}
	defer C.TF_DeleteLibraryHandle(library) // frees the handle; the library stays loaded
	list := C.TF_GetOpList(library)
	names, err := opNames(list.data, list.length)
	if err == nil && len(names) == 0 {
		return nil, &OpLibraryError{Path: path, Reason: "registers no operation"}
	}
	return names, err
}

// Operations lists all operations of the open library, those of custom libraries included.
func Operations() ([]string, error) {
	list := C.TF_GetAllOpList()
	defer C.TF_DeleteBuffer(list)
	return opNames(list.data, list.length)
}

// opNames returns the names in a serialized OpList.
func opNames(data unsafe.Pointer, size C.size_t) ([]string, error) {
	list := &opdefpb.OpList{}
	if err := proto.Unmarshal(unsafe.Slice((*byte)(data), int(size)), list); err != nil {
		return nil, err
	}
	var names []string
	for _, op := range list.GetOp() {
		names = append(names, op.GetName())
	}
	return names, nil
}
