// Weights of a Hugging Face checkpoint in safetensors files, by the names of model/tensors.h.
//
//   planned as       taken from
//   bf16, fp32       BF16, F16, F32; F8_E4M3 with X.weight_scale_inv is multiplied out. Rounded to nearest even
//   fp8-block128     F8_E4M3 with X.weight_scale_inv [ceil(N/128), ceil(K/128)], as it is
//   int4-g128[-asym] GPTQ or AWQ (X.qweight, X.qzeros, X.scales), groups of 128 in order, repacked; never requantised
//   vectors          BF16, F16, F32
//
// Experts may also lie fused in [experts, 2 width, hidden] and [experts, hidden, width], as transformers 5 holds them.
// Other tensors in the files do not matter. Whatever does not fit is an InputError that names tensor, file and remedy.
#pragma once

#include <filesystem>

#include "weights/checkpoint_folder.h"
#include "weights/weight_source.h"

namespace fathom {

class CheckpointWeights : public WeightSource {
 public:
  explicit CheckpointWeights(const std::filesystem::path& folder) : folder_(folder) {}

  LoadedMatrix matrix(const TensorSlice& slice, Account& account) const override;
  LoadedVector vector(const TensorSlice& slice, Account& account) const override;
  // Shapes and types of every tensor; contents (zeros of symmetric groups, act-order) only show when they are read.
  void check(const std::vector<TensorSlice>& slices) const override;
  std::string describe() const override;

 private:
  CheckpointFolder folder_;
};

}  // namespace fathom
