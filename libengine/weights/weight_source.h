// Where weights come from: made up (synthetic.h) or from a checkpoint (checkpoint.h), one rank's slice at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/matrix.h"
#include "model/format.h"
#include "model/tensors.h"
#include "storage/buffer.h"

namespace fathom {

// The part of one named tensor that one rank holds.
struct TensorSlice {
  std::string name;                     // Hugging Face name, layer and expert filled in
  std::string op;                       // operator that reads it (model/tensors.h)
  int layer = -1;                       // of the model; -1 outside the layers
  int expert = -1;                      // global number; -1 for all but routed experts
  std::int64_t rows = 0, cols = 0;      // of the whole tensor; cols 1 for a vector
  std::int64_t row = 0, row_count = 0;  // the part
  std::int64_t col = 0, col_count = 0;
  Format format = Format::kBf16;  // to be stored in; vectors are kept as floats whatever it says
  Role role = Role::kNorm;
  bool vector = false;
  int model_layers = 1;  // of the whole model: synthetic residual projections shrink with its root
};

// A matrix in the host's storage with the memory that holds it.
struct LoadedMatrix {
  Buffer codes, scales, zeros;
  host::Matrix view;
};

struct LoadedVector {
  Buffer values;  // float [row_count]
  const float* data() const { return values.as<float>(); }
};

// Formats that the host executor computes with; empty text when it can, else why not.
std::string unsupported(Format format);
host::Storage storage_of(Format format);

// Thread-safe: ranks load at the same time.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual LoadedMatrix matrix(const TensorSlice& slice, Account& account) const = 0;
  virtual LoadedVector vector(const TensorSlice& slice, Account& account) const = 0;
  // Throws InputError when a tensor of the list is missing or has another shape, before anything is loaded.
  virtual void check(const std::vector<TensorSlice>& slices) const = 0;
  virtual std::string describe() const = 0;  // "synthetic, seed 1", "checkpoint /models/qwen2"
};

}  // namespace fathom
