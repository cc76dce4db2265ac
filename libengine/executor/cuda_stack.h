// Matrices stacked by rows into one on the device.
#pragma once

#include <vector>

#include "cuda/linear.h"
#include "storage/cuda_memory.h"
#include "weights/synthetic.h"

namespace fathom {

struct CudaStack {
  std::vector<const TensorSlice*> slices;  // of one format and one number of columns
  DeviceBuffer codes, scales, zeros;
  cuda::Weights view;  // of all rows, or of the first slice where the slices are experts

  // Why these slices cannot be one matrix; empty when they can.
  static bool fits(const std::vector<const TensorSlice*>& slices);

  // Device memory for `slices`. Throws std::invalid_argument for what the kernels do not read.
  CudaStack(std::vector<const TensorSlice*> slices, Account& account);
  // Fills it; on the device where `source` makes weights up there. For one thread each.
  void load(const WeightSource& source, cudaStream_t stream);

 private:
  bool four_bits() const { return view.format == cuda::WeightFormat::kInt4G128; }
  void make_up(const SyntheticWeights& source, cudaStream_t stream);
  void load_from_host(const WeightSource& source, cudaStream_t stream);
};

}  // namespace fathom
