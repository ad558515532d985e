// The OpenCL part of TVM's runtime: memory on one device, copies, and the kernels of a model.so.
//
// TVM's wheel holds its headers but neither this part nor the sources of it. Written against the
// headers of apache-tvm 0.27.0.post1 and of its tvm-ffi; `compile/opencl_runtime.py` builds it.
// OpenCL is opened when a model is loaded, so that no OpenCL library is needed to link.
// A tensor's `data` is its cl_mem; work goes through one queue, in order.

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>
#include <tvm/ffi/reflection/registry.h>
#include <tvm/runtime/device_api.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using tvm::Device;
namespace ffi = tvm::ffi;

// Every message is one line: the engine shows the last line of it.
#define FAIL TVM_FFI_THROW(RuntimeError)

void Check(cl_int status, const char* what) {
  if (status != CL_SUCCESS) FAIL << "OpenCL: " << what << " failed with status " << status;
}

// The functions of the machine's OpenCL loader or driver, by the types of the headers.
struct Driver {
  void* library = Open();
#define FUNCTION(name) decltype(&::name) name = Find<decltype(&::name)>(#name);
  FUNCTION(clGetPlatformIDs)
  FUNCTION(clGetDeviceIDs)
  FUNCTION(clGetDeviceInfo)
  FUNCTION(clCreateContext)
  FUNCTION(clCreateCommandQueue)
  FUNCTION(clCreateBuffer)
  FUNCTION(clReleaseMemObject)
  FUNCTION(clEnqueueReadBuffer)
  FUNCTION(clEnqueueWriteBuffer)
  FUNCTION(clEnqueueCopyBuffer)
  FUNCTION(clFinish)
  FUNCTION(clCreateProgramWithSource)
  FUNCTION(clBuildProgram)
  FUNCTION(clGetProgramBuildInfo)
  FUNCTION(clReleaseProgram)
  FUNCTION(clCreateKernel)
  FUNCTION(clReleaseKernel)
  FUNCTION(clSetKernelArg)
  FUNCTION(clEnqueueNDRangeKernel)
#undef FUNCTION

 private:
  static void* Open() {
    for (const char* name : {"libOpenCL.so.1", "libOpenCL.so"}) {
      if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
    }
    FAIL << "OpenCL: no libOpenCL.so.1 here; install the board's driver";
    return nullptr;
  }
  template <typename F>
  F Find(const char* name) {
    void* found = dlsym(library, name);
    if (found == nullptr) FAIL << "OpenCL: the library here lacks " << name;
    return reinterpret_cast<F>(found);
  }
};

// The first GPU of any platform, else the first device; lives until the process ends.
struct Machine {
  Driver cl;
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;

  static Machine& Get() {
    static Machine* machine = new Machine();
    return *machine;
  }

 private:
  Machine() {
    cl_uint count = 0;
    cl.clGetPlatformIDs(0, nullptr, &count);
    std::vector<cl_platform_id> platforms(count);
    if (count != 0) Check(cl.clGetPlatformIDs(count, platforms.data(), nullptr), "platforms");
    const cl_device_type wanted_types[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ALL};
    for (const cl_device_type wanted : wanted_types) {
      for (cl_platform_id platform : platforms) {
        cl_uint devices = 0;
        if (device != nullptr) break;
        if (cl.clGetDeviceIDs(platform, wanted, 1, &device, &devices) != CL_SUCCESS) {
          device = nullptr;
        }
      }
    }
    if (device == nullptr) {
      FAIL << "OpenCL: no device in " << count << " platform(s); install the board's driver";
    }
    cl_int status = CL_SUCCESS;
    context = cl.clCreateContext(nullptr, 1, &device, nullptr, nullptr, &status);
    Check(status, "clCreateContext");
    queue = cl.clCreateCommandQueue(context, device, 0, &status);
    Check(status, "clCreateCommandQueue");
  }
};

class Memory final : public tvm::runtime::DeviceAPI {
 public:
  void SetDevice(Device) final {}

  void GetAttr(Device, tvm::runtime::DeviceAttrKind kind, ffi::Any* value) final {
    if (kind == tvm::runtime::kExist) *value = 1;
  }

  void* AllocDataSpace(Device, size_t bytes, size_t, DLDataType) final {
    Machine& machine = Machine::Get();
    cl_int status = CL_SUCCESS;
    cl_mem memory = machine.cl.clCreateBuffer(machine.context, CL_MEM_READ_WRITE,
                                              std::max<size_t>(bytes, 1), nullptr, &status);
    if (status != CL_SUCCESS) FAIL << "OpenCL: no " << bytes << " bytes, status " << status;
    return memory;
  }

  void FreeDataSpace(Device, void* data) final {
    Machine::Get().cl.clReleaseMemObject(static_cast<cl_mem>(data));
  }

  void StreamSync(Device, TVMStreamHandle) final {
    Check(Machine::Get().cl.clFinish(Machine::Get().queue), "clFinish");
  }

 protected:
  void CopyDataFromTo(const void* from, size_t from_at, void* to, size_t to_at, size_t bytes,
                      Device source, Device target, DLDataType, TVMStreamHandle) final {
    Machine& machine = Machine::Get();
    auto* read = static_cast<cl_mem>(const_cast<void*>(from));
    auto* written = static_cast<cl_mem>(to);
    if (source.device_type == kDLCPU) {
      Check(machine.cl.clEnqueueWriteBuffer(machine.queue, written, CL_TRUE, to_at, bytes,
                                            static_cast<const char*>(from) + from_at, 0, nullptr,
                                            nullptr),
            "a copy to the device");
    } else if (target.device_type == kDLCPU) {
      Check(machine.cl.clEnqueueReadBuffer(machine.queue, read, CL_TRUE, from_at, bytes,
                                           static_cast<char*>(to) + to_at, 0, nullptr, nullptr),
            "a copy from the device");
    } else {
      Check(machine.cl.clEnqueueCopyBuffer(machine.queue, read, written, from_at, to_at, bytes, 0,
                                           nullptr, nullptr),
            "a copy on the device");
    }
  }
};

// What TVM's compiler wrote: integers of 64 bits, and strings behind their lengths.
class Reader {
 public:
  explicit Reader(const ffi::Bytes& bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  template <typename T>
  T Value() {
    T value;
    std::memcpy(&value, Take(sizeof(T)), sizeof(T));
    return value;
  }
  std::string Text() {
    const auto size = Value<uint64_t>();
    return std::string(Take(size), size);
  }

 private:
  const char* Take(uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - at_)) FAIL << "OpenCL: the kernels end too early";
    const char* taken = at_;
    at_ += size;
    return taken;
  }
  const char* at_;
  const char* end_;
};

struct Signature {
  std::vector<DLDataType> arguments;
  std::vector<int> extents;  // of the launch: 0 to 2 the groups along x, y, z; 3 to 5 their sizes
};

Signature ReadSignature(Reader* reader) {
  Signature signature;
  reader->Text();  // its name once more
  for (auto left = reader->Value<uint64_t>(); left > 0; --left) {
    signature.arguments.push_back(reader->Value<DLDataType>());
  }
  for (auto left = reader->Value<uint64_t>(); left > 0; --left) {
    const std::string tag = reader->Text();
    const bool group = tag.rfind("blockIdx.", 0) == 0, item = tag.rfind("threadIdx.", 0) == 0;
    const int axis = tag.back() - 'x';
    if (!(group || item) || axis < 0 || axis > 2) FAIL << "OpenCL: cannot launch with " << tag;
    signature.extents.push_back(axis + (group ? 0 : 3));
  }
  for (auto left = reader->Value<uint64_t>(); left > 0; --left) {
    if (reader->Value<int32_t>() != 0) FAIL << "OpenCL: an argument of a kind only CUDA has";
  }
  return signature;
}

class Kernel {
 public:
  Kernel(cl_program program, const std::string& name, Signature signature)
      : signature_(std::move(signature)) {
    cl_int status = CL_SUCCESS;
    kernel_ = Machine::Get().cl.clCreateKernel(program, name.c_str(), &status);
    Check(status, name.c_str());
  }
  ~Kernel() { Machine::Get().cl.clReleaseKernel(kernel_); }
  Kernel(const Kernel&) = delete;

  // Queues it; the arguments of a cl_kernel are its state, hence the lock.
  void Launch(const TVMFFIAny* values) {
    Machine& machine = Machine::Get();
    std::lock_guard<std::mutex> lock(lock_);
    const size_t count = signature_.arguments.size();
    for (size_t i = 0; i < count; ++i) Set(i, signature_.arguments[i], values[i]);
    size_t extents[6] = {1, 1, 1, 1, 1, 1};
    for (size_t i = 0; i < signature_.extents.size(); ++i) {
      extents[signature_.extents[i]] = static_cast<size_t>(values[count + i].v_int64);
    }
    for (int axis = 0; axis < 3; ++axis) extents[axis] *= extents[axis + 3];
    Check(machine.cl.clEnqueueNDRangeKernel(machine.queue, kernel_, 3, nullptr, extents,
                                            extents + 3, 0, nullptr, nullptr),
          "a launch");
  }

 private:
  void Set(size_t index, DLDataType type, const TVMFFIAny& value) {
    const auto place = static_cast<cl_uint>(index);
    auto set = [&](const auto& given) {
      Check(Machine::Get().cl.clSetKernelArg(kernel_, place, sizeof(given), &given), "an argument");
    };
    if (type.code == kDLOpaqueHandle) {
      set(value.v_ptr);
    } else if (type.code == kDLFloat && type.bits == 32) {
      set(static_cast<float>(value.v_float64));
    } else if (type.code == kDLInt && type.bits == 32) {
      set(static_cast<int32_t>(value.v_int64));
    } else if (type.code == kDLInt && type.bits == 64) {
      set(value.v_int64);
    } else {
      FAIL << "OpenCL: cannot pass an argument of kind " << int{type.code} << " with "
           << int{type.bits} << " bits";
    }
  }

  Signature signature_;
  cl_kernel kernel_ = nullptr;
  std::mutex lock_;
};

class Kernels final : public ffi::ModuleObj {
 public:
  explicit Kernels(const ffi::Bytes& bytes) {
    Reader reader(bytes);
    const std::string format = reader.Text();
    if (format != "cl") FAIL << "OpenCL: kernels in " << format << ", not in OpenCL C";
    std::map<std::string, Signature> signatures;
    for (auto left = reader.Value<uint64_t>(); left > 0; --left) {
      std::string name = reader.Text();
      signatures.emplace(std::move(name), ReadSignature(&reader));
    }
    cl_program program = Build(reader.Text());
    for (auto& [name, signature] : signatures) {
      kernels_[name] = std::make_shared<Kernel>(program, name, std::move(signature));
    }
    Machine::Get().cl.clReleaseProgram(program);  // the kernels hold it
  }

  const char* kind() const final { return "opencl"; }
  int GetPropertyMask() const final { return ffi::Module::kRunnable; }

  ffi::Optional<ffi::Function> GetFunction(const ffi::String& name) final {
    auto found = kernels_.find(std::string(name));
    if (found == kernels_.end()) return std::nullopt;
    return ffi::Function([kernel = found->second](ffi::PackedArgs values, ffi::Any*) {
      kernel->Launch(reinterpret_cast<const TVMFFIAny*>(values.data()));
    });
  }

 private:
  static cl_program Build(const std::string& source) {
    Machine& machine = Machine::Get();
    const char* text = source.data();
    const size_t size = source.size();
    cl_int status = CL_SUCCESS;
    cl_program program =
        machine.cl.clCreateProgramWithSource(machine.context, 1, &text, &size, &status);
    Check(status, "clCreateProgramWithSource");
    status = machine.cl.clBuildProgram(program, 1, &machine.device, "", nullptr, nullptr);
    if (status != CL_SUCCESS) {
      std::string log(4096, '\0');
      machine.cl.clGetProgramBuildInfo(program, machine.device, CL_PROGRAM_BUILD_LOG, log.size(),
                                       log.data(), nullptr);
      const size_t found = log.find("error"), first = found == std::string::npos ? 0 : found;
      const size_t last = log.find_first_of(std::string("\n\0", 2), first);
      FAIL << "OpenCL: the driver cannot compile the kernels, status " << status << ": "
           << log.substr(first, last - first);
    }
    return program;
  }

  std::map<std::string, std::shared_ptr<Kernel>> kernels_;
};

TVM_FFI_STATIC_INIT_BLOCK() {
  ffi::reflection::GlobalDef()
      .def("device_api.opencl",
           []() {
             static Memory* memory = new Memory();
             return static_cast<void*>(static_cast<tvm::runtime::DeviceAPI*>(memory));
           })
      .def("ffi.Module.load_from_bytes.opencl", [](const ffi::Bytes& bytes) {
        return ffi::Module(ffi::make_object<Kernels>(bytes));
      });
}

}  // namespace
