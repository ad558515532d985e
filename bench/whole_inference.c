// Runs a compiled network twice on one photograph and marks the second inference for the counting
// plugin: by then code and workspaces have been touched.
//
//   whole_inference MODEL.so HEIGHT WIDTH INPUT OUTPUT
//
// INPUT: uint8 (HEIGHT, WIDTH, 3). OUTPUT: float32, written. One thread with TVM_NUM_THREADS=1.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dlpack/dlpack.h>
#include <tvm/ffi/c_api.h>

enum { ALIGNMENT = 64 };

static void fail(const char *why) {
  fprintf(stderr, "error: %s\n", why);
  exit(1);
}

// What an object holds stands behind its header; the accessors of c_api.h are for C++ alone.
static void *cell(TVMFFIObjectHandle object) { return (TVMFFIObject *)object + 1; }

static TVMFFIAny integer(int64_t value) {
  return (TVMFFIAny){.type_index = kTVMFFIInt, .v_int64 = value};
}

static TVMFFIAny text(const char *value) {
  return (TVMFFIAny){.type_index = kTVMFFIRawStr, .v_c_str = value};
}

static TVMFFIAny object(int32_t kind, TVMFFIObjectHandle value) {
  return (TVMFFIAny){.type_index = kind, .v_obj = value};
}

static TVMFFIAny call(TVMFFIObjectHandle function, TVMFFIAny *arguments, int32_t count) {
  TVMFFIAny result = {.type_index = kTVMFFINone};
  if (TVMFFIFunctionCall(function, arguments, count, &result)) {
    TVMFFIObjectHandle raised = NULL;
    TVMFFIErrorMoveFromRaised(&raised);
    TVMFFIByteArray said = ((TVMFFIErrorCell *)cell(raised))->message;
    fprintf(stderr, "error: %.*s\n", (int)strcspn(said.data, "\n"), said.data);
    exit(1);
  }
  return result;
}

static TVMFFIObjectHandle global(const char *name) {
  TVMFFIByteArray named = {name, strlen(name)};
  TVMFFIObjectHandle found = NULL;
  if (TVMFFIFunctionGetGlobal(&named, &found) || !found) fail(name);
  return found;
}

static TVMFFIObjectHandle function_of(TVMFFIAny module, const char *name) {
  TVMFFIAny arguments[] = {module, text(name), {.type_index = kTVMFFIBool, .v_int64 = 0}};
  TVMFFIAny found = call(global("ffi.ModuleGetFunction"), arguments, 3);
  if (found.type_index != kTVMFFIFunction) fail(name);
  return found.v_obj;
}

// Like load_model of edge_vessel/engines/tvm_library.py.
static TVMFFIObjectHandle load(const char *path) {
  TVMFFIAny name = text(path);
  TVMFFIAny library = call(global("ffi.ModuleLoadFromFile"), &name, 1);
  TVMFFIAny machine = call(function_of(library, "vm_load_executable"), NULL, 0);
  enum { POOLED = 2 };
  TVMFFIAny device[] = {integer(kDLCPU), integer(0), integer(POOLED)};
  call(function_of(machine, "vm_initialization"), device, 3);
  return function_of(machine, "main");
}

static TVMFFIAny read_photograph(const char *path, int64_t height, int64_t width) {
  static DLManagedTensor tensor;
  static int64_t shape[4];
  memcpy(shape, (int64_t[]){1, height, width, 3}, sizeof shape);
  size_t size = height * width * 3;
  void *data = aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
  FILE *file = fopen(path, "rb");
  if (!data || !file || fread(data, 1, size, file) != size) fail(path);
  fclose(file);
  tensor.dl_tensor = (DLTensor){data, {kDLCPU, 0}, 4, {kDLUInt, 8, 1}, shape, NULL, 0};
  TVMFFIObjectHandle made = NULL;
  if (TVMFFITensorFromDLPack(&tensor, ALIGNMENT, 1, &made)) fail("the photograph's tensor");
  return object(kTVMFFITensor, made);
}

static void write_probabilities(const char *path, TVMFFIAny output) {
  if (output.type_index != kTVMFFITensor) fail("the network returns no tensor");
  const DLTensor *tensor = cell(output.v_obj);
  size_t count = 1;
  for (int32_t i = 0; i < tensor->ndim; i++) count *= tensor->shape[i];
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(tensor->data, tensor->dtype.bits / 8, count, file) != count) fail(path);
  fclose(file);
}

int main(int count, char **words) {
  if (count != 6) fail("whole_inference MODEL.so HEIGHT WIDTH INPUT OUTPUT");
  TVMFFIObjectHandle network = load(words[1]);
  TVMFFIAny photograph = read_photograph(words[4], atoll(words[2]), atoll(words[3]));
  TVMFFIAny first = call(network, &photograph, 1);
  TVMFFIObjectDecRef(first.v_obj);
  __asm__ volatile("hint #126" ::: "memory");
  TVMFFIAny second = call(network, &photograph, 1);
  __asm__ volatile("hint #127" ::: "memory");
  write_probabilities(words[5], second);
  return 0;
}
