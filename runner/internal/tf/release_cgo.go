//go:build cgo && !notf

package tf

// #include "tensorflow/c/c_api.h"
//
// // drop_values swaps t's buffer for a shared empty one, so that its memory is freed now and not
// // by the garbage collector: the binding has no TF_DeleteTensor. A buffer that TensorFlow still
// // uses stays.
// static int drop_values(TF_Tensor *t) {
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

// handle is the index of the field of tf.Tensor with its TF_Tensor, the pointer "c"; -1 if this
// version of the binding has no such field.
var handle = func() int {
	field, ok := reflect.TypeFor[tf.Tensor]().FieldByName("c")
	if !ok || field.Type.Kind() != reflect.Pointer || len(field.Index) != 1 {
		return -1
	}
	return field.Index[0]
}()

// release frees the tensor's memory, and takes it out of the memory count. c must not be used
// afterwards.
func (c *cTensor) release() {
	if c.held.Load() != 0 && free(c.t) {
		cAllocated.Add(-c.held.giveBack())
		c.memory = nil
	}
}

// free frees a tensor's memory now instead of in a later garbage collection, and reports whether it
// could. The binding cannot do that, but TF_TensorBitcastFrom makes its target give up its memory.
// TensorFlow counts references, so memory that it still uses stays. t must not be used afterwards.
func free(t *tf.Tensor) bool {
	if handle < 0 {
		return false
	}
	defer runtime.KeepAlive(t)
	return C.drop_values((*C.TF_Tensor)(reflect.ValueOf(t).Elem().Field(handle).UnsafePointer())) != 0
}
