//go:build cgo && !notf

package tf

// #include <dlfcn.h>
// #include <stdlib.h>
// #include <string.h>
//
// #include "tensorflow/c/c_api.h"
//
// // Of tensorflow/c/kernels.h, which includes what no distribution of the C API has.
// TF_Buffer *TF_GetRegisteredKernelsForOp(const char *name, TF_Status *status);
//
// // Opened libraries stay open: CUDA's do not take being closed.
// static const char *open_library(const char *name) {
//   return dlopen(name, RTLD_LAZY | RTLD_LOCAL) != NULL ? NULL : dlerror();
// }
//
// static void *symbol(const char *library, const char *name) {
//   void *l = dlopen(library, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
//   return l == NULL ? NULL : dlsym(l, name);
// }
//
// // cuda.h: CUresult cuInit(unsigned), CUresult cuGetErrorString(CUresult, const char **).
// static int cuda_init(const char **reason) {
//   int (*init)(unsigned) = (int (*)(unsigned))symbol("libcuda.so.1", "cuInit");
//   int (*text)(int, const char **) =
//     (int (*)(int, const char **))symbol("libcuda.so.1", "cuGetErrorString");
//   if (init == NULL) return -1;
//   int code = init(0);
//   if (code != 0 && (text == NULL || text(code, reason) != 0)) *reason = "unknown error";
//   return code;
// }
//
// // nvml.h: nvmlReturn_t is 0 for success, nvmlDevice_t a pointer.
// typedef struct { unsigned long long total, free, used; } nvml_memory;
//
// static int nvml_init(void) {
//   int (*f)(void) = (int (*)(void))symbol("libnvidia-ml.so.1", "nvmlInit_v2");
//   return f != NULL && f() == 0;
// }
//
// static void nvml_shutdown(void) {
//   int (*f)(void) = (int (*)(void))symbol("libnvidia-ml.so.1", "nvmlShutdown");
//   if (f != NULL) f();
// }
//
// static int nvml_driver(char *version, unsigned size, int *cuda) {
//   int (*driver)(char *, unsigned) =
//     (int (*)(char *, unsigned))symbol("libnvidia-ml.so.1", "nvmlSystemGetDriverVersion");
//   int (*newest)(int *) =
//     (int (*)(int *))symbol("libnvidia-ml.so.1", "nvmlSystemGetCudaDriverVersion");
//   if (newest == NULL || newest(cuda) != 0) *cuda = 0;
//   return driver != NULL && driver(version, size) == 0;
// }
//
// static unsigned nvml_count(void) {
//   int (*f)(unsigned *) =
//     (int (*)(unsigned *))symbol("libnvidia-ml.so.1", "nvmlDeviceGetCount_v2");
//   unsigned n = 0;
//   return f != NULL && f(&n) == 0 ? n : 0;
// }
//
// static int nvml_device(unsigned i, char *name, unsigned size, int *major, int *minor,
//                        nvml_memory *memory) {
//   int (*handle)(unsigned, void **) =
//     (int (*)(unsigned, void **))symbol("libnvidia-ml.so.1", "nvmlDeviceGetHandleByIndex_v2");
//   int (*get_name)(void *, char *, unsigned) =
//     (int (*)(void *, char *, unsigned))symbol("libnvidia-ml.so.1", "nvmlDeviceGetName");
//   int (*get_capability)(void *, int *, int *) =
//     (int (*)(void *, int *, int *))symbol("libnvidia-ml.so.1",
//                                            "nvmlDeviceGetCudaComputeCapability");
//   int (*get_memory)(void *, nvml_memory *) =
//     (int (*)(void *, nvml_memory *))symbol("libnvidia-ml.so.1", "nvmlDeviceGetMemoryInfo");
//   void *device = NULL;
//   if (handle == NULL || handle(i, &device) != 0) return 0;
//   if (get_name == NULL || get_name(device, name, size) != 0) name[0] = 0;
//   if (get_capability == NULL || get_capability(device, major, minor) != 0) *major = 0;
//   if (get_memory == NULL || get_memory(device, memory) != 0) memset(memory, 0, sizeof *memory);
//   return 1;
// }
import "C"

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	kernels "github.com/galeone/tensorflow/tensorflow/go/core/framework/kernel_def_go_proto"
	"google.golang.org/protobuf/proto"
)

// ExamineGPU looks for everything that TensorFlow needs for a GPU, in the way in which TensorFlow
// does, and says what is missing. It opens the driver's and CUDA's libraries, and puts nothing on a
// device.
func ExamineGPU(named string) (GPUReport, error) {
	lib, err := OpenLibrary(named)
	if err != nil {
		return GPUReport{}, err
	}
	f := gpuFacts{library: lib, initCode: -1, getenv: os.LookupEnv}
	f.report.Build = hasGPUKernels()
	f.report.Driver, f.hasDriver = kernelDriver()
	for _, name := range append([]string{driverLibrary, monitorLibrary}, cudaLibraries(lib.Version)...) {
		f.report.Libraries = append(f.report.Libraries, openGPULibrary(lib, name))
	}
	var reason *C.char
	f.initCode = int(C.cuda_init(&reason))
	if reason != nil {
		f.initReason = C.GoString(reason)
	}
	f.report.askDriver()
	f.report.Problems = f.problems()
	return f.report, nil
}

// hasGPUKernels reports whether libtensorflow can multiply matrices on a GPU.
func hasGPUKernels() bool {
	op := C.CString("MatMul")
	defer C.free(unsafe.Pointer(op))
	status := C.TF_NewStatus()
	defer C.TF_DeleteStatus(status)
	buf := C.TF_GetRegisteredKernelsForOp(op, status)
	if buf == nil {
		return false
	}
	defer C.TF_DeleteBuffer(buf)
	var list kernels.KernelList
	if proto.Unmarshal(C.GoBytes(buf.data, C.int(buf.length)), &list) != nil {
		return false
	}
	for _, k := range list.GetKernel() {
		if k.GetDeviceType() == "GPU" {
			return true
		}
	}
	return false
}

// openGPULibrary opens a library where the dynamic linker, or libtensorflow's own search path,
// finds it.
func openGPULibrary(lib Library, name string) GPULibrary {
	result := GPULibrary{Name: name}
	for _, path := range append([]string{name}, besideLibrary(lib.Path, name)...) {
		cPath := C.CString(path)
		reason := C.open_library(cPath)
		C.free(unsafe.Pointer(cPath))
		if reason == nil {
			return GPULibrary{Name: name}
		}
		result.Reason = strings.TrimPrefix(C.GoString(reason), path+": ")
	}
	return result
}

// askDriver fills in what NVIDIA's management library knows.
func (r *GPUReport) askDriver() {
	if C.nvml_init() == 0 {
		return
	}
	defer C.nvml_shutdown()
	var (
		text   [96]C.char // NVML_DEVICE_NAME_V2_BUFFER_SIZE; versions need less
		cuda   C.int
		memory C.nvml_memory
	)
	if C.nvml_driver(&text[0], C.uint(len(text)), &cuda) != 0 {
		r.Driver = C.GoString(&text[0])
	}
	if cuda > 0 {
		r.CUDA = fmt.Sprintf("%d.%d", cuda/1000, cuda%1000/10)
	}
	for i := range C.nvml_count() {
		var major, minor C.int
		if C.nvml_device(i, &text[0], C.uint(len(text)), &major, &minor, &memory) == 0 {
			continue
		}
		gpu := GPU{Name: C.GoString(&text[0]), TotalBytes: int64(memory.total), FreeBytes: int64(memory.free)}
		if major > 0 {
			gpu.Capability = fmt.Sprintf("%d.%d", major, minor)
		}
		r.GPUs = append(r.GPUs, gpu)
	}
}

// findGPUs lists the GPUs that TensorFlow sees, before a model is loaded. If a GPU is asked for and
// there is none, it returns a *[GPUError]; TensorFlow itself would silently use the CPU.
func findGPUs(c Config) ([]Device, error) {
	if _, err := OpenLibrary(c.Library); err != nil {
		return nil, err
	}
	devices, err := allDevices(c)
	if err != nil {
		return nil, err
	}
	devices = slices.DeleteFunc(devices, func(d Device) bool { return d.Type != "GPU" })
	if len(devices) > 0 {
		return devices, nil
	}
	report, err := ExamineGPU(c.Library)
	if err != nil {
		return nil, err
	}
	return nil, &GPUError{Report: report}
}
