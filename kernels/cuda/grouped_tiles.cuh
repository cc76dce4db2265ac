// What the blocks of grouped_wgmma.cu compute in which order, and what lies where in their shared memory.
#pragma once

#include <cstdint>

#include "cuda/linear_arguments.cuh"
#include "cuda/ring.cuh"
#include "cuda/tensor_map.h"
#include "cuda/wgmma.cuh"

namespace fathom::cuda {

inline constexpr int kGroupedRows = 128;    // of weights in a tile, those of gate and up together
inline constexpr int kGroupedTokens = 256;  // at most
inline constexpr int kSlabRows = 8;         // of weights that lie together; with a gate, slabs of gate and up alternate
inline constexpr int kStepInputs = kSwizzledValues;

struct GroupedProducts {
  CUtensorMap weights[2];  // codes, taken for bf16
  LinearArguments a;
  int experts;

  __device__ int outputs() const { return a.gated ? kGroupedRows / 2 : kGroupedRows; }  // of a tile
  __device__ int steps() const { return static_cast<int>((a.cols + kStepInputs - 1) / kStepInputs); }
};

// Outputs [row, row + outputs()) of pairs [first_pair, first_pair + pairs).
struct GroupedTile {
  int expert = 0, first_pair = 0, pairs = 0;
  int row = 0;
};

// The tiles of a block. Those of an expert follow each other, for every 256 pairs all its rows; each block takes one of a round,
// and every other round goes backwards: what is left of an expert's pairs makes short tiles, which would else be the same blocks'.
class GroupedDeal {
 public:
  __device__ explicit GroupedDeal(const GroupedProducts& op)
      : op_(op), row_tiles_((static_cast<int>(op.a.rows) + op.outputs() - 1) / op.outputs()) {}

  __device__ bool next(GroupedTile& tile) {
    const int block = static_cast<int>(round_ % 2 == 0 ? blockIdx.x : gridDim.x - 1 - blockIdx.x);
    const int number = round_++ * static_cast<int>(gridDim.x) + block;
    while (number >= end_) {
      if (++expert_ >= op_.experts) return false;
      first_pair_ = op_.a.first_pair[expert_];
      pairs_ = op_.a.first_pair[expert_ + 1] - first_pair_;
      begin_ = end_;
      end_ += (pairs_ + kGroupedTokens - 1) / kGroupedTokens * row_tiles_;
    }
    const int place = number - begin_, before = place / row_tiles_ * kGroupedTokens;
    tile = {expert_, first_pair_ + before, min(pairs_ - before, kGroupedTokens), place % row_tiles_ * op_.outputs()};
    return true;
  }

 private:
  const GroupedProducts& op_;
  const int row_tiles_;
  int round_ = 0;
  int expert_ = -1, first_pair_ = 0, pairs_ = 0;
  int begin_ = 0, end_ = 0;  // numbers of the expert's tiles
};

// 128 bytes of each row, swizzled: inputs of one step in bf16, of two in fp8, of four in four bits.
struct alignas(1024) WeightTile {
  static constexpr unsigned kRowBytes = 128, kBytes = kGroupedRows * kRowBytes;
  char slab[kGroupedRows / kSlabRows][kSlabRows][kRowBytes];
};
// The inputs of a step, swizzled.
struct alignas(1024) TokenTile {
  std::uint16_t token[kGroupedTokens][kStepInputs];
};
// Outputs of a warpgroup on their way.
struct alignas(1024) OutputTile {
  static constexpr int kTokens = 32;
  std::uint16_t token[kTokens][64];  // chunks of eight exchanged by token % 8
};

inline constexpr int kGroupedConsumers = 2;  // warpgroups

struct GroupedShared {
  using Weights = Ring<WeightTile, 4>;
  using Tokens = Ring<TokenTile, 4>;
  Weights weights;
  Tokens tokens;
  OutputTile outputs[kGroupedConsumers][2];

  __device__ void begin() {
    constexpr unsigned kWarps = kGroupedConsumers * kWarpgroup / 32;
    weights.begin(1, kWarps), tokens.begin(kWarpgroup, kWarps);
    show_barriers();
  }
};

// Of a thread among the consumers: its two rows of a tile are 64 group + 16 warp + g and 8 below.
struct GroupedPlace {
  const int group = static_cast<int>(threadIdx.x) / kWarpgroup - 1, warp = threadIdx.x % kWarpgroup / 32,
            g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;

  // The output of the upper or lower one; with a gate both are parts of one.
  __device__ int output(bool gated, int half) const {
    return gated ? 32 * group + 8 * warp + g : 64 * group + 16 * warp + 8 * half + g;
  }
};

}  // namespace fathom::cuda
