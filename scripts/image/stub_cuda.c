// A stand-in for NVIDIA's libcuda.so.1 that shows one device to whoever asks and can do nothing with it. With it TensorFlow goes on to open the
// CUDA libraries, which it does only where the driver has a device; so a machine without a GPU can tell whether all of them are found.
#include <stdio.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, NOT_SUPPORTED = 801, NOT_FOUND = 500 };

static int said(const char *name, int code) {
  fprintf(stderr, "stub: %s\n", name);
  return code;
}

int cuInit(unsigned flags) { return SUCCESS; }
int cuDriverGetVersion(int *version) { *version = 12080; return SUCCESS; }
int cuDeviceGetCount(int *n) { *n = 1; return said("cuDeviceGetCount", SUCCESS); }
int cuDeviceGet(int *device, int i) { *device = i; return said("cuDeviceGet", SUCCESS); }
int cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "stub"); return SUCCESS; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 16ull << 30; return SUCCESS; }
int cuDeviceGetPCIBusId(char *id, int size, int device) { snprintf(id, size, "0000:00:00.0"); return SUCCESS; }
int cuDeviceGetUuid_v2(void *uuid, int device) { memset(uuid, 0, 16); return SUCCESS; }
int cuDeviceComputeCapability(int *major, int *minor, int device) { *major = 9; *minor = 0; return SUCCESS; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  switch (attribute) {
    case 75: *value = 9; break;     // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
    case 76: *value = 0; break;     // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR
    case 16: *value = 132; break;   // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
    case 10: *value = 32; break;    // CU_DEVICE_ATTRIBUTE_WARP_SIZE
    default: *value = 1024;
  }
  return SUCCESS;
}
int cuCtxGetCurrent(void **context) { *context = NULL; return SUCCESS; }
int cuCtxSetCurrent(void *context) { return SUCCESS; }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { *flags = 0; *active = 0; return SUCCESS; }
int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) { return SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int device) { return said("cuDevicePrimaryCtxRetain", NOT_SUPPORTED); }
int cuGetErrorName(int code, const char **name) { *name = "STUB"; return SUCCESS; }
int cuGetErrorString(int code, const char **text) { *text = "a stub of the driver"; return SUCCESS; }
int cuGetExportTable(const void **table, const void *id) { return NOT_FOUND; }
int cuGetProcAddress_v2(const char *symbol, void **function, int version, unsigned long long flags, void *status) { *function = NULL; return NOT_FOUND; }
