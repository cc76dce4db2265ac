#include <stdexcept>

#include "executor/cuda.h"

namespace fathom {

namespace {

[[noreturn]] void refuse() {
  throw std::runtime_error(
      "this program was built without CUDA (cmake -DFATHOM_CUDA=ON): --backend host runs the plan on the processor");
}

}  // namespace

CudaDevice cuda_device() { refuse(); }

int cuda_devices() { return 0; }

int cuda_rows(int rows) { return rows; }

std::unique_ptr<Executor> make_cuda_executor(const ExecutorParts&) { refuse(); }

}  // namespace fathom
