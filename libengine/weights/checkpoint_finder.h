// Finds in a checkpoint what a slice needs, or says why it is not there. Looks at headers only.
#pragma once

#include <string>
#include <vector>

#include "weights/checkpoint_folder.h"
#include "weights/int4_packing.h"
#include "weights/weight_source.h"

namespace fathom {

// Where a slice's tensor lies: in one of its own, or from some row of a fused one.
struct TensorPlace {
  CheckpointFolder::Entry entry;
  std::int64_t first_row = 0;
  bool fused = false;

  const std::string& dtype() const { return entry.tensor->dtype; }
};

struct Int4Place {
  Int4Packing packing = Int4Packing::kGptq;
  CheckpointFolder::Entry weights, zeros, scales;
  CheckpointFolder::Entry group_index;  // may be absent
};

// Every function throws InputError when shapes or types are not those of the plan.
class CheckpointFinder {
 public:
  explicit CheckpointFinder(const CheckpointFolder& folder) : folder_(folder) {}

  TensorPlace vector(const TensorSlice& slice) const;
  TensorPlace floats(const TensorSlice& slice) const;  // or fp8 to be multiplied out
  TensorPlace fp8(const TensorSlice& slice) const;
  CheckpointFolder::Entry tile_scales(const TensorSlice& slice, const TensorPlace& codes) const;
  Int4Place int4(const TensorSlice& slice) const;

 private:
  using Entry = CheckpointFolder::Entry;

  TensorPlace locate(const TensorSlice& slice) const;
  TensorPlace fused(const TensorSlice& slice) const;
  Entry need(const std::string& name) const;
  void check_shape(const Entry& entry, const std::vector<std::int64_t>& expected) const;
  [[noreturn]] void fail_model(const std::string& file, const std::string& message, const std::string& hint) const;
  [[noreturn]] void fail_missing(const std::string& name) const;
  [[noreturn]] void fail_type(const Entry& entry, const std::string& expected) const;
  [[noreturn]] void fail_format(const TensorSlice& slice, const Entry& held) const;

  const CheckpointFolder& folder_;
};

}  // namespace fathom
