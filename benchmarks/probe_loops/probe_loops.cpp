// probe_loops: what `fathom probe` measures, once more by the plainest loops there are, for its figures to be held against. One line for
// each: name, shape, figure in SI units, and of several ways to do the same, `by=` which. No latch, no search, no statistics but the median
// of nine.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "cuda/gemm_proposals.h"
#include "cuda/random_numbers.h"
#include "device/cuda_handles.h"
#include "device/nccl.h"
#include "plain_reads.h"

namespace fathom {
namespace {

constexpr int kRounds = 9;

void print(const std::string& name, double figure) {
  fmt::print("{} {:.6g}\n", name, figure);
  std::fflush(stdout);
}

void* memory(std::size_t bytes) {
  void* data = nullptr;
  cuda_ok(cudaMalloc(&data, bytes), "cudaMalloc");
  return data;
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// Seconds of one of `runs`, on the current device's stream.
double time(const CudaStream& stream, int runs, const std::function<void()>& one) {
  const CudaEvent begin, end;
  std::vector<double> times;
  for (int round = -4; round < kRounds; ++round) {
    cuda_ok(cudaEventRecord(begin, stream), "cudaEventRecord");
    for (int i = 0; i < runs; ++i) one();
    cuda_ok(cudaEventRecord(end, stream), "cudaEventRecord");
    stream.wait();
    float ms = 0;
    cuda_ok(cudaEventElapsedTime(&ms, begin, end), "cudaEventElapsedTime");
    if (round >= 0) times.push_back(static_cast<double>(ms) * 1e-3 / runs);
  }
  return median(times);
}

void copies() {
  constexpr std::size_t kBytes = std::size_t{2} << 30;
  const CudaStream stream;
  void *from = memory(kBytes), *to = memory(kBytes);
  cuda::fill_random({.stream = stream}, from, kBytes);
  const double seconds = time(stream, 50, [&] {
    cuda_ok(cudaMemcpyAsync(to, from, kBytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
  });
  print("gpu.memory.copy", 2.0 * kBytes / seconds);
  void* scratch = memory(plain_read_scratch_bytes());
  for (const PlainRead& read : plain_reads(from, kBytes, scratch, stream)) {
    print("gpu.memory.read by=" + read.name, kBytes / time(stream, 50, read.run));
  }
  cudaFree(scratch);
  void* host = nullptr;
  constexpr std::size_t kHost = std::size_t{256} << 20;
  cuda_ok(cudaMallocHost(&host, kHost), "cudaMallocHost");
  print("gpu.copy.h2d", kHost / time(stream, 10, [&] {
                          cuda_ok(cudaMemcpyAsync(to, host, kHost, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
                        }));
  print("gpu.copy.d2h", kHost / time(stream, 10, [&] {
                          cuda_ok(cudaMemcpyAsync(host, to, kHost, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
                        }));
  cudaFreeHost(host);
  cudaFree(from);
  cudaFree(to);
}

void products() {
  constexpr std::int64_t kSize = 8192;
  constexpr std::size_t kWorkspace = std::size_t{256} << 20;
  const CudaStream stream;
  void *w = memory(kSize * kSize * 2), *x = memory(kSize * kSize * 2), *y = memory(kSize * kSize * 2),
       *workspace = memory(kWorkspace);
  for (const auto& [type, name] :
       {std::pair(cuda::NumberType::kBf16, "bf16"), std::pair(cuda::NumberType::kE4m3, "fp8")}) {
    cuda::fill_normal({.stream = stream}, w, kSize * kSize, type, 1);
    cuda::fill_normal({.stream = stream}, x, kSize * kSize, type, 2);
    const cuda::GemmProposals first(type, kSize, kSize, kSize, workspace, kWorkspace, 1);
    if (first.count() == 0) continue;
    const double seconds = time(stream, 50, [&] { first.run(0, w, x, y, stream); });
    print(fmt::format("gpu.gemm dtype={} pattern=normal", name), 2.0 * kSize * kSize * kSize / seconds);
  }
  for (void* p : {w, x, y, workspace}) cudaFree(p);
}

// All devices from one thread, call after call.
void sums(int devices) {
  const NcclLibrary& nccl = nccl_library();
  if (devices < 2 || !nccl.missing.empty()) return;
  constexpr std::size_t kMost = std::size_t{1} << 30;
  std::vector<int> numbers;
  std::vector<void*> comms(static_cast<std::size_t>(devices)), data;
  std::vector<std::unique_ptr<CudaStream>> streams;
  for (int d = 0; d < devices; ++d) numbers.push_back(d);
  nccl.CommInitAll(comms.data(), devices, numbers.data());
  for (int d = 0; d < devices; ++d) {
    cuda_ok(cudaSetDevice(d), "cudaSetDevice");
    data.push_back(memory(kMost));
    streams.push_back(std::make_unique<CudaStream>());
  }
  cuda_ok(cudaSetDevice(0), "cudaSetDevice");
  constexpr int kPasses = 5;  // a host is disturbed for longer than one size takes
  std::map<std::size_t, std::vector<double>> times;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (std::size_t bytes = 8; bytes <= kMost; bytes *= 2) {
      times[bytes].push_back(time(*streams[0], bytes < (1u << 22) ? 200 : 20, [&] {
        nccl.GroupStart();
        for (std::size_t d = 0; d < data.size(); ++d) {
          nccl.AllReduce(data[d], data[d], bytes / 2, kNcclBfloat16, kNcclSum, comms[d], *streams[d]);
        }
        nccl.GroupEnd();
      }));
    }
  }
  for (const auto& [bytes, of] : times) {
    print(fmt::format("collective.all_reduce bytes={} launch=eager", bytes), median(of));
  }
}

int run() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    fmt::print("waived: no device\n");
    return 77;
  }
  copies();
  products();
  sums(devices);
  return 0;
}

}  // namespace
}  // namespace fathom

int main() {
  try {
    return fathom::run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "probe_loops: {}\n", error.what());
    return 3;
  }
}
