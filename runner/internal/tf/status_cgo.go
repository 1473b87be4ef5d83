//go:build cgo && !notf

package tf

// #include "tensorflow/c/c_api.h"
import "C"

import (
	"reflect"
	"runtime"
)

// statusCode returns the TF_Code of an error of the binding, or 0. The binding's errors hold a
// TF_Status without showing it: *tensorflow.statusError in its status.go is a struct with one
// pointer.
func statusCode(err error) Code {
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().String() != "*tensorflow.statusError" {
		return 0
	}
	if v = v.Elem(); v.Kind() != reflect.Struct || v.NumField() != 1 || v.Field(0).Kind() != reflect.Pointer {
		return 0
	}
	code := Code(C.TF_GetCode((*C.TF_Status)(v.Field(0).UnsafePointer())))
	runtime.KeepAlive(err) // its finalizer frees the status
	return code
}
