#include "device/cuda_handles.h"

#include <string>

#include "cuda/launch.h"

namespace fathom {

void cuda_ok(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw cuda::CudaError(std::string(what) + ": " + cudaGetErrorString(status));
}

PinnedBuffer::PinnedBuffer(std::size_t bytes) { cuda_ok(cudaMallocHost(&data_, bytes), "cudaMallocHost"); }

PinnedBuffer::~PinnedBuffer() {
  if (data_ != nullptr) cudaFreeHost(data_);
}

// Not ordered with the default stream: copies of the loader's threads must not wait for each other.
CudaStream::CudaStream() { cuda_ok(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate"); }

CudaStream::~CudaStream() { cudaStreamDestroy(stream_); }

void CudaStream::wait() const { cuda_ok(cudaStreamSynchronize(stream_), "the device"); }

bool CudaStream::idle() const {
  const cudaError_t status = cudaStreamQuery(stream_);
  if (status == cudaErrorNotReady) return false;
  cuda_ok(status, "the device");
  return true;
}

CudaEvent::CudaEvent() { cuda_ok(cudaEventCreate(&event_), "cudaEventCreate"); }

CudaEvent::~CudaEvent() {
  if (event_ != nullptr) cudaEventDestroy(event_);
}

namespace {

cudaGraph_t captured_from(cudaStream_t stream, const std::function<void()>& launches) {
  cudaGraph_t captured = nullptr;
  cuda_ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  try {
    launches();
  } catch (...) {  // a stream that goes on capturing is of no use to anyone
    cudaStreamEndCapture(stream, &captured);
    if (captured != nullptr) cudaGraphDestroy(captured);
    throw;
  }
  cuda_ok(cudaStreamEndCapture(stream, &captured), "cudaStreamEndCapture");
  return captured;
}

}  // namespace

CudaGraph::CudaGraph(cudaStream_t stream, const std::function<void()>& launches)
    : CudaGraph(stream, captured_from(stream, launches)) {}

CudaGraph::CudaGraph(cudaStream_t stream, cudaGraph_t captured) {
  const cudaError_t status = cudaGraphInstantiate(&graph_, captured, 0);
  cudaGraphDestroy(captured);
  cuda_ok(status, "cudaGraphInstantiate");
  cuda_ok(cudaGraphUpload(graph_, stream), "cudaGraphUpload");
}

CudaGraph::~CudaGraph() {
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
}

void CudaGraph::launch(cudaStream_t stream) const { cuda_ok(cudaGraphLaunch(graph_, stream), "cudaGraphLaunch"); }

}  // namespace fathom
