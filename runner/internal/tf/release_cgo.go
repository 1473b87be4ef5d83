//go:build cgo && !notf

package tf

// #include "tensorflow/c/c_api.h"
//
// // forget makes t another reference to the values of nothing. What it held is freed, unless
// // TensorFlow holds on to it.
// static int forget(TF_Tensor *t) {
//   static TF_Tensor *nothing;
//   static const int64_t dims[] = {0};
//   TF_Tensor *empty = __atomic_load_n(&nothing, __ATOMIC_ACQUIRE);
//   if (empty == NULL) {
//     TF_Tensor *made = TF_AllocateTensor(TF_UINT8, dims, 1, 0);
//     if (__atomic_compare_exchange_n(&nothing, &empty, made, 0, __ATOMIC_ACQ_REL,
//                                     __ATOMIC_ACQUIRE)) {
//       empty = made;
//     } else {
//       TF_DeleteTensor(made);
//     }
//   }
//   TF_Status *status = TF_NewStatus();
//   TF_TensorBitcastFrom(empty, TF_UINT8, t, dims, 1, status);
//   int ok = TF_GetCode(status) == TF_OK;
//   TF_DeleteStatus(status);
//   return ok;
// }
import "C"

import (
	"reflect"
	"runtime"

	tf "github.com/galeone/tensorflow/tensorflow/go"
)

// handle is where a tf.Tensor has its TF_Tensor: the field "c", a pointer. -1 if there is none in
// this version of the binding.
var handle = func() int {
	field, ok := reflect.TypeFor[tf.Tensor]().FieldByName("c")
	if !ok || field.Type.Kind() != reflect.Pointer || len(field.Index) != 1 {
		return -1
	}
	return field.Index[0]
}()

// release frees the tensor's memory, and takes it out of the memory count. c is not to be used
// afterwards.
func (c *cTensor) release() {
	if c.held.Load() != 0 && free(c.t) {
		cAllocated.Add(-c.held.giveBack())
		c.memory = nil
	}
}

// free frees a tensor's memory now, and not in some garbage collection to come: the binding has no
// way to, but TF_TensorBitcastFrom gives up what its target held. TensorFlow counts references, so
// what it still uses itself stays. t is not to be used afterwards. free reports whether it could.
func free(t *tf.Tensor) bool {
	if handle < 0 {
		return false
	}
	defer runtime.KeepAlive(t)
	return C.forget((*C.TF_Tensor)(reflect.ValueOf(t).Elem().Field(handle).UnsafePointer())) != 0
}
