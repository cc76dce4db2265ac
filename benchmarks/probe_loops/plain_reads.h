// Reading device memory by what everybody has: CUB's reductions, and the plainest loop of one's own.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace fathom {

struct PlainRead {
  std::string name;           // "cub-sum-uint32"
  std::function<void()> run;  // puts one pass over all of it into the stream
};

// Of `bytes` (below 8 GiB, a multiple of 16) at `from`; `scratch`, of at least plain_read_scratch_bytes(), holds sums and CUB's own.
std::size_t plain_read_scratch_bytes();
std::vector<PlainRead> plain_reads(const void* from, std::size_t bytes, void* scratch, cudaStream_t stream);

}  // namespace fathom
