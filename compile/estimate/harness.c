// Calls one function of functions.inc, named by its number, twice, and marks the second call for
// plugin.c: by then code and workspaces have been touched, and what is left is what one more call
// costs. functions.inc, written by program.py, has a line for each function:
//   FUNCTION(name, TENSOR(kDLFloat, 32, 1, 544, 544, 3), ...)
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <dlpack/dlpack.h>
#include <tvm/ffi/c_api.h>
#include <tvm/runtime/c_backend_api.h>

enum { ALIGNMENT = 64, MAX_ARGUMENTS = 32 };

typedef struct {
  DLDataType type;
  int32_t ndim;
  int64_t *shape;
} Tensor;

typedef struct {
  TVMFFISafeCallType call;
  int32_t count;
  const Tensor *arguments;
} Function;

#define FUNCTION(name, ...) int __tvm_ffi_##name(void *, const TVMFFIAny *, int32_t, TVMFFIAny *);
#include "functions.inc"
#undef FUNCTION

#define TENSOR(code, bits, ...) \
  {{code, bits, 1}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__}}
#define FUNCTION(name, ...)                                                       \
  {__tvm_ffi_##name, sizeof((const Tensor[]){__VA_ARGS__}) / sizeof(Tensor),      \
   (const Tensor[]){__VA_ARGS__}},
static const Function functions[] = {
#include "functions.inc"
};

static void *allocate(int kind, int id, uint64_t size, int code_hint, int bits_hint) {
  (void)kind, (void)id, (void)code_hint, (void)bits_hint;
  return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static int release(int kind, int id, void *memory) {
  (void)kind, (void)id;
  free(memory);
  return 0;
}

// One thread: a single task does all the work.
static int launch(FTVMParallelLambda task, void *closure, int count) {
  (void)count;
  TVMParallelGroupEnv group = {.num_task = 1};
  return task(0, &group, closure);
}

// TVM's code calls its runtime through pointers that the loader of a library would set.
void *(*__TVMBackendAllocWorkspace)(int, int, uint64_t, int, int) = allocate;
int (*__TVMBackendFreeWorkspace)(int, int, void *) = release;
int (*__TVMBackendParallelLaunch)(FTVMParallelLambda, void *, int) = launch;

void TVMFFIErrorSetRaisedFromCStrParts(const char *kind, const char **parts, int32_t count) {
  fprintf(stderr, "%s: ", kind);
  for (int32_t i = 0; i < count; i++) fputs(parts[i], stderr);
  fputc('\n', stderr);
}

void TVMFFIErrorSetRaisedFromCStr(const char *kind, const char *message) {
  TVMFFIErrorSetRaisedFromCStrParts(kind, &message, 1);
}

// float32 from [0, 1), random bytes for uint8, zeros for the rest.
static void *random_data(const Tensor *tensor) {
  static uint32_t state = 1;
  size_t count = 1;
  for (int32_t i = 0; i < tensor->ndim; i++) count *= tensor->shape[i];
  size_t size = (count * tensor->type.bits / 8 / ALIGNMENT + 1) * ALIGNMENT;
  uint8_t *data = aligned_alloc(ALIGNMENT, size);
  for (size_t i = 0; data && i < size; i++) data[i] = 0;
  for (size_t i = 0; data && i < count; i++) {
    state = state * 1664525u + 1013904223u;  // Numerical Recipes, 2nd edition, page 284
    if (tensor->type.code == kDLUInt && tensor->type.bits == 8) data[i] = state >> 24;
    if (tensor->type.code == kDLFloat && tensor->type.bits == 32)
      ((float *)data)[i] = (state >> 8) / 16777216.0f;
  }
  return data;
}

int main(int count, char **words) {
  const Function *function = &functions[count > 1 ? atoi(words[1]) : 0];
  DLTensor tensors[MAX_ARGUMENTS] = {0};
  TVMFFIAny arguments[MAX_ARGUMENTS] = {0}, result = {0};
  if (function->count > MAX_ARGUMENTS) return fputs("too many arguments\n", stderr), 1;
  for (int32_t i = 0; i < function->count; i++) {
    const Tensor *one = &function->arguments[i];
    tensors[i] = (DLTensor){random_data(one), {kDLCPU, 0}, one->ndim, one->type, one->shape};
    if (!tensors[i].data) return fputs("no memory for the arguments\n", stderr), 1;
    arguments[i] = (TVMFFIAny){.type_index = kTVMFFIDLTensorPtr, .v_ptr = &tensors[i]};
  }
  int failed = function->call(NULL, arguments, function->count, &result);
  __asm__ volatile("hint #126" ::: "memory");
  failed |= function->call(NULL, arguments, function->count, &result);
  __asm__ volatile("hint #127" ::: "memory");
  return failed != 0;
}
