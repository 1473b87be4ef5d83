// The part of TensorFlow's C API that the Go binding and package runner are compiled against, so that
// no libtensorflow has to be there. TestHeader compares it with the library's own headers.
#ifndef TENSORFLOW_C_C_API_H_
#define TENSORFLOW_C_C_API_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TFRUN_ONLY_FUNCTIONS

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Operation TF_Operation;
typedef struct TF_OperationDescription TF_OperationDescription;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;
typedef struct TF_ImportGraphDefOptions TF_ImportGraphDefOptions;
typedef struct TF_Library TF_Library;
typedef struct TF_DeviceList TF_DeviceList;
typedef struct TFE_Context TFE_Context;
typedef struct TFE_ContextOptions TFE_ContextOptions;
typedef struct TFE_TensorHandle TFE_TensorHandle;

typedef enum TF_DataType {
  TF_FLOAT = 1,
  TF_DOUBLE = 2,
  TF_INT32 = 3,
  TF_UINT8 = 4,
  TF_INT16 = 5,
  TF_INT8 = 6,
  TF_STRING = 7,
  TF_COMPLEX64 = 8,
  TF_COMPLEX = 8,
  TF_INT64 = 9,
  TF_BOOL = 10,
  TF_QINT8 = 11,
  TF_QUINT8 = 12,
  TF_QINT32 = 13,
  TF_BFLOAT16 = 14,
  TF_QINT16 = 15,
  TF_QUINT16 = 16,
  TF_UINT16 = 17,
  TF_COMPLEX128 = 18,
  TF_HALF = 19,
  TF_RESOURCE = 20,
  TF_VARIANT = 21,
  TF_UINT32 = 22,
  TF_UINT64 = 23,
} TF_DataType;

typedef enum TF_Code {
  TF_OK = 0,
} TF_Code;

typedef enum TF_AttrType {
  TF_ATTR_STRING = 0,
  TF_ATTR_INT = 1,
  TF_ATTR_FLOAT = 2,
  TF_ATTR_BOOL = 3,
  TF_ATTR_TYPE = 4,
  TF_ATTR_SHAPE = 5,
  TF_ATTR_TENSOR = 6,
  TF_ATTR_PLACEHOLDER = 7,
  TF_ATTR_FUNC = 8,
} TF_AttrType;

// A string of a tensor. What the words hold is TensorFlow's affair.
typedef struct TF_TString {
  uint64_t words[3];
} TF_TString;

typedef struct TF_Buffer {
  const void *data;
  size_t length;
  void (*data_deallocator)(void *data, size_t length);
} TF_Buffer;

typedef struct TF_Output {
  TF_Operation *oper;
  int index;
} TF_Output;

typedef struct TF_Input {
  TF_Operation *oper;
  int index;
} TF_Input;

typedef struct TF_AttrMetadata {
  unsigned char is_list;
  int64_t list_size;
  TF_AttrType type;
  int64_t total_size;
} TF_AttrMetadata;

#endif  // TFRUN_ONLY_FUNCTIONS

TF_DeviceList *TFE_ContextListDevices(TFE_Context *ctx, TF_Status *status);
void TFE_ContextOptionsSetAsync(TFE_ContextOptions *, unsigned char enable);
void TFE_ContextOptionsSetConfig(TFE_ContextOptions *options, const void *proto, size_t proto_len, TF_Status *status);
void TFE_DeleteContext(TFE_Context *ctx);
void TFE_DeleteContextOptions(TFE_ContextOptions *);
void TFE_DeleteTensorHandle(TFE_TensorHandle *h);
TFE_Context *TFE_NewContext(const TFE_ContextOptions *opts, TF_Status *status);
TFE_ContextOptions *TFE_NewContextOptions(void);
TFE_TensorHandle *TFE_NewTensorHandle(const TF_Tensor *t, TF_Status *status);
const char *TFE_TensorHandleBackingDeviceName(TFE_TensorHandle *h, TF_Status *status);
TFE_TensorHandle *TFE_TensorHandleCopyToDevice(TFE_TensorHandle *h, TFE_Context *ctx, const char *device_name, TF_Status *status);
TF_DataType TFE_TensorHandleDataType(TFE_TensorHandle *h);
const char *TFE_TensorHandleDeviceName(TFE_TensorHandle *h, TF_Status *status);
int64_t TFE_TensorHandleDim(TFE_TensorHandle *h, int dim_index, TF_Status *status);
int TFE_TensorHandleNumDims(TFE_TensorHandle *h, TF_Status *status);
TF_Tensor *TFE_TensorHandleResolve(TFE_TensorHandle *h, TF_Status *status);
void TF_AddControlInput(TF_OperationDescription *desc, TF_Operation *input);
void TF_AddGradientsWithPrefix(TF_Graph *g, const char *prefix, TF_Output *y, int ny, TF_Output *x, int nx, TF_Output *dx, TF_Status *status, TF_Output *dy);
void TF_AddInput(TF_OperationDescription *desc, TF_Output input);
void TF_AddInputList(TF_OperationDescription *desc, const TF_Output *inputs, int num_inputs);
TF_Tensor *TF_AllocateTensor(TF_DataType, const int64_t *dims, int num_dims, size_t len);
void TF_CloseSession(TF_Session *, TF_Status *status);
void TF_DeleteBuffer(TF_Buffer *);
void TF_DeleteDeviceList(TF_DeviceList *list);
void TF_DeleteGraph(TF_Graph *);
void TF_DeleteImportGraphDefOptions(TF_ImportGraphDefOptions *opts);
void TF_DeleteLibraryHandle(TF_Library *lib_handle);
void TF_DeletePRunHandle(const char *handle);
void TF_DeleteSession(TF_Session *, TF_Status *status);
void TF_DeleteSessionOptions(TF_SessionOptions *);
void TF_DeleteStatus(TF_Status *);
void TF_DeleteTensor(TF_Tensor *);
int TF_DeviceListCount(const TF_DeviceList *list);
int64_t TF_DeviceListMemoryBytes(const TF_DeviceList *list, int index, TF_Status *status);
const char *TF_DeviceListName(const TF_DeviceList *list, int index, TF_Status *status);
const char *TF_DeviceListType(const TF_DeviceList *list, int index, TF_Status *status);
int64_t TF_Dim(const TF_Tensor *tensor, int dim_index);
TF_Operation *TF_FinishOperation(TF_OperationDescription *desc, TF_Status *status);
TF_Buffer *TF_GetAllOpList(void);
TF_Code TF_GetCode(const TF_Status *s);
TF_Buffer TF_GetOpList(TF_Library *lib_handle);
TF_Buffer *TF_GetRegisteredKernelsForOp(const char *name, TF_Status *status);
int TF_GraphGetTensorNumDims(TF_Graph *graph, TF_Output output, TF_Status *status);
void TF_GraphGetTensorShape(TF_Graph *graph, TF_Output output, int64_t *dims, int num_dims, TF_Status *status);
void TF_GraphImportGraphDef(TF_Graph *graph, const TF_Buffer *graph_def, const TF_ImportGraphDefOptions *options, TF_Status *status);
TF_Operation *TF_GraphNextOperation(TF_Graph *graph, size_t *pos);
TF_Operation *TF_GraphOperationByName(TF_Graph *graph, const char *oper_name);
void TF_GraphToGraphDef(TF_Graph *graph, TF_Buffer *output_graph_def, TF_Status *status);
void TF_ImportGraphDefOptionsAddInputMapping(TF_ImportGraphDefOptions *opts, const char *src_name, int src_index, TF_Output dst);
void TF_ImportGraphDefOptionsSetDefaultDevice(TF_ImportGraphDefOptions *opts, const char *device);
void TF_ImportGraphDefOptionsSetPrefix(TF_ImportGraphDefOptions *opts, const char *prefix);
TF_Library *TF_LoadLibrary(const char *library_filename, TF_Status *status);
TF_Session *TF_LoadSessionFromSavedModel(const TF_SessionOptions *session_options, const TF_Buffer *run_options, const char *export_dir, const char *const *tags, int tags_len, TF_Graph *graph, TF_Buffer *meta_graph_def, TF_Status *status);
const char *TF_Message(const TF_Status *s);
TF_Buffer *TF_NewBuffer(void);
TF_Graph *TF_NewGraph(void);
TF_ImportGraphDefOptions *TF_NewImportGraphDefOptions(void);
TF_OperationDescription *TF_NewOperation(TF_Graph *graph, const char *op_type, const char *oper_name);
TF_Session *TF_NewSession(TF_Graph *graph, const TF_SessionOptions *opts, TF_Status *status);
TF_SessionOptions *TF_NewSessionOptions(void);
TF_Status *TF_NewStatus(void);
int TF_NumDims(const TF_Tensor *);
const char *TF_OperationDevice(TF_Operation *oper);
void TF_OperationGetAttrBool(TF_Operation *oper, const char *attr_name, unsigned char *value, TF_Status *status);
void TF_OperationGetAttrBoolList(TF_Operation *oper, const char *attr_name, unsigned char *values, int max_values, TF_Status *status);
void TF_OperationGetAttrFloat(TF_Operation *oper, const char *attr_name, float *value, TF_Status *status);
void TF_OperationGetAttrFloatList(TF_Operation *oper, const char *attr_name, float *values, int max_values, TF_Status *status);
void TF_OperationGetAttrInt(TF_Operation *oper, const char *attr_name, int64_t *value, TF_Status *status);
void TF_OperationGetAttrIntList(TF_Operation *oper, const char *attr_name, int64_t *values, int max_values, TF_Status *status);
TF_AttrMetadata TF_OperationGetAttrMetadata(TF_Operation *oper, const char *attr_name, TF_Status *status);
void TF_OperationGetAttrShape(TF_Operation *oper, const char *attr_name, int64_t *value, int num_dims, TF_Status *status);
void TF_OperationGetAttrShapeList(TF_Operation *oper, const char *attr_name, int64_t **dims, int *num_dims, int num_shapes, int64_t *storage, int storage_size, TF_Status *status);
void TF_OperationGetAttrString(TF_Operation *oper, const char *attr_name, void *value, size_t max_length, TF_Status *status);
void TF_OperationGetAttrStringList(TF_Operation *oper, const char *attr_name, void **values, size_t *lengths, int max_values, void *storage, size_t storage_size, TF_Status *status);
void TF_OperationGetAttrTensor(TF_Operation *oper, const char *attr_name, TF_Tensor **value, TF_Status *status);
void TF_OperationGetAttrTensorList(TF_Operation *oper, const char *attr_name, TF_Tensor **values, int max_values, TF_Status *status);
void TF_OperationGetAttrType(TF_Operation *oper, const char *attr_name, TF_DataType *value, TF_Status *status);
void TF_OperationGetAttrTypeList(TF_Operation *oper, const char *attr_name, TF_DataType *values, int max_values, TF_Status *status);
TF_Output TF_OperationInput(TF_Input oper_in);
TF_DataType TF_OperationInputType(TF_Input oper_in);
const char *TF_OperationName(TF_Operation *oper);
int TF_OperationNumInputs(TF_Operation *oper);
int TF_OperationNumOutputs(TF_Operation *oper);
const char *TF_OperationOpType(TF_Operation *oper);
int TF_OperationOutputConsumers(TF_Output oper_out, TF_Input *consumers, int max_consumers);
int TF_OperationOutputListLength(TF_Operation *oper, const char *arg_name, TF_Status *status);
int TF_OperationOutputNumConsumers(TF_Output oper_out);
TF_DataType TF_OperationOutputType(TF_Output oper_out);
TF_DeviceList *TF_SessionListDevices(TF_Session *session, TF_Status *status);
void TF_SessionPRun(TF_Session *, const char *handle, const TF_Output *inputs, TF_Tensor *const *input_values, int ninputs, const TF_Output *outputs, TF_Tensor **output_values, int noutputs, const TF_Operation *const *target_opers, int ntargets, TF_Status *);
void TF_SessionPRunSetup(TF_Session *, const TF_Output *inputs, int ninputs, const TF_Output *outputs, int noutputs, const TF_Operation *const *target_opers, int ntargets, const char **handle, TF_Status *);
void TF_SessionRun(TF_Session *session, const TF_Buffer *run_options, const TF_Output *inputs, TF_Tensor *const *input_values, int ninputs, const TF_Output *outputs, TF_Tensor **output_values, int noutputs, const TF_Operation *const *target_opers, int ntargets, TF_Buffer *run_metadata, TF_Status *);
void TF_SetAttrBool(TF_OperationDescription *desc, const char *attr_name, unsigned char value);
void TF_SetAttrBoolList(TF_OperationDescription *desc, const char *attr_name, const unsigned char *values, int num_values);
void TF_SetAttrFloat(TF_OperationDescription *desc, const char *attr_name, float value);
void TF_SetAttrFloatList(TF_OperationDescription *desc, const char *attr_name, const float *values, int num_values);
void TF_SetAttrInt(TF_OperationDescription *desc, const char *attr_name, int64_t value);
void TF_SetAttrIntList(TF_OperationDescription *desc, const char *attr_name, const int64_t *values, int num_values);
void TF_SetAttrShape(TF_OperationDescription *desc, const char *attr_name, const int64_t *dims, int num_dims);
void TF_SetAttrShapeList(TF_OperationDescription *desc, const char *attr_name, const int64_t *const *dims, const int *num_dims, int num_shapes);
void TF_SetAttrString(TF_OperationDescription *desc, const char *attr_name, const void *value, size_t length);
void TF_SetAttrStringList(TF_OperationDescription *desc, const char *attr_name, const void *const *values, const size_t *lengths, int num_values);
void TF_SetAttrTensor(TF_OperationDescription *desc, const char *attr_name, TF_Tensor *value, TF_Status *status);
void TF_SetAttrTensorList(TF_OperationDescription *desc, const char *attr_name, TF_Tensor *const *values, int num_values, TF_Status *status);
void TF_SetAttrType(TF_OperationDescription *desc, const char *attr_name, TF_DataType value);
void TF_SetAttrTypeList(TF_OperationDescription *desc, const char *attr_name, const TF_DataType *values, int num_values);
void TF_SetConfig(TF_SessionOptions *options, const void *proto, size_t proto_len, TF_Status *status);
void TF_SetDevice(TF_OperationDescription *desc, const char *device);
void TF_SetTarget(TF_SessionOptions *options, const char *target);
void TF_StringCopy(TF_TString *dst, const char *src, size_t size);
const char *TF_StringGetDataPointer(const TF_TString *tstr);
size_t TF_StringGetSize(const TF_TString *tstr);
void TF_StringInit(TF_TString *t);
void TF_TensorBitcastFrom(const TF_Tensor *from, TF_DataType type, TF_Tensor *to, const int64_t *new_dims, int num_new_dims, TF_Status *status);
size_t TF_TensorByteSize(const TF_Tensor *);
void *TF_TensorData(const TF_Tensor *);
TF_DataType TF_TensorType(const TF_Tensor *);
const char *TF_Version(void);

#ifndef TFRUN_ONLY_FUNCTIONS

// The names by which TensorFlow's headers have them inline.
static inline void TF_TString_Init(TF_TString *s) { TF_StringInit(s); }
static inline void TF_TString_Copy(TF_TString *s, const char *src, size_t n) { TF_StringCopy(s, src, n); }
static inline const char *TF_TString_GetDataPointer(const TF_TString *s) { return TF_StringGetDataPointer(s); }
static inline size_t TF_TString_GetSize(const TF_TString *s) { return TF_StringGetSize(s); }

#endif  // TFRUN_ONLY_FUNCTIONS

#ifdef __cplusplus
}
#endif

#endif  // TENSORFLOW_C_C_API_H_
