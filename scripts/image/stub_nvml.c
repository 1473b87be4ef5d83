// A stand-in for NVIDIA's libnvidia-ml.so.1; see stub_cuda.c.
enum { SUCCESS = 0, NOT_SUPPORTED = 3 };

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlInit(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 0; return SUCCESS; }
int nvmlSystemGetDriverVersion(char *version, unsigned size) { return NOT_SUPPORTED; }
