// The part of the CUDA runtime that the engine uses, on the host: memory, streams that run at once, and graphs that keep what was
// launched with the pointers and sizes of that moment. So the executor's own work (what lies where, which rows go where, what is
// captured) is tested without a GPU; kernels are tested on one.
#include <cuda_runtime_api.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "executor/cuda/emulated/launches.h"

namespace {

using fathom::emulated::Launches;

thread_local Launches* capturing = nullptr;

struct Event {
  std::chrono::steady_clock::time_point time;
};

template <class To, class From>
To handle(From* from) {
  return reinterpret_cast<To>(from);
}
Event& event_of(cudaEvent_t event) { return *reinterpret_cast<Event*>(event); }

constexpr int kDevices = 8;
thread_local int current_device = 0;

constexpr int kPoison = 0xff;  // a NaN in bf16 and fp32, page number -1
constexpr std::size_t kAlignment = 256;

}  // namespace

namespace fathom::emulated {

void launch(std::function<void()> kernel) {
  if (capturing != nullptr) return capturing->push_back(std::move(kernel));
  kernel();
}

void must_not_be_captured() {
  if (capturing != nullptr) std::abort();
}

}  // namespace fathom::emulated

using fathom::emulated::must_not_be_captured;

extern "C" {

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  const std::size_t room = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  *data = std::memset(std::aligned_alloc(kAlignment, room), kPoison, room);
  return cudaSuccess;
}
cudaError_t cudaFree(void* data) { return std::free(data), cudaSuccess; }
cudaError_t cudaMallocHost(void** data, std::size_t bytes) { return cudaMalloc(data, bytes); }
cudaError_t cudaFreeHost(void* data) { return cudaFree(data); }
cudaError_t cudaMemset(void* data, int value, std::size_t bytes) {
  return std::memset(data, value, bytes), cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t) {
  must_not_be_captured();
  return cudaMemset(data, value, bytes);
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  return std::memcpy(to, from, bytes), cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  must_not_be_captured();
  std::memcpy(to, from, bytes);
  if (fathom::emulated::copies_lose_a_byte && bytes > 0) static_cast<unsigned char*>(to)[bytes / 2] ^= 1;
  return cudaSuccess;
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, std::size_t bytes, cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind) {
  for (std::size_t i = 0; i < height; ++i) {
    std::memcpy(static_cast<char*>(to) + i * to_pitch, static_cast<const char*>(from) + i * from_pitch, width);
  }
  return cudaSuccess;
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t) {
  fathom::emulated::launch([=] { cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind); });
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = handle<cudaStream_t>(new char);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete reinterpret_cast<char*>(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return must_not_be_captured(), cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return must_not_be_captured(), cudaSuccess; }

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = handle<cudaEvent_t>(new Event);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete &event_of(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t, unsigned flags) {
  if ((flags == cudaEventRecordExternal) != (capturing != nullptr)) return cudaErrorInvalidValue;
  fathom::emulated::launch([event] { event_of(event).time = std::chrono::steady_clock::now(); });
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, cudaEventRecordDefault);
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return must_not_be_captured(), cudaSuccess; }
cudaError_t cudaEventQuery(cudaEvent_t) { return must_not_be_captured(), cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  *milliseconds = std::chrono::duration<float, std::milli>(event_of(to).time - event_of(from).time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  must_not_be_captured();
  capturing = new Launches;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = handle<cudaGraph_t>(std::exchange(capturing, nullptr));
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Launches*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = handle<cudaGraphExec_t>(new Launches(*reinterpret_cast<Launches*>(graph)));
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t) {
  must_not_be_captured();
  for (const auto& kernel : *reinterpret_cast<Launches*>(graph)) kernel();
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete reinterpret_cast<Launches*>(graph);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* devices) { return *devices = kDevices, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = current_device, cudaSuccess; }
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return cudaErrorInvalidDevice;
  return current_device = device, cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* possible, int from, int to) { return *possible = from != to, cudaSuccess; }
cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }
cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t* handle, void*) { return *handle = {}, cudaSuccess; }
cudaError_t cudaIpcOpenMemHandle(void**, cudaIpcMemHandle_t, unsigned) { return cudaErrorNotSupported; }
cudaError_t cudaIpcCloseMemHandle(void*) { return cudaErrorNotSupported; }
cudaError_t cudaStreamQuery(cudaStream_t) { return must_not_be_captured(), cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int) {
  return *value = what == cudaDevAttrL2CacheSize ? 1 << 20 : 9, cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::strcpy(properties->name, "emulated");
  properties->major = 9;
  properties->multiProcessorCount = 132;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* all) {
  *free = *all = fathom::emulated::free_bytes;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* bus, int bytes, int device) {
  std::snprintf(bus, static_cast<std::size_t>(bytes), "0000:%02x:00.0", device);
  return cudaSuccess;
}
const char* cudaGetErrorString(cudaError_t) { return "an error of the emulated device"; }
cudaError_t cudaGetLastError() { return cudaSuccess; }

}  // extern "C"
