// A library of one custom operation, TfrunTest>Twice, which doubles floats. It is written against TensorFlow's C API for kernels
// (tensorflow/c/ops.h, tensorflow/c/kernels.h), whose functions are found in the libtensorflow that loads it, so a C compiler is all that it
// takes. What it needs of those headers, which no distribution of the C API has whole, is declared here.
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

// What the kernel does before anything else, for tests: -DFIRST='exit(0)'.
#ifndef FIRST
#define FIRST (void)0
#endif

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_OpKernelContext TF_OpKernelContext;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;

extern TF_Status *TF_NewStatus(void);
extern void TF_DeleteStatus(TF_Status *);
extern TF_OpDefinitionBuilder *TF_NewOpDefinitionBuilder(const char *);
extern void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder *, const char *);
extern void TF_OpDefinitionBuilderSetShapeInferenceFunction(TF_OpDefinitionBuilder *, void (*)(TF_ShapeInferenceContext *, TF_Status *));
extern void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext *, TF_Status *);
extern void TF_RegisterOpDefinition(TF_OpDefinitionBuilder *, TF_Status *);
extern TF_KernelBuilder *TF_NewKernelBuilder(const char *, const char *, void *(*)(TF_OpKernelConstruction *), void (*)(void *, TF_OpKernelContext *),
                                             void (*)(void *));
extern void TF_RegisterKernelBuilder(const char *, TF_KernelBuilder *, TF_Status *);
extern void TF_GetInput(TF_OpKernelContext *, int, TF_Tensor **, TF_Status *);
extern TF_Tensor *TF_AllocateOutput(TF_OpKernelContext *, int, int, const int64_t *, int, size_t, TF_Status *);
extern int TF_NumDims(const TF_Tensor *);
extern int64_t TF_Dim(const TF_Tensor *, int);
extern int64_t TF_TensorElementCount(const TF_Tensor *);
extern void *TF_TensorData(const TF_Tensor *);
extern void TF_DeleteTensor(TF_Tensor *);

enum { kFloat = 1, kMostDims = 8 };

static void compute(void *kernel, TF_OpKernelContext *context) {
  (void)kernel;
  FIRST;
  TF_Status *status = TF_NewStatus();
  TF_Tensor *in = NULL;
  TF_GetInput(context, 0, &in, status);
  int64_t dims[kMostDims];
  int rank = TF_NumDims(in);
  for (int i = 0; i < rank && i < kMostDims; i++) dims[i] = TF_Dim(in, i);
  int64_t count = TF_TensorElementCount(in);
  TF_Tensor *out = TF_AllocateOutput(context, 0, kFloat, dims, rank, (size_t)count * sizeof(float), status);
  for (int64_t i = 0; i < count; i++) ((float *)TF_TensorData(out))[i] = 2 * ((const float *)TF_TensorData(in))[i];
  TF_DeleteTensor(out);
  TF_DeleteTensor(in);
  TF_DeleteStatus(status);
}

static void any_shape(TF_ShapeInferenceContext *context, TF_Status *status) { TF_ShapeInferenceContextSetUnknownShape(context, status); }

__attribute__((constructor)) static void begin(void) {
  TF_Status *status = TF_NewStatus();
  TF_OpDefinitionBuilder *op = TF_NewOpDefinitionBuilder("TfrunTest>Twice");
  TF_OpDefinitionBuilderAddInput(op, "x: float");
  TF_OpDefinitionBuilderAddOutput(op, "y: float");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, any_shape);
  TF_RegisterOpDefinition(op, status);
  TF_RegisterKernelBuilder("TfrunTestTwice", TF_NewKernelBuilder("TfrunTest>Twice", "CPU", NULL, compute, NULL), status);
  TF_DeleteStatus(status);
}
