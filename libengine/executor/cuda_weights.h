// The weights of one rank on its device, in the layouts that kernels/cuda reads, found by operator and layer.
//
// Matrices that are read together lie together: q, k and v, or both down-projections of MLA, as one matrix of all their rows;
// every gate of a layer's experts, then every up.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cuda/linear.h"
#include "storage/cuda_memory.h"
#include "weights/weight_source.h"

namespace fathom {

struct CudaOperatorWeights {
  // One of an operator that reads one, or whose matrices were joined. Else in the order of model/tensors.h: gate, up; q, k, v.
  // Of experts: expert 0's, as GroupedLinear wants it.
  std::vector<cuda::Weights> matrices;
  std::vector<const float*> vectors;    // norms and the router's bias
  const std::uint16_t* bias = nullptr;  // bf16, of the joined matrices
  std::int64_t experts = 0;             // that the matrices hold
};

class CudaWeights {
 public:
  // Loads in `threads` host threads. Throws cuda::CudaError, std::invalid_argument for formats that the device does not hold.
  CudaWeights(const std::vector<TensorSlice>& slices, const WeightSource& source, Account& account, int threads);

  const CudaOperatorWeights& of(std::string_view op, int layer) const;  // empty when the operator has none
  std::int64_t widest_quantised() const { return widest_quantised_; }   // values of the largest matrix that is not bf16

 private:
  std::map<std::pair<std::string, int>, CudaOperatorWeights, std::less<>> by_operator_;
  std::vector<DeviceBuffer> memory_;
  std::int64_t widest_quantised_ = 0;
};

}  // namespace fathom
