// kernels_cuda_bench [FILE.json] [--device-bandwidth TB/s] [--only TEXT]: what the CUDA kernels reach, at the shapes of real
// layers; with --only, of the lines whose kernel, format, shape and variant contain TEXT.
//
// Each line is the median of replays of a graph of many launches. Weights and pages rotate through a gigabyte, so that no
// launch finds its own in the cache; data are random. `overlap` lines launch with programmatic dependence.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "families.h"

namespace fathom::cuda {
namespace {

int run(int argc, char** argv) {
  double peak = 4.8;
  const char* path = nullptr;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--device-bandwidth" && i + 1 < argc) {
      peak = std::atof(argv[++i]);
    } else if (std::string(argv[i]) == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      path = argv[i];
    }
  }
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("waived: no device");
    return 77;
  }
  Bench bench(peak, only);
  decode_attentions(bench);
  prefill_attentions(bench);
  small_operators(bench);
  head_linears(bench);
  for (WeightFormat format : {WeightFormat::kBf16, WeightFormat::kFp8Block128, WeightFormat::kInt4G128}) {
    linears(bench, format);
    experts(bench, format);
    large_linears(bench, format);
  }
  if (path != nullptr) bench.write(path);
  return 0;
}

}  // namespace
}  // namespace fathom::cuda

int main(int argc, char** argv) {
  try {
    return fathom::cuda::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "kernels_cuda_bench: %s\n", e.what());
    return 3;
  }
}
